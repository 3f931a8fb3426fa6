"""COCO files as labels that people bring along: one line for each image, or a refusal by name."""

import json
from typing import Any

import pytest
from exported_people import CLASSES, HEAD, HEIGHT, OF_BOXES, OF_PEOPLE, WIDTH, boxes, label, people, same_in_files
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import Skeleton
from labelloop.people import supplied, supplied_coco
from labelloop.tasks import oks

from cli import coco_files

POINTED = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye"]}
MARK: dict[str, Any] = {"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 2, 30, 40]}
IMAGE = {"id": 5, "file_name": "a/b.jpg", "width": 64, "height": 48}


def file(*marks: Any, images: Any = (IMAGE,), categories: Any = (POINTED, {"id": 2, "name": "cat"})) -> Any:
    return {"images": list(images), "annotations": list(marks), "categories": list(categories)}


def unfolded(document: Any, task: str = "key-points") -> Any:
    return supplied_coco.unfolded([(1, json.dumps(document))], task)


def read(document: Any, names: Any = ("nose", "left_eye"), task: str = "key-points") -> list[Any]:
    lines, refused = unfolded(document, task)
    assert not refused, refused
    return [supplied.fitted(supplied.read(line, "", names, task), (WIDTH, HEIGHT), names) for _, line in lines]


def refusal(document: Any, task: str = "key-points") -> str:
    lines, (refused,) = unfolded(document, task)
    assert not lines
    return f"{refused.line}: {refused.error}"


@pytest.mark.fault("G12")
@given(st.lists(st.lists(people(), max_size=3), min_size=1, max_size=3))
def test_exported_people_come_back(marked: Any) -> None:
    labels = [label(number, people=tuple(found)) for number, found in enumerate(marked)]
    document = coco_files.document(labels, [each.source_ref for each in labels], OF_PEOPLE, "x")
    for back, known in zip(read(json.loads(json.dumps(document)), HEAD.names), labels, strict=True):
        assert back.source_ref == known.source_ref and back.human
        for one, other in zip(back.people, known.people, strict=True):
            assert one.box.left == pytest.approx(other.box.left, abs=1e-6)
            assert one.box.height == pytest.approx(other.box.height, abs=1e-6)
            assert oks.area(one) == pytest.approx(oks.area(other), rel=1e-9)
            for point, was in zip(one.points, other.points, strict=True):
                assert same_in_files(point) == same_in_files(was)
                assert (point.x, point.y) == pytest.approx((was.x, was.y), abs=1e-6)


@pytest.mark.fault("G12")
@given(st.lists(boxes(), max_size=4))
def test_exported_boxes_come_back(marked: Any) -> None:
    document = coco_files.document([label(boxes=tuple(marked))], ["1.jpg"], OF_BOXES, "x")
    (back,) = read(json.loads(json.dumps(document)), CLASSES, "boxes")
    assert [box.label for box in back.boxes] == [box.label for box in marked]
    for one, other in zip(back.boxes, marked, strict=True):
        assert (one.left, one.width) == pytest.approx((other.left, other.width), abs=1e-6)


def test_a_manifest_stays_as_it_is() -> None:
    lines = [(1, '{"source-ref": "a"}'), (3, "not json")]
    assert supplied_coco.unfolded(lines, "boxes") == (lines, [])
    assert supplied_coco.unfolded(lines[:1], "boxes") == (lines[:1], [])
    broken = [(1, '{"images": "annotations" "categories"')]
    assert supplied_coco.unfolded(broken, "boxes") == (broken, [])


def test_visibility_crowds_and_people_without_points() -> None:
    marks = [
        {**MARK, "keypoints": [3, 4, 2, 0, 0, 0], "area": 99},
        {**MARK, "keypoints": [3, 4, 1, 500, 4, 2]},
        {**MARK, "keypoints": [0] * 6, "bbox": [-9, -9, 900, 900]},
        {**MARK, "iscrowd": 1, "keypoints": [0] * 6},
        {**MARK, "category_id": 2},
        {**MARK, "bbox": None, "keypoints": [10, 10, 2, 20, 20, 2]},
        {**MARK, "bbox": None},
    ]
    lines, refused = unfolded(file(*marks))
    people = supplied.read(lines[0][1], "", ("nose", "left_eye"), "key-points").people
    assert not refused and people is not None and len(people) == 4
    said = [[point.visibility for point in person.points] for person in people]
    assert said == [["visible", "unlabelled"], ["occluded", "outside"], ["unlabelled"] * 2, ["visible"] * 2]
    assert (people[0].area, people[1].area) == (99, None)
    assert (people[2].box.left, people[2].box.width) == (0, 64) and people[3].derived


def test_the_square_round_somebody_s_points_is_as_large_as_the_skeleton_says() -> None:
    document = file({**MARK, "bbox": None, "keypoints": [10, 10, 2, 30, 30, 2]})
    sides = []
    for factor in (1.25, 1.5):
        kind = Skeleton(("nose", "left_eye"), (), (), (0.1, 0.1), factor)
        ((_, line),), _ = supplied_coco.unfolded([(1, json.dumps(document))], "key-points", kind)
        (person,) = supplied.read(line, "", kind.names, "key-points").people or ()
        sides.append(person.box.width)
    assert sides == [25, 30]


@pytest.mark.parametrize("box", [[10, 10, 0.4, 9], [63.9, 10, 0.1, 9], [0, 10, 0.2, 9]])
def test_somebody_narrower_than_a_pixel_costs_no_picture(box: Any) -> None:
    ((_, line),), _ = unfolded(file({**MARK, "bbox": box, "keypoints": [10, 12, 2, 0, 0, 0]}, MARK))
    names = ("nose", "left_eye")
    label, told = supplied.mended(supplied.read(line, "", names, "key-points"), (64, 48), names)
    assert not told and label.people is not None and len(label.people) == 2
    narrow = label.people[0].box
    assert narrow.width == 1 and 0 <= narrow.left <= 63 and narrow.height == 9


def test_an_image_of_which_nothing_is_said_has_nothing_in_it() -> None:
    (line,), _ = unfolded(file(), "boxes")
    assert supplied.read(line[1], "", ("cat",), "boxes").boxes == ()
    (line,), _ = unfolded(file())
    assert supplied.read(line[1], "", ("nose", "left_eye"), "key-points").people == ()


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ({"keypoints": [1, 2, 2]}, "1: annotations[0]: field 'keypoints' must be three numbers for each of 2"),
        ({"keypoints": [1, 2, 7, 0, 0, 0]}, "visibility 7"),
        ({"keypoints": [1, "2", 2, 0, 0, 0]}, "three numbers"),
        ({"keypoints": [10**400, 2, 2, 0, 0, 0]}, "three numbers"),
        ({"category_id": 9}, "'category_id' is 9"),
        ({"iscrowd": 1}, "of nobody where in the picture"),
        ({"ignore": 1, "bbox": [300, 300, 9, 9], "keypoints": [0, 0, 0, 0, 0, 0]}, "of nobody where in the picture"),
    ],
)
def test_an_odd_annotation_costs_its_image(mark: Any, said: str) -> None:
    assert said in refusal(file({**MARK, **mark}))


