"""Boxes and outlines of COCO files as people have them: mended and told, left out and told, or refused."""

import copy
import unicodedata
from typing import Any

import pytest
from coco_set import PREFIX, Set, box, boxes, notes, oriented
from hypothesis import given
from hypothesis import strategies as st

NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


SQUARE = [[10, 12, 30, 12, 30, 28, 10, 28]]
RUNS = {"size": [48, 64], "counts": [48 * 10 + 12, 16, *([32, 16] * 19), 20 + 48 * 34]}
MENDED = {
    "text": ("10, 12, 20, 16", "written as text"),
    "a list as text": ("[10, 12, 20, 16]", "written as text"),
    "numbers as text": (["10", "12", "20", "16"], "written as text"),
    "negative sides": ([30, 28, -20, -16], "negative side"),
    "one negative side": ([30, 12, -20, 16], "negative side"),
}


@pytest.mark.fault("K06")
@pytest.mark.parametrize("name", MENDED)
def test_a_box_that_can_mean_one_thing_only_is_mended_and_told(set_of: Set, name: str) -> None:
    given, told = MENDED[name]
    set_of.coco["annotations"][0]["bbox"] = given
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert told in notes(own) and "annotations[0] (id 10)" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("bbox", ["none", None, [], "", [0, 0, 0, 0], [1, 2, 3], [float("nan"), 1, 2, 3]])
@pytest.mark.parametrize("outline", [SQUARE, SQUARE[0], [[10, 12, 30, 12, 30, 28], [10, 28, 12, 20, 15, 15]], RUNS])
def test_without_a_box_it_is_that_of_the_outline(set_of: Set, bbox: Any, outline: Any) -> None:
    entry = {**box(10, 0, 1, bbox), "segmentation": outline}
    if bbox == "none":
        del entry["bbox"]
    set_of.coco["annotations"][0] = entry
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "made from outlines: annotations[0] (id 10)" in notes(own)


def test_a_compressed_mask_has_the_box_that_pycocotools_says(set_of: Set) -> None:
    from pycocotools import mask

    encoded = mask.frPyObjects(RUNS, 48, 64)
    outline = {"size": [48, 64], "counts": encoded["counts"].decode()}
    set_of.coco["annotations"][0] = {"id": 10, "image_id": 0, "category_id": 1, "segmentation": outline}
    assert boxes(set_of.own(), "a.jpg") == [("cat", 10, 12, 20, 16)]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=40), st.integers(1, 64), st.integers(1, 64))
def test_no_text_that_says_it_is_a_mask_reads_beyond_its_end(counts: str, height: int, width: int) -> None:
    from demo.coco.entries import LeftOut
    from demo.coco.outlines import box_of_outline

    try:
        left, top, across, down = box_of_outline({"size": [height, width], "counts": counts}, (width, height))
    except LeftOut:
        return
    assert 0 <= left <= left + across <= width and 0 <= top <= top + down <= height


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    "outline",
    [
        {"size": [24, 32], "counts": [24 * 5 + 6, 8, 24 * 27 - 14]},
        {"size": [64, 48], "counts": [64 * 10 + 12, 16, 64 * 38 - 28]},
        {"size": [999_999, 999_999], "counts": [999_998_000_001]},
    ],
    ids=["half", "sides swapped", "huge"],
)
def test_a_mask_of_another_size_than_its_picture_is_left_out_and_told(set_of: Set, outline: Any) -> None:
    set_of.coco["annotations"].append({"id": 13, "image_id": 0, "category_id": 2, "segmentation": outline})
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "their mask has another size than their picture: annotations[3] (id 13) of 'a.jpg'" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("counts", [[100_000 * 100_000], "o"])
def test_a_mask_of_a_size_that_nothing_can_hold_is_left_out_and_told(set_of: Set, counts: Any) -> None:
    (set_of.folder / "a.jpg").write_bytes(b"no picture")
    set_of.coco["images"][0].update(width=100_000, height=100_000)
    mask = {"size": [100_000, 100_000], "counts": counts}
    set_of.coco["annotations"].append({"id": 13, "image_id": 0, "category_id": 2, "segmentation": mask})
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and "annotations[3] (id 13) of 'a.jpg'" in notes(own)


