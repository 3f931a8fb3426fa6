"""The COCO file itself: key points, whatever its bytes are, and that nothing is lost silently."""

import copy
import json
import unicodedata
from typing import Any

import pytest
from coco_set import PREFIX, Set, boxes, notes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo import page, pictures
from demo.annotators import parse_truth
from demo.errors import DemoFailed

NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


UNKNOWN = [("nose", None, None, "unlabelled"), ("tail", None, None, "unlabelled")]  # nobody said anything


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([5, 6, 2, 0, 0, 0], [("nose", 5, 6, "visible"), ("tail", None, None, "unlabelled")]),
        ([5, 6, "2", 7, 8, 1.0], [("nose", 5, 6, "visible"), ("tail", 7, 8, "occluded")]),
        ([5, 6, 2, 500, 8, 2], [("nose", 5, 6, "visible"), ("tail", None, None, "outside")]),
        ([], UNKNOWN),
        ([0, 0, 0, 0, 0, 0], UNKNOWN),
        ([5, 6, 2], UNKNOWN),
        ([5, 6, 2, 7, 8, 1, 9, 9, 1], UNKNOWN),
        ([5, 6, 3, 7, 8, 1], UNKNOWN),
        ([5, float("nan"), 2, 7, 8, 1], UNKNOWN),
        ({"nose": [5, 6]}, UNKNOWN),
    ],
)
def test_key_points_are_taken_whole_or_left_out(set_of: Set, given: Any, kept: list[tuple[Any, ...]]) -> None:
    set_of.coco["categories"][0]["keypoints"] = ["nose", "tail"]
    set_of.coco["annotations"][0]["keypoints"] = given
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    (person,) = known.people
    assert [(each.label, each.x, each.y, each.visibility) for each in person.points] == kept
    assert (person.box.left, person.box.top, person.box.width, person.box.height) == (10, 12, 20, 16)
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    given_none = given == [] or (isinstance(given, list) and not any(given))
    assert kept != UNKNOWN or given_none or "Key points were left out" in notes(own)


def test_a_person_of_a_coco_file_has_the_area_that_the_file_states(set_of: Set) -> None:
    set_of.coco["categories"][0]["keypoints"] = ["nose", "tail"]
    set_of.coco["annotations"][0].update(keypoints=[5, 6, 2, 0, 0, 0], area=123.5)
    (person,) = set_of.own().truth.images[f"{PREFIX}a.jpg"].people
    assert person.area == 123.5 and not person.derived


@pytest.mark.fault("K06")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_unicode_encoding_is_read(set_of: Set, encoding: str) -> None:
    set_of.write(json.dumps(set_of.coco).encode(encoding))
    assert len(set_of.read().names) == 3


@pytest.mark.fault("K06")
@pytest.mark.parametrize("part", ["annotations", "images", "bbox"])
def test_a_key_that_stands_twice_in_one_object_is_refused(set_of: Set, part: str) -> None:
    body = json.dumps(set_of.coco)
    again = '"bbox": [1, 2, 3, 4], "bbox"' if part == "bbox" else f'"{part}": [], "{part}"'
    set_of.write(body.replace(f'"{part}"', again, 1).encode())
    try:
        said = f"not refused: {set_of.read().truth}"
    except DemoFailed as refusal:
        said = str(refusal)
    assert f'the key "{part}" twice' in said and str(set_of.file) in said


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is not a COCO file"),
        (b"{", "is not a COCO file"),
        (b"null", "it is a JSON value"),
        (b"[" * 100_000, "is not a COCO file"),
        (b"\xff\xfe\xfa", "is not a COCO file"),
        (b"PK\x03\x04rest", "is compressed: unpack it"),
        (b"\x1f\x8brest", "is compressed: unpack it"),
        (b"<?xml version='1.0'?><annotation><folder>x</folder></annotation>", "Pascal VOC"),
        (b"0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.05 0.05\n", "for YOLO"),
        (b'[{"id": 1, "data": {"image": "x"}, "annotations": []}]', "Label Studio"),
        (b'[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "COCO results"),
        (b'{"shapes": [], "imagePath": "a.jpg"}', "LabelMe"),
        (b'{"a.jpg123": {"filename": "a.jpg", "regions": []}}', "VIA"),
        (b'{"source-ref": "s3://b/a.jpg"}\n{"source-ref": "s3://b/b.jpg"}\n', "augmented manifest"),
        (b'{"images": []}', "it has no 'annotations' and no 'categories'"),
    ],
)
def test_another_format_is_called_by_its_name(set_of: Set, body: bytes, said: str) -> None:
    set_of.write(body)
    with pytest.raises(DemoFailed) as refused:
        set_of.read()
    assert said in str(refused.value) and len(str(refused.value)) < 600
    assert "export your labels as 'COCO detection'" in str(refused.value) or "unpack" in said


@pytest.mark.fault("K06")
def test_a_file_that_does_not_fit_into_memory_is_refused_in_a_sentence(set_of: Set, monkeypatch) -> None:
    set_of.write()

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(json, "loads", full)
    with pytest.raises(DemoFailed, match="does not fit into this machine's memory"):
        set_of.read()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "a.jpg", "", " cat ", "../b.jpg"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=6,
)
FIELDS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "keypoints"),
    "categories": ("id", "name", "keypoints"),
}
SPOILT = st.tuples(
    st.sampled_from([(part, name) for part, names in FIELDS.items() for name in names]), st.integers(0, 2), VALUES
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SPOILT, min_size=1, max_size=4))
def test_whatever_the_fields_hold_it_is_mended_or_refused_and_every_box_can_be_drawn(set_of: Set, spoilt) -> None:
    before = copy.deepcopy(set_of.coco)
    for (part, name), index, value in spoilt:
        set_of.coco[part][index % len(set_of.coco[part])][name] = value
    set_of.write()
    set_of.coco = before
    try:
        own = set_of.read()
    except DemoFailed as refusal:
        assert "\n" not in str(refusal)
        return
    assert parse_truth(json.loads(json.dumps(pictures.truth_document(own.truth), allow_nan=False))) == own.truth
    drawn = 0
    for known in own.truth.images.values():
        for each in known.boxes:
            assert 0 <= each.left < each.left + each.width <= known.width + 1e-6
            assert 0 <= each.top < each.top + each.height <= known.height + 1e-6
        drawn += len(known.boxes)
    assert drawn == 3 or notes(own), "what is not drawn is told"


@pytest.mark.fault("K06")
def test_the_report_of_the_demo_tells_it_too(set_of: Set) -> None:
    set_of.coco["annotations"][0]["bbox"] = [30, 28, -20, -16]
    own = set_of.own()
    assert notes(own)
    told = page._truth({"truth_notes": list(own.notes)})
    assert "Boxes with a negative side were turned round: annotations[0] (id 10)" in told


def test_at_most_so_many_are_taken_in_the_order_of_their_names(set_of: Set) -> None:
    set_of.write()
    own = set_of.read(limit=1)
    assert own.names == ("a.jpg",) and "2 more left out" in own.source
