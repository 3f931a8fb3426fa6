"""What is drawn around something seen on the screen is its box in canonical pixels, within 1 pixel (F33)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from labelloop.pictures.pixels import canonicalise, png_bytes
from painter import Painter, near
from PIL import Image
from served_portal import wait_until

SIZE = (720, 540)
ORIENTATION_TAG = 0x0112
SQUARE = (401, 187, 60, 60)  # left, top, width, height in canonical pixels
PAINT, GROUND = (255, 0, 255), (60, 80, 60)
# How a picture that is seen upright was stored, by EXIF orientation (TIFF 6.0, tag 274).
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored_jpeg(orientation: int) -> bytes:
    upright = Image.new("RGB", SIZE, GROUND)
    left, top, width, height = SQUARE
    upright.paste(PAINT, (left, top, left + width, top + height))
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = io.BytesIO()
    (upright if turn is None else upright.transpose(turn)).save(data, "JPEG", quality=95, subsampling=0, exif=exif)
    return data.getvalue()


def seen_square(painter: Painter) -> tuple[float, float, float, float]:
    """left, top, right, bottom of the painted square, measured on a screenshot; pixels of the window."""
    painter.page.mouse.move(1270, 400)
    painter.view()
    pixels = np.asarray(painter.screenshot()).astype(int)
    painted = (pixels[..., 0] > 150) & (pixels[..., 1] < 45) & (pixels[..., 2] > 150)
    rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
    corner = painter.canvas.bounding_box()
    x, y = corner["x"], corner["y"]
    return x + float(columns[0]), y + float(rows[0]), x + float(columns[-1]) + 1, y + float(rows[-1]) + 1


@pytest.mark.fault("F33")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_around_what_is_seen_is_right_in_canonical_pixels(portal, open_task, orientation) -> None:
    canonical = canonicalise(stored_jpeg(orientation))
    task = portal.add_job("boxes", [png_bytes(canonical)], ["square"])[0]
    painter = open_task(task)
    scales = []
    for turns_of_the_wheel in (0, 2, 2):
        left, top, right, bottom = seen_square(painter)
        painter.page.mouse.move((left + right) / 2, (top + bottom) / 2)
        for _ in range(turns_of_the_wheel):
            before = painter.view()["scale"]
            painter.page.mouse.wheel(0, -200)
            wait_until(lambda before=before: painter.view()["scale"] > before, "zoomed in")
        scales.append(painter.view()["scale"])
        left, top, right, bottom = seen_square(painter)
        painter.drag_window((left, top), (right, bottom))
        assert near(painter.box(0), *SQUARE), f"at scale {scales[-1]:.2f}"
        painter.press("Delete")
    assert len(set(scales)) == 3
    left, top, right, bottom = seen_square(painter)
    painter.drag_window((right, bottom), (left, top))
    painter.submit_and_leave()
    result = portal.answer(task)["annotatedResult"]
    assert near(result["boundingBoxes"][0], *SQUARE)
    assert result["inputImageProperties"] == {"height": SIZE[1], "width": SIZE[0]}