def test_the_mask_of_a_picture_labelled_as_it_is_stored_has_that_size(set_of: Set) -> None:
    set_of.put("a.jpg", exif=oriented(6))
    set_of.coco["annotations"][0] = {"id": 10, "image_id": 0, "category_id": 1, "segmentation": RUNS}
    assert boxes(set_of.own(), "a.jpg") == [("cat", 20, 10, 16, 20)]


IMPOSSIBLE = {
    "no area": [10, 12, 0, 16],
    "outside": [100, 12, 20, 16],
    "outside, negative": [-50, -50, 20, 16],
    "NaN": [float("nan"), 12, 20, 16],
    "infinite": [10, 12, float("inf"), 16],
    "infinite as text": ["10", "12", "Infinity", "16"],
    "three numbers": [10, 12, 20],
    "six numbers": [10, 12, 20, 16, 0.5, 1],
    "no numbers": ["a", "b", "c", "d"],
    "nothing": None,
    "a tiny one": [10, 12, 0.01, 0.01],
    "more than a double": [10, 12, 10**400, 16],
    "yes and no": [True, 12, 20, 16],
    "an object": {"x": 10, "y": 12, "width": 20, "height": 16},
}


@pytest.mark.fault("K06")
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_box_costs_itself_and_is_told(set_of: Set, name: str) -> None:
    set_of.coco["annotations"].insert(1, box("odd", 0, 2, IMPOSSIBLE[name]))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert boxes(own, "b.jpg") == [("dog", 10, 12, 20, 16)]
    (told,) = notes(own).split("\n")
    assert "were left out, because" in told and "annotations[1] (id \"odd\") of 'a.jpg'" in told


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("given", "cut"),
    [
        ([-10, 12, 30, 16], (0, 12, 20, 16)),
        ([50, 40, 100, 100], (50, 40, 14, 8)),
        ([-1e300, -5, 1e308, 1e308], (0, 0, 64, 48)),
        ([10, 12, 1e9, 16], (10, 12, 54, 16)),
        ([10, 12, 54.6, 16], (10, 12, 54, 16)),
    ],
)
def test_a_box_that_reaches_out_is_what_can_be_seen_of_it(
    set_of: Set, given: list[float], cut: tuple[float, ...]
) -> None:
    set_of.coco["annotations"][0]["bbox"] = given
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", *cut)]
    assert ("cut at the edge" in notes(own)) == (given[2] > 55 or given[0] < 0 or given[2] == 100)


@pytest.mark.fault("K06")
def test_boxes_that_were_written_as_corners_are_refused(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (30, 24, 60, 44)) for n in range(3)]
    assert "yours seem to be [left, top, right, bottom]" in set_of.refused()


@pytest.mark.fault("K06")
@pytest.mark.parametrize("odd", [(60, 24, 60, 44), (30, 24, 65.5, 44), (30, 44, 60, 44), (5, 5, 3, 3)])
def test_one_odd_box_does_not_hide_that_the_others_are_corners(set_of: Set, odd: tuple[float, ...]) -> None:
    set_of.coco["annotations"] = [box(n, n % 3, 1, (30 + n / 2, 24, 60, 44)) for n in range(20)]
    set_of.coco["annotations"].append(box(99, 0, 1, odd))
    assert "yours seem to be [left, top, right, bottom]" in set_of.refused()


@pytest.mark.fault("K06")
def test_corners_inside_the_picture_are_known_by_their_area(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (5, 4, 15, 14), area=100) for n in range(3)]
    assert "have the area that they have as corners" in set_of.refused()


@pytest.mark.parametrize("area", [None, 0, 150, 210, "210", 77.5])
def test_areas_of_boxes_and_of_outlines_are_no_corners(set_of: Set, area: object) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (5, 4, 15, 14), area=area) for n in range(3)]
    assert boxes(set_of.own(), "a.jpg") == [("cat", 5, 4, 15, 14)]


