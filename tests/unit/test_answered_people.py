"""People whose points somebody placed: a person's box is the two corners, or is made; test_answers has whole forms."""

import pytest
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.tasks import answered_people

SKELETON = skeletons.named(("nose", "tail"))
NOSE = {"label": "nose", "x": 3, "y": 4}
CORNERS = [{"label": "top-left", "x": 20, "y": 2}, {"label": "bottom-right", "x": 1, "y": 30}]


def read(*listed: dict[str, object], nothing_here: bool = False):
    return answered_people.people(listed, (64, 48), SKELETON, nothing_here)


def test_a_person_has_all_points_and_the_box_that_the_corners_say_in_any_order() -> None:
    points = (KeyPoint("nose", 3, 4, "visible"), KeyPoint("tail", None, None, "outside"))
    assert read(NOSE) == one_person(points, (64, 48))
    (person,) = read(NOSE, *CORNERS)
    assert person.box == Box("person", 1, 2, 19, 28) and person.points == points and not person.derived


def test_nobody_is_an_answer_only_where_it_is_ticked() -> None:
    assert read(nothing_here=True) == ()
    for listed, said in (((), "'nothing-here' is not ticked"), (CORNERS[:1], "that is nobody")):
        with pytest.raises(InvalidInputError, match=said):
            read(*listed)


def test_a_point_is_placed_once_and_inside() -> None:
    for other, field in (
        (NOSE, "label"),
        ({**NOSE, "label": "nose #2", "y": 50}, "y"),
        ({**NOSE, "label": "ear"}, "label"),
    ):
        with pytest.raises(InvalidInputError, match=rf"keypoints\[1\]: field '{field}'"):
            read(NOSE, other)
