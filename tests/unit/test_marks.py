import pytest
from hypothesis import given
from labelloop.contracts import augmented, marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint

from tests.support import strategies

BOX = Box("head", 1.239, 2.0, 3.0, 4.0, 0.5)
BOXES, PEOPLE = marks.of("boxes"), marks.of("key-points")
OTHER_BOXES = {"boxes": {"annotations": []}, "boxes-metadata": {"type": augmented.OBJECT_DETECTION}}
OTHER_POINTS = {
    "face": {"annotations": [{"visibility": "visible"}]},
    "face-metadata": {"type": augmented.CUSTOM},
}
FAILED = {"cats-metadata": {"failure-reason": "ClientError"}}


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (OTHER_BOXES, ["boxes"]),
        (OTHER_POINTS, ["face"]),
        ({**OTHER_BOXES, **OTHER_POINTS}, ["boxes", "face"]),
        (FAILED, ["cats"]),
        ({**FAILED, **OTHER_BOXES}, ["boxes"]),
        ({"proposed-boxes": {}, "proposed-boxes-metadata": {"type": augmented.OBJECT_DETECTION}}, []),
        ({"proposed-key-points": {}, "proposed-key-points-metadata": {"failure-reason": "x"}}, []),
        ({"verdict": {"verdict": "accept"}, "verdict-metadata": {"type": augmented.CUSTOM}}, []),
        ({"boxes-metadata": "text"}, []),
    ],
)
def test_the_attributes_that_hold_labels_are_found_by_what_they_say_of_themselves(record, names):
    assert marks.label_attributes(record) == names
    if len(names) > 1:
        with pytest.raises(InvalidInputError, match=r"line 3: several attributes hold labels \(boxes, face\)"):
            marks.label_attribute(record, "line 3")
    else:
        assert marks.label_attribute(record, "line 3") == (names[0] if names else None)


def test_a_value_that_lists_nothing_says_only_by_its_name_what_it_would_hold():
    empty = {"annotations": []}
    assert marks.of_value(empty, "human-key-points") is PEOPLE and marks.of_value(empty, "boxes") is BOXES
    assert marks.of_value({"annotations": None}, "key-points") is BOXES
    assert marks.of_value({"annotations": [], "people": []}, "anything") is PEOPLE
    assert marks.own_attribute({"key-points": {}}) == "key-points"
    assert marks.own_attribute({"key-points": {}, "boxes": {}}) == marks.own_attribute({}) == "boxes"


@given(strategies.people(), strategies.boxes())
def test_marks_are_read_as_they_were_kept(people, boxes) -> None:
    for kind, listed in ((PEOPLE, people), (BOXES, tuple(boxes))):
        assert kind.of_kept([marks.exact(mark) for mark in listed], (640, 480)) == listed
    assert PEOPLE.of_kept([PEOPLE.kept(mark) for mark in people], (640, 480)) == people


def test_a_honeypot_keeps_a_box_as_a_prediction_has_it() -> None:
    assert BOXES.kept(BOX) == BOX.to_json() and BOXES.of_kept([BOX.to_json()], (9, 9)) == (
        Box("head", 1.24, 2, 3, 4, 0.5),
    )


def test_points_that_earlier_versions_kept_are_of_one_person() -> None:
    points = (KeyPoint("nose", 3.0, 4.0, "visible"), KeyPoint("tail", None, None, "outside"))
    assert PEOPLE.of_kept([vars(point) for point in points], (40, 30)) == one_person(points, (40, 30))
    assert PEOPLE.of_kept([], (40, 30)) == ()


@given(strategies.people(max_size=2))
def test_confidences_and_names_are_exchanged_without_the_rest(people) -> None:
    for person in people:
        unsure = PEOPLE.sure(person, lambda: None)
        assert {unsure.box.confidence, *(point.confidence for point in unsure.points)} == {None}
        loud = PEOPLE.renamed(person, str.upper)
        assert loud.box == person.box and [point.label for point in loud.points] == ["NOSE", "LEFT EYE", "RIGHT EYE"]
        assert PEOPLE.renamed(loud, str.lower) == person and PEOPLE.names(loud) == {"NOSE", "LEFT EYE", "RIGHT EYE"}
    assert BOXES.sure(BOX, lambda: 0.1).confidence == 0.1 and BOXES.renamed(BOX, str.upper).label == "HEAD"
    assert BOXES.names(BOX) == {"head"}


def test_a_kind_that_nobody_knows_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidInputError, match="'polygons' is none of boxes, key-points"):
        marks.of("polygons")
