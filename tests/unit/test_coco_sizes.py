"""Sizes and orientation in COCO files: labels lie where they were drawn."""

import unicodedata
from typing import Any

import pytest
from coco_set import PREFIX, Set, boxes, notes, oriented
from labelloop.pictures import pixels
from PIL import Image

NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    "said", [{}, {"width": None, "height": None}, {"width": 0, "height": 0}, {"width": "64", "height": "48"}]
)
def test_a_missing_size_is_that_of_the_picture(set_of: Set, said: dict[str, Any]) -> None:
    set_of.coco["images"][0] = {"id": 0, "file_name": "a.jpg", **said}
    known = set_of.own().truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (64, 48)


@pytest.mark.fault("K06")
def test_a_picture_of_another_size_than_its_labels_is_left_out_and_told(set_of: Set) -> None:
    set_of.put("a.jpg", size=(640, 480))
    own = set_of.own()
    assert own.names == ("b.jpg", "c.jpg") and "1 more left out" in own.source
    assert "images[0] (id 0) 'a.jpg' is labelled at 64 x 48 and has 640 x 480 pixels" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("orientation", "turned"), [(5, (4, 2, 5, 10)), (6, (39, 2, 5, 10)), (7, (39, 52, 5, 10)), (8, (4, 52, 5, 10))]
)
def test_labels_made_on_a_picture_as_it_is_stored_are_turned_with_it(set_of: Set, orientation: int, turned) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    set_of.put("a.jpg", exif=exif)
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (48, 64)
    assert boxes(own, "a.jpg") == [("cat", *turned)]
    assert "stored on their side (EXIF): images[0] (id 0) 'a.jpg'" in notes(own)


def test_labels_made_on_the_upright_picture_stay(set_of: Set) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    set_of.put("a.jpg", size=(48, 64), exif=exif)
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


@pytest.mark.fault("K06")
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("labelled", ["upright", "as stored"])
def test_any_format_is_turned_as_the_loop_turns_it(set_of: Set, kind: str, labelled: str) -> None:
    set_of.remove("a.jpg")
    name = f"a.{kind.lower()}"
    Image.new("RGB", (48, 64)).save(set_of.folder / name, kind, exif=oriented(6))
    set_of.rename(0, name)
    if labelled == "as stored":
        set_of.coco["images"][0].update(width=48, height=64)
        set_of.coco["annotations"][0]["bbox"] = [12, 34, 16, 20]
    own = set_of.own()
    shown = pixels.canonicalise((set_of.folder / name).read_bytes())
    known = own.truth.images[PREFIX + name]
    assert (known.width, known.height) == (shown.width, shown.height) == (64, 48)
    assert boxes(own, name) == [("cat", 10, 12, 20, 16)]
    assert ("stored on their side" in notes(own)) == (labelled == "as stored")


XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
LONG_VALUE = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


@pytest.mark.fault("K06")
@pytest.mark.parametrize("block", [XMP, LONG_VALUE], ids=["XMP", "LONG"])
def test_an_orientation_that_the_loop_does_not_follow_turns_no_labels(set_of: Set, block: bytes) -> None:
    path = set_of.folder / "a.jpg"
    body = path.read_bytes()
    path.write_bytes(body[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block + body[2:])
    shown = pixels.canonicalise(path.read_bytes())
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (shown.width, shown.height) == (64, 48)
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


UPSIDE_DOWN = [(2, (52, 4, 10, 5)), (3, (52, 39, 10, 5)), (4, (2, 39, 10, 5))]


@pytest.mark.fault("K06")
@pytest.mark.parametrize(("orientation", "turned"), UPSIDE_DOWN)
def test_upside_down_pictures_are_labelled_as_the_others_of_the_file(set_of: Set, orientation: int, turned) -> None:
    set_of.put("a.jpg", exif=oriented(orientation))
    set_of.put("b.jpg", exif=oriented(6))
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", *turned)]
    assert "because those of others of the file were: 'a.jpg'" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(5, (4, 2, 5, 10)), (6, (39, 2, 5, 10)), (7, (39, 36, 5, 10)), (8, (4, 36, 5, 10))],
)
def test_a_square_picture_is_labelled_as_the_others_of_the_file(set_of: Set, orientation: int, turned) -> None:
    set_of.put("a.jpg", size=(48, 48), exif=oriented(orientation))
    set_of.put("b.jpg", exif=oriented(8))
    set_of.coco["images"][0]["width"] = 48
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    assert boxes(set_of.own(), "a.jpg") == [("cat", *turned)]


@pytest.mark.fault("K06")
def test_where_the_tool_follows_exif_an_upside_down_picture_stays(set_of: Set) -> None:
    set_of.put("a.jpg", exif=oriented(3))
    set_of.put("b.jpg", size=(48, 64), exif=oriented(6))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


@pytest.mark.fault("K06")
@pytest.mark.parametrize("sizes", ["told", "missing"])
def test_where_nothing_tells_how_a_turned_picture_was_labelled_people_are_told(set_of: Set, sizes: str) -> None:
    set_of.put("a.jpg", exif=oriented(3))
    if sizes == "missing":
        set_of.coco["images"][0] = {"id": 0, "file_name": "a.jpg"}
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "Nothing tells whether labels were made on the upright picture" in notes(own) and "'a.jpg'" in notes(own)


def test_a_file_that_cannot_be_opened_is_uploaded_for_the_loop_to_say_what_it_is(set_of: Set) -> None:
    (set_of.folder / "a.jpg").write_bytes(b"no picture")
    own = set_of.own()
    assert "a.jpg" in own.names and "cannot be opened" in notes(own)
