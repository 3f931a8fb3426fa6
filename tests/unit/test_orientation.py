"""One frame for everybody: however a camera stored a picture, what people see, the size that inspection recorded and
a box around the object agree. Stored pictures are built from the EXIF standard's own words, not with Pillow's turns.
"""

import io
from dataclasses import dataclass
from threading import BoundedSemaphore

import inspect_images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, InventoryItem
from labelloop.contracts.settings import Settings
from labelloop.people.task_input import task_input
from labelloop.pictures.pixels import canonicalise
from labelloop.store import storage
from made_up_stack import BUCKET, SETTINGS
from PIL import Image, ImageOps

# EXIF 2.32, tag 274: where the 0th row and the 0th column of what is stored lie in the upright picture.
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
GROUND, OBJECT = (90, 90, 90), (250, 250, 40)
ALLOWED_PIXELS = 1


@dataclass(frozen=True)
class Scene:
    """An upright picture with one bright rectangle, whose place is `left, top, right, bottom`."""

    width: int
    height: int
    place: tuple[int, int, int, int]

    def stored(self, orientation: int, image_format: str) -> bytes:
        upright = np.full((self.height, self.width, 3), GROUND, np.uint8)
        left, top, right, bottom = self.place
        upright[top:bottom, left:right] = OBJECT
        exif = Image.Exif()
        exif[0x0112] = orientation
        body = io.BytesIO()
        quality = {"quality": 95, "subsampling": 0} if image_format == "JPEG" else {}
        Image.fromarray(_as_stored(upright, orientation)).save(body, image_format, exif=exif, **quality)
        return body.getvalue()


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    row_side, column_side = SIDES[orientation]
    if row_side in ("left", "right"):
        upright = upright.swapaxes(0, 1)
    rows = slice(None, None, -1 if row_side in ("bottom", "right") else 1)
    columns = slice(None, None, -1 if column_side in ("bottom", "right") else 1)
    return np.ascontiguousarray(upright[rows, columns])


@st.composite
def scenes(draw):
    width, height = draw(st.integers(33, 120)), draw(st.integers(33, 120))
    left, top = draw(st.integers(0, width - 6)), draw(st.integers(0, height - 6))
    right, bottom = draw(st.integers(left + 6, width)), draw(st.integers(top + 6, height))
    return Scene(width, height, (left, top, right, bottom))


def shown(body: bytes) -> Image.Image:
    """As a page shows it. A browser that turns by EXIF and one that does not must show the same."""
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("RGB")
    as_stored = Image.open(io.BytesIO(body)).convert("RGB")
    assert turned.size == as_stored.size and turned.tobytes() == as_stored.tobytes()
    return turned


def box_around(picture: Image.Image) -> tuple[int, int, int, int]:
    """The tight box that somebody draws around the bright rectangle."""
    red = np.asarray(picture)[:, :, 0] > (GROUND[0] + OBJECT[0]) / 2
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def assert_same_place(drawn: tuple[float, ...], scene: Scene) -> None:
    assert max(abs(one - other) for one, other in zip(drawn, scene.place, strict=True)) <= ALLOWED_PIXELS


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@given(scene=scenes(), orientation=st.sampled_from(sorted(SIDES)))
def test_a_box_drawn_on_what_people_see_is_where_the_object_is(image_format, scene, orientation):
    from labelloop.pictures.pixels import rendition

    stored = scene.stored(orientation, image_format)
    canonical = canonicalise(stored)
    assert not canonical.unchanged, "EXIF is read in more than one way"
    picture = shown(rendition(canonical).body)
    assert picture.size == (canonical.width, canonical.height) == (scene.width, scene.height)
    assert_same_place(box_around(picture), scene)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", sorted(SIDES))
