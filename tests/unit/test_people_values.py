"""The value of a key-point attribute; whole lines of it: test_key_point_lines.py."""

import json

import pytest
from hypothesis import given
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.people_values import people_value, read_people
from marked_people import NAMES, person

from tests.support import strategies
from tests.support.strategies import KEY_POINTS

TWO = (person(1, 2, 30, 40, (5, 6), (7, 8, "occluded")), person(50, 2, 20, 20, None, (60, 10), derived=True))


@given(strategies.people(confidence=strategies.st.none()))
def test_people_are_read_as_they_were_written(people) -> None:
    value = json.loads(json.dumps(people_value(640, 480, people, KEY_POINTS)))
    assert read_people(value, {}, KEY_POINTS, "line 1") == people


def test_points_of_a_person_follow_one_another_in_the_skeletons_order() -> None:
    value = people_value(100, 60, TWO, NAMES)
    assert [(each["person"], each["class_id"]) for each in value["annotations"]] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip
    assert value["people"] == [
        {"left": 1, "top": 2, "width": 30, "height": 40},
        {"left": 50, "top": 2, "width": 20, "height": 20, "derived": True},
    ]


def test_points_without_a_number_are_the_first_persons() -> None:
    value = people_value(100, 60, TWO[:1], NAMES)
    for each in value["annotations"]:
        del each["person"]
    assert read_people(value, {}, NAMES, "line 1") == TWO[:1]


def test_points_of_somebody_who_has_no_box_are_refused() -> None:
    value = people_value(100, 60, TWO, NAMES)
    with pytest.raises(InvalidInputError, match="line 1: field 'person' is 1, but field 'people' lists 1 boxes"):
        read_people({**value, "people": value["people"][:1]}, {}, NAMES, "line 1")
    with pytest.raises(
        InvalidInputError, match="field 'people' must be a list of boxes, because there are points of sev"
    ):
        read_people({**value, "people": None}, {}, NAMES, "line 1")
    with pytest.raises(InvalidInputError, match="at most 10,000"):
        read_people({**value, "people": value["people"] * 5001}, {}, NAMES, "line 1")
