import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.tasks.people_quality import people_quality, person_quality
from marked_people import NAMES, person

from tests.support import strategies

ONE = person(100, 100, 100, 100, (120, 130), (140, 150, "occluded"))
OTHER = person(300, 100, 100, 100, (320, 130), (340, 150, "occluded"))
people = strategies.people(confidence=st.none())


@given(people, people)
def test_quality_is_symmetric_within_0_and_1_and_1_for_the_truth(one, other) -> None:
    quality = people_quality(one, other)
    assert 0 <= quality <= 1
    assert people_quality(other, one) == pytest.approx(quality, abs=1e-12)


@given(people, st.randoms(use_true_random=False))
def test_the_truth_is_of_quality_1_in_any_order(truth, random) -> None:
    distinct = list({(each.box.left, each.box.top, each.box.width, each.box.height): each for each in truth}.values())
    assert people_quality(random.sample(distinct, len(distinct)), distinct) == pytest.approx(1)


def test_nobody_labelled_where_nobody_is_is_right_and_a_person_too_many_or_too_few_costs_a_share() -> None:
    assert people_quality([], []) == 1
    assert people_quality([ONE], []) == people_quality([], [ONE]) == 0
    assert people_quality([ONE], [ONE, OTHER]) == people_quality([OTHER, ONE], [ONE]) == 0.5


def test_people_are_matched_by_their_boxes_never_by_their_order_or_points() -> None:
    assert people_quality([OTHER, ONE], [ONE, OTHER]) == 1
    elsewhere = replace(ONE, box=OTHER.box)
    assert people_quality([elsewhere], [ONE]) == 0, "right points in a box that is elsewhere"


def test_a_point_counts_by_closeness_and_only_with_the_right_visibility() -> None:
    area, sigma, off = 0.53 * 100 * 100, 0.1, 10
    near = replace(ONE, points=(replace(ONE.points[0], x=120 + off), *ONE.points[1:]))
    closeness = math.exp(-(off**2) / (2 * area * (2 * sigma) ** 2))
    assert person_quality(near, ONE) == pytest.approx((closeness + 1 + 1) / 3)
    seen = replace(ONE, points=(ONE.points[0], replace(ONE.points[1], visibility="visible"), ONE.points[2]))
    assert person_quality(seen, ONE) == pytest.approx(2 / 3)
    missed = replace(ONE, points=(replace(ONE.points[0], x=None, y=None, visibility="outside"), *ONE.points[1:]))
    assert person_quality(missed, ONE) == pytest.approx(2 / 3)


def test_the_skeleton_says_how_near_is_near_and_the_file_how_large_the_person_is() -> None:
    off = replace(ONE, points=(replace(ONE.points[0], x=125), *ONE.points[1:]))
    strict = replace(skeletons.named(NAMES), sigmas=(0.01, 0.1, 0.1))
    assert person_quality(off, ONE, strict) < person_quality(off, ONE) < 1
    assert person_quality(off, replace(ONE, area=100.0)) < person_quality(off, ONE)
    assert person_quality(replace(off, area=100.0), ONE) == person_quality(off, replace(ONE, area=100.0))


def test_a_point_that_nobody_labelled_says_nothing() -> None:
    unknown = replace(ONE, points=tuple(replace(p, x=None, y=None, visibility="unlabelled") for p in ONE.points))
    half = replace(ONE, points=(*unknown.points[:2], ONE.points[2]))
    assert person_quality(ONE, unknown) == person_quality(ONE, half) == 1
    wrong = replace(ONE, points=(*ONE.points[:2], replace(ONE.points[2], x=1.0, y=1.0, visibility="visible")))
    assert person_quality(wrong, half) == 0


def test_points_that_only_one_of_two_people_has_are_wrong() -> None:
    assert person_quality(replace(ONE, points=ONE.points[:2]), ONE) == pytest.approx(2 / 3)