def test_inspection_page_and_label_share_one_frame(aws, orientation, image_format):
    """From the upload to the manifest: the record's size, the image that the task shows, and the label's box."""
    scene = Scene(80, 50, (50, 5, 75, 20))
    key = f"incoming/b/{orientation}.{image_format.lower()}"
    storage.write(key, scene.stored(orientation, image_format))
    record = inspect_images.inspect(InventoryItem(key, None, "etag", 1, 0.5, False, 0.5), "b", BoundedSemaphore(1))
    assert (record.status, record.width, record.height) == ("ok", 80, 50)
    task = task_input({"source-ref": record.source_ref}, Settings.from_environment(SETTINGS))
    assert task["taskObject"].startswith(f"s3://{BUCKET}/")
    picture = shown(storage.read(storage.own_key(task["taskObject"])))
    assert picture.size == (record.width, record.height)
    left, top, right, bottom = box_around(picture)
    box = Box("head", left, top, right - left, bottom - top)
    label = Annotation(record.source_ref, record.original_ref, record.width, record.height, (box,), True, "", "")
    (read,) = Annotation.from_line(label.to_line()).boxes
    assert_same_place((read.left, read.top, read.left + read.width, read.top + read.height), scene)


def exif_block(*entries: tuple[int, int, int]) -> bytes:
    """An APP1 segment with orientation tags of (type, count, value)."""
    directory = len(entries).to_bytes(2, "little")
    for kind, count, value in entries:
        sizes = ((0x0112, 2), (kind, 2), (count, 4), (value, 4))
        directory += b"".join(number.to_bytes(size, "little") for number, size in sizes)
    body = b"Exif\0\0II*\0\x08\0\0\0" + directory + bytes(4)
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body


SHORT, BYTE, LONG = 3, 1, 4
# As Chromium shows them, measured: one SHORT in the first block counts, the first of several.
DISAGREEING = {
    "one tag": (exif_block((SHORT, 1, 6)), True),
    "twice, 6 first": (exif_block((SHORT, 1, 6), (SHORT, 1, 1)), True),
    "twice, 1 first": (exif_block((SHORT, 1, 1), (SHORT, 1, 6)), False),
    "twice, nonsense first": (exif_block((SHORT, 1, 9), (SHORT, 1, 6)), True),
    "two blocks, 6 first": (exif_block((SHORT, 1, 6)) + exif_block((SHORT, 1, 1)), True),
    "two blocks, the first silent": (exif_block() + exif_block((SHORT, 1, 6)), False),
    "a byte": (exif_block((BYTE, 1, 6)), False),
    "a long": (exif_block((LONG, 1, 6)), False),
    "two values": (exif_block((SHORT, 2, 6)), False),
    "no value": (exif_block((SHORT, 0, 6)), False),
}


@pytest.mark.fault("K01")
def test_metadata_behind_the_pixels_turns_and_recolours_nothing():
    body = io.BytesIO()
    Image.new("RGB", (96, 64), GROUND).save(body, "JPEG")
    plain = body.getvalue()
    canonical = canonicalise(plain[:-2] + exif_block((SHORT, 1, 6)) + plain[-2:])
    assert (canonical.width, canonical.height, canonical.unchanged) == (96, 64, False)


@pytest.mark.fault("K01")
@pytest.mark.parametrize("name", DISAGREEING)
def test_where_tags_disagree_one_rule_decides_and_nobody_decides_again(name):
    blocks, turned = DISAGREEING[name]
    upright = Scene(96, 64, (10, 10, 40, 30)).stored(1, "PNG")
    body = io.BytesIO()
    Image.open(io.BytesIO(upright)).save(body, "JPEG", quality=95, subsampling=0)
    stored = body.getvalue()
    canonical = canonicalise(stored[:2] + blocks + stored[2:])
    assert not canonical.unchanged, "some decoder reads it in another way"
    assert (canonical.width, canonical.height) == ((64, 96) if turned else (96, 64))
    from labelloop.pictures.pixels import rendition

    written = rendition(canonical)
    assert written.suffix == ("png" if turned else "jpg")
    assert shown(written.body).tobytes() == canonical.rgb.tobytes()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", sorted(SIDES))
def test_the_shape_that_the_header_tells_is_that_of_the_canonical_pixels(orientation, image_format):
    from labelloop.pictures.pixels import stored_shape

    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 48)).save(buffer, image_format, exif=exif)
    assert stored_shape(buffer.getvalue()) == (64, 48, orientation)
    seen = canonicalise(buffer.getvalue())
    assert (seen.width, seen.height) == ((48, 64) if orientation > 4 else (64, 48))
