"""Of 2,000 files with tampered headers none that the product calls unchanged, and no rendition, is shown differently by
OpenCV (which the trainer reads with). tests/browser/test_page_odd_headers.py asks Chromium the same.
"""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.odd_headers import accepted

# Decoders of JPEG round differently, by a few levels.
SAME = 6


def differs_in_opencv(data: bytes, pixels: Image.Image) -> str:
    """As the trainer opens a file: with colours, turned by what OpenCV takes for EXIF. Empty where it is the same."""
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if seen is None:
        return "cannot be opened"
    expected = np.asarray(pixels)[:, :, ::-1]
    if seen.shape != expected.shape:
        return f"has the shape {seen.shape}"
    most = int(np.abs(seen.astype(int) - expected).max())
    return f"differs by {most}" if most > SAME else ""


@pytest.mark.fault("K01")
def test_opencv_shows_every_unchanged_file_as_its_canonical_pixels() -> None:
    unchanged = [(told, data, each.rgb) for told, data, each in accepted() if each.unchanged]
    assert len(unchanged) > 100, "nothing was asked"
    turned = [f"{told}: {why}" for told, data, rgb in unchanged if (why := differs_in_opencv(data, rgb))]
    assert turned == []


@pytest.mark.fault("K01")
def test_opencv_shows_every_rendition_as_the_canonical_pixels() -> None:
    from labelloop.pictures.pixels import rendition

    written = {rendition(each).body: (told, each.rgb) for told, _, each in accepted() if not each.unchanged}
    assert len(written) > 100, "nothing was asked"
    wrong = [f"{told}: {why}" for body, (told, rgb) in written.items() if (why := differs_in_opencv(body, rgb))]
    assert wrong == []


@pytest.mark.fault("K01")
def test_no_metadata_is_left_in_any_rendition() -> None:
    from labelloop.pictures.pixels import rendition

    for told, _, each in accepted():
        if not each.unchanged:
            opened = Image.open(io.BytesIO(rendition(each).body))
            kept = set(opened.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
            assert not opened.getexif() and kept <= {"adobe", "adobe_transform", "progressive", "progression"}, told
