import pytest
from hypothesis import given
from labelloop.contracts.person_boxes import LEAST_SIDE, derived_box, one_person
from labelloop.contracts.records import Box
from marked_people import point

from tests.support import strategies


def test_a_derived_box_is_a_square_round_the_middle_of_the_placed_points() -> None:
    points = [point("nose", 100, 100), point("left eye", 140, 110, "occluded"), point("right eye")]
    assert derived_box(points, (640, 480)) == Box("person", 88.0, 73.0, 64.0, 64.0), "one pixel is no extent"
    assert derived_box(points, (400, 300), 2.0) == Box("person", 80.0, 65.0, 80.0, 80.0)
    assert derived_box(points, (130, 300), 2.0) == Box("person", 80.0, 65.0, 50.0, 80.0), "clipped"


def test_without_a_placed_point_there_is_no_box_and_nobody() -> None:
    outside = [point("nose"), point("left eye", visibility="unlabelled")]
    assert derived_box(outside, (640, 480)) is None and one_person(outside, (640, 480)) == ()


def test_one_point_alone_has_a_box_of_a_share_of_the_image() -> None:
    box = derived_box([point("nose", 300, 200)], (640, 480))
    assert box is not None and (box.width, box.height) == pytest.approx((LEAST_SIDE * 640,) * 2)


@given(strategies.key_points())
def test_every_derived_box_has_an_area_lies_in_the_image_and_holds_the_points(points) -> None:
    for person in one_person(points, (40, 20)):
        box = person.box
        assert person.derived and person.points == points
        assert 0 <= box.left < box.left + box.width <= 40 and 0 <= box.top < box.top + box.height <= 20
        for each in points:
            if each.x is not None:
                assert box.left <= each.x <= box.left + box.width and box.top <= each.y <= box.top + box.height
