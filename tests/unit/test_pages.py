"""The pre-label of a line: read as the widgets take it, or refused with the field that is wrong."""

import pytest
from hypothesis import given
from labelloop.contracts.augmented import PROPOSALS, PROPOSED_KEY_POINTS
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, KeyPoint
from labelloop.people.task_input import task_input
from labelloop.tasks import pages
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from pre_labels import BOXES_STACK, IMAGE, POINTS_STACK, SIZE, boxes_line, one_box, points_line

from tests.support import strategies


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"proposed-boxes": [1]}, "proposed-boxes"),
        ({"proposed-boxes": "x"}, "proposed-boxes"),
        ({"proposed-boxes-metadata": [1]}, "proposed-boxes-metadata"),
        ({"proposed-boxes": {"annotations": []}}, "image_size"),
        ({"proposed-boxes": {"image_size": [{"width": -1, "height": 9}], "annotations": []}}, "width"),
        ({"proposed-boxes": {"image_size": SIZE}}, "annotations"),
        ({"proposed-boxes": {"image_size": SIZE, "annotations": [7]}}, "annotations"),
        ({"proposed-boxes": one_box(class_id=9)}, "class_id"),
        ({"proposed-boxes": one_box(class_id=[])}, "class_id"),
        ({"proposed-boxes": one_box(left=None)}, "left"),
        ({"proposed-boxes": one_box(left="1")}, "left"),
        ({"proposed-boxes": one_box(left=-1)}, "left"),
        ({"proposed-boxes": one_box(left=64, width=1)}, "left"),
        ({"proposed-boxes": one_box(width=0)}, "width"),
        ({"proposed-boxes": one_box(width=64)}, "width"),
        ({"proposed-boxes": one_box(top=47, height=2)}, "height"),
        ({"proposed-boxes": one_box(top=float("nan"))}, "top"),
        ({"proposed-boxes": one_box(top=10**400)}, "top"),
        ({"proposed-boxes-metadata": {"class-map": {"0": "tail", "1": "tail"}}}, "class_id"),
        ({"proposed-boxes-metadata": {"class-map": {"1": ["bag"]}}}, "1"),
    ],
)
def test_a_wrong_field_of_a_pre_label_is_named(changes, field) -> None:
    with pytest.raises(InvalidInputError, match=f"field '{field}'") as refusal:
        task_input(boxes_line(**changes), BOXES_STACK)
    assert str(refusal.value).startswith("line of ")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"x": -1}, "x"), ({"x": 65}, "x"), ({"y": 49}, "y"), ({"y": None}, "y"), ({"visibility": "no"}, "visibility"),
        ({"visibility": "outside"}, "x"), ({"class_id": 5}, "class_id"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_proposed_key_points_is_named(changes, field) -> None:
    line = points_line(KeyPoint("nose", 3, 4, "visible", 0.9))
    line["proposed-key-points"]["annotations"][0].update(changes)
    with pytest.raises(InvalidInputError, match=f"field '{field}'"):
        task_input(line, POINTS_STACK)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"left": -1}, "left"), ({"width": 90}, "width"), ({"height": 0}, "height"), ({"top": "x"}, "top")],
)
def test_a_wrong_side_of_a_proposed_person_is_named(changes, field) -> None:
    line = points_line(KeyPoint("nose", 3, 4, "visible", 0.9))
    line["proposed-key-points"]["people"][0].update(changes)
    with pytest.raises(InvalidInputError, match=f"field '{field}'"):
        task_input(line, POINTS_STACK)


@given(strategies.boxes())
def test_the_boxes_of_a_proposal_are_shown_in_its_order_within_the_image(boxes) -> None:
    line = proposal_line(IMAGE, strategies.WIDTH, strategies.HEIGHT, boxes, strategies.CLASSES, "m")
    shown = [pages.box_mark(box) for box in pages.proposed_boxes(line, strategies.CLASSES, "line 1")]
    written = line[PROPOSALS]["annotations"]
    assert [(mark["left"], mark["top"], mark["width"], mark["height"]) for mark in shown] == [
        (entry["left"], entry["top"], entry["width"], entry["height"]) for entry in written
    ]
    assert [mark["label"] for mark in shown] == [strategies.CLASSES[entry["class_id"]] for entry in written]


@given(strategies.people())
def test_people_are_read_as_they_were_proposed_and_lie_over_the_image_as_boxes(people) -> None:
    size = strategies.WIDTH, strategies.HEIGHT
    line = key_point_proposal_line(IMAGE, *size, people, strategies.KEY_POINTS, "m")
    read = pages.proposed_people(line, strategies.KEY_POINTS, "line 1")
    assert len(read) == len(line[PROPOSED_KEY_POINTS]["people"])
    boxes, labels = pages.people_overlay(read, strategies.KEY_POINTS)
    placed = sum(point.x is not None for person in read for point in person.points)
    assert len(boxes) == len(read) + placed and {box["label"] for box in boxes} <= set(labels)
    assert all(box["left"] >= 0 and box["top"] >= 0 and box["width"] > 0 for box in boxes)


@pytest.mark.parametrize("attribute", [PROPOSALS, PROPOSED_KEY_POINTS])
@pytest.mark.parametrize("line", [{}, {"proposed-boxes": None, "proposed-key-points": None}])
def test_a_line_that_proposes_nothing_shows_nothing(attribute, line) -> None:
    read = pages.proposed_boxes if attribute == PROPOSALS else pages.proposed_people
    assert read({**line, f"{attribute}-metadata": "not looked at"}, ("head",), "line 1") == ()


def test_whole_pixels_are_shown_as_whole_numbers_and_fractions_as_they_are() -> None:
    mark = pages.box_mark(Box("head", 1.0, 2.5, 3.0, 4.0, 0.9))
    assert mark == {"label": "head", "left": 1, "top": 2.5, "width": 3, "height": 4}
    assert isinstance(mark["left"], int)


def test_a_box_may_end_at_the_edge_of_the_image_and_a_point_lie_on_it() -> None:
    (box,) = pages.proposed_boxes(boxes_line(**{PROPOSALS: one_box(left=54, top=38)}), ("head", "bag"), "line 1")
    assert (box.left + box.width, box.top + box.height) == (64, 48)
    line = points_line(KeyPoint("nose", 64, 48, "visible", 0.9))
    (person,) = pages.proposed_people(line, POINTS_STACK.label_names, "line 1")
    assert (person.points[0].x, person.points[0].y) == (64, 48)