@pytest.mark.parametrize("image", [{"width": 0}, {"height": None}, {"file_name": 7}])
def test_an_image_without_name_or_size_is_refused(image: Any) -> None:
    assert refusal(file(images=[{**IMAGE, **image}])).startswith("1: ")


def test_a_file_without_key_points_has_none_for_a_stack_that_asks_for_them() -> None:
    assert "no category of the file has key points" in refusal(file(MARK, categories=[{"id": 1, "name": "cat"}]))


def test_annotations_of_images_that_are_not_listed_are_told() -> None:
    _, (refused,) = unfolded(file(MARK, {**MARK, "image_id": 6}), "boxes")
    assert "1 annotations are of images that the file does not list, first annotations[1]" in refused.error


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (file(7), "annotations"),
        (file({**MARK, "image_id": None}), "'image_id'"),
        (file(categories=[{"id": 1, "name": 7}]), "'name'"),
        (file(categories=[POINTED, {**POINTED, "name": "x"}]), "'id' is that of categories"),
        (file(categories=[POINTED, {"id": 2, "name": "dog", "keypoints": ["tail"]}]), "different key points"),
        (file(categories=[{**POINTED, "keypoints": "nose"}]), "'keypoints'"),
        ({**file(), "images": {}}, "'images'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(document: Any, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        unfolded(document)
