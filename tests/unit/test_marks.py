from hypothesis import given
from labelloop.contracts import marks
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint

from tests.support import strategies

BOX = Box("head", 1.239, 2.0, 3.0, 4.0, 0.5)


@given(strategies.people(), strategies.boxes())
def test_marks_are_read_as_they_were_kept(people, boxes) -> None:
    for listed in (people, tuple(boxes)):
        assert marks.read([marks.exact(mark) for mark in listed], (640, 480)) == listed
    assert marks.read([marks.rounded(mark) for mark in people], (640, 480)) == people


def test_a_rounded_box_is_that_of_a_prediction() -> None:
    assert marks.rounded(BOX) == BOX.to_json() and marks.read([BOX.to_json()], (9, 9)) == (
        Box("head", 1.24, 2, 3, 4, 0.5),
    )


def test_points_that_earlier_versions_kept_are_of_one_person() -> None:
    points = (KeyPoint("nose", 3.0, 4.0, "visible"), KeyPoint("tail", None, None, "outside"))
    assert marks.read([vars(point) for point in points], (40, 30)) == one_person(points, (40, 30))
    assert marks.read([], (40, 30)) == ()


@given(strategies.people(max_size=2))
def test_confidences_and_names_are_exchanged_without_the_rest(people) -> None:
    for person in people:
        unsure = marks.sure(person, lambda: None)
        assert {unsure.box.confidence, *(point.confidence for point in unsure.points)} == {None}
        loud = marks.renamed(person, str.upper)
        assert loud.box == person.box and [point.label for point in loud.points] == ["NOSE", "LEFT EYE", "RIGHT EYE"]
        assert marks.renamed(loud, str.lower) == person and marks.names(loud) == {"NOSE", "LEFT EYE", "RIGHT EYE"}
    assert marks.sure(BOX, lambda: 0.1).confidence == 0.1 and marks.renamed(BOX, str.upper).label == "HEAD"
    assert marks.names(BOX) == {"head"}
