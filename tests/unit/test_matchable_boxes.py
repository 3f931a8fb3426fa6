"""Who is whom where one label has drawn boxes and another none: an upright person is the same by the points."""

from dataclasses import replace

import made_up_people
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.tasks import matchable_boxes, visibility
from labelloop.tasks.consolidation_people import fuse_people
from labelloop.tasks.key_points import KeyPoints
from labelloop.tasks.people_quality import people_quality

from tests.support import strategies

SIZE = (640, 480)
PLACES = {"nose": (105.0, 110.0), "left_eye": (110.0, 105.0), "right_eye": (100.0, 105.0), "left_ear": (115.0, 107.0)}
POINTS = tuple(KeyPoint(name, *PLACES.get(name, (95.0, 107.0)), "visible") for name in made_up_people.SKELETON.names)
UPRIGHT = Person(Box("person", 80, 95, 70, 265), POINTS)  # far taller than the head, whose points are known
SQUARE = replace(UPRIGHT, box=derived_box(POINTS, SIZE), derived=True)


def test_drawn_boxes_are_compared_as_they_are() -> None:
    assert matchable_boxes.of([UPRIGHT], [replace(UPRIGHT)]) == [[UPRIGHT.box], [UPRIGHT.box]]


def test_a_drawn_and_a_derived_box_of_one_person_are_one_by_the_points() -> None:
    one, other = matchable_boxes.of([UPRIGHT], [SQUARE])
    assert one == other
    assert people_quality([UPRIGHT], [SQUARE]) == people_quality([SQUARE], [UPRIGHT]) == 1
    assert KeyPoints().found([UPRIGHT], [SQUARE]) == {0}


def test_people_of_workers_who_drew_a_box_and_who_drew_none_are_one_with_the_drawn_box() -> None:
    for answers in ({"a": [UPRIGHT], "b": [SQUARE]}, {"a": [SQUARE], "b": [UPRIGHT], "c": [SQUARE]}):
        ((fused,),) = fuse_people([answers], [SIZE], made_up_people.SKELETON.names, dict.fromkeys(answers, 0.7))
        assert not fused.person.derived and fused.person.box.height == 265


def test_what_a_model_sees_of_a_person_without_a_drawn_box_is_judged() -> None:
    points = tuple(SeenPoint(at.label, at.x or 0, at.y or 0, 0.9, 0.9) for at in POINTS)
    seen = SeenPerson(replace(UPRIGHT.box, confidence=0.9), points)
    truth = replace(made_up_people.truth(1), marks=(SQUARE,))
    prediction = replace(made_up_people.seen(truth), marks=(seen,))
    judged = visibility.judged_points([prediction], [truth])
    assert all(point.seen is not None for point in judged[truth.source_ref])


def test_who_has_no_placed_point_keeps_the_box() -> None:
    nowhere = replace(UPRIGHT, points=tuple(KeyPoint(at.label, None, None, "outside") for at in POINTS))
    ((_, kept),) = matchable_boxes.of([SQUARE, nowhere])
    assert kept == nowhere.box


@given(strategies.people(confidence=st.none()), strategies.people(confidence=st.none()))
def test_quality_stays_symmetric_whoever_drew_boxes(ones, others) -> None:
    derived = [replace(each, derived=True) for each in others]
    assert people_quality(ones, derived) == pytest.approx(people_quality(derived, ones))
    assert 0 <= people_quality(ones, derived) <= 1