@pytest.mark.fault("K06")
def test_boxes_in_shares_of_the_picture_are_refused(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (0.1, 0.2, 0.3, 0.3)) for n in range(3)]
    said = set_of.refused()
    assert (
        "no annotation can be used" in said
        and "smaller than a pixel: annotations[0] (id 0) of 'a.jpg' and 2 more" in said
    )


@pytest.mark.fault("K06")
def test_crowds_repeats_and_strays_are_left_out_and_told(set_of: Set) -> None:
    set_of.coco["annotations"] += [
        box(13, 0, 1, (0, 0, 50, 40), iscrowd=1, segmentation=RUNS),
        copy.deepcopy(set_of.coco["annotations"][0]),
        box(15, 77, 1),
        {"id": 16, "category_id": 1, "bbox": [1, 1, 9, 9]},
    ]
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    told = notes(own)
    assert "Crowd regions are not boxes and were left out: annotations[3] (id 13)" in told
    assert "repeat another count once: annotations[4] (id 10)" in told
    assert "pictures that are not listed were left out: annotations[5] (id 15), image_id 77 and 1 more" in told


@pytest.mark.fault("K06")
@pytest.mark.parametrize("more", [{"iscrowd": "true"}, {"iscrowd": "True "}, {"ignore": 1}, {"ignore": True}], ids=str)
def test_what_is_marked_as_crowd_or_to_be_ignored_in_any_way_is_left_out_and_told(set_of: Set, more: Any) -> None:
    set_of.coco["annotations"].append(box(13, 0, 1, (0, 0, 60, 40), **more))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "left out: annotations[3] (id 13)" in notes(own)


@pytest.mark.parametrize("no", [0, False, None, "0", "false", "", 0.0])
def test_what_is_no_crowd_and_not_to_be_ignored_stays(set_of: Set, no: object) -> None:
    set_of.coco["annotations"][0].update(iscrowd=no, ignore=no)
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("rotation", "around"),
    [
        (90, (12, 10, 16, 20)),
        ("270", (12, 10, 16, 20)),
        (-90.0, (12, 10, 16, 20)),
        (45, (7.272, 7.272, 25.456, 25.456)),
    ],
)
def test_a_rotated_box_becomes_the_upright_one_around_it_and_is_told(set_of: Set, rotation: Any, around) -> None:
    set_of.coco["annotations"][0]["attributes"] = {"rotation": rotation, "occluded": False}
    own = set_of.own()
    assert boxes(own, "a.jpg")[0][1:] == pytest.approx(around, abs=0.001)
    assert "rotated became the upright boxes around them: annotations[0] (id 10)" in notes(own)


@pytest.mark.parametrize("attributes", [{"rotation": 0.0}, {"rotation": 180}, {"rotation": "x"}, {}, None, []])
def test_a_box_that_is_not_rotated_stays(set_of: Set, attributes: Any) -> None:
    set_of.coco["annotations"][0]["attributes"] = attributes
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


def people_of(own: Any, name: str) -> Any:
    return own.truth.images[PREFIX + name].people


def test_people_have_their_points_box_and_area_as_the_file_says(set_of: Set) -> None:
    set_of.coco["categories"] = [{"id": 1, "name": "person", "keypoints": ["nose", "left_eye"]}, {"id": 2, "name": "x"}]
    crowd = {**box(13, 0, 1, (0, 0, 60, 40)), "iscrowd": 1, "keypoints": [0] * 6}
    nobody_said = {**box(14, 0, 1, (30, 2, 20, 16)), "keypoints": [0] * 6, "num_keypoints": 0}
    set_of.coco["annotations"][0] |= {"keypoints": [12, 14, 2, 16, 15, 1], "area": 150, "num_keypoints": 2}
    set_of.coco["annotations"] += [crowd, nobody_said]
    first, second = people_of(set_of.own(), "a.jpg")
    assert (first.area, first.derived, first.box.label) == (150, False, "person")
    assert [(point.x, point.y, point.visibility) for point in first.points] == [
        (12, 14, "visible"),
        (16, 15, "occluded"),
    ]
    assert {point.visibility for point in second.points} == {"unlabelled"} and second.box.left == 30
    assert people_of(set_of.own(), "b.jpg") == () and "Crowd regions" in notes(set_of.own())
