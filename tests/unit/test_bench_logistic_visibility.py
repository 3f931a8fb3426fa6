"""The rule of visibility that thresholds are compared with: the likeliest one, drawn to what points have in common."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_points import made_up
from labelloop.contracts.records import SeenPoint
from labelloop.contracts.visibility_rules import VisibilityRule
from labelloop.tasks.visibility import JudgedPoint, cross_fitted, figures

from bench import logistic_visibility
from bench.logistic_visibility import IN_VIEW, VISIBLE, fit
from tests.support.strategies import confidences

examples = st.lists(
    st.tuples(st.builds(logistic_visibility._features, confidences, confidences), st.booleans()), max_size=15
)


@settings(deadline=None)
@given(examples, st.sampled_from([0.3, 1.0, 10.0]), st.integers(0, 2), st.sampled_from([-0.01, 0.01]))
def test_no_other_coefficients_are_likelier(listed, deviation, axis, off):
    found = logistic_visibility._likeliest(listed, VISIBLE, deviation)
    other = tuple(part + off * (place == axis) for place, part in enumerate(found))
    best, beside = (
        logistic_visibility._posterior(listed, each, VISIBLE, deviation**-2) for each in (tuple(found), other)
    )
    assert best >= beside


def test_without_a_point_the_rule_is_about_that_of_the_usual_thresholds():
    rule = fit({})
    assert (rule.in_view, rule.visible) == ({"": IN_VIEW}, {"": VISIBLE})
    for main, additional in ((0.9, 0.9), (0.9, 0.3), (0.2, 0.1), (0.2, 0.9)):
        assert rule.visibility("nose", main, additional) == VisibilityRule().visibility("nose", main, additional)


def test_points_of_missed_people_teach_nothing():
    assert fit({"a": [JudgedPoint("nose", "visible", None)]}) == fit({})


@pytest.mark.parametrize("images", [30, 300])
def test_it_learns_where_visible_points_part_from_occluded_ones(images):
    judged, fresh = made_up(1, images, visible=0.4, occluded=0.1), made_up(2, 300, visible=0.4, occluded=0.1)
    assert figures(fresh, fit(judged)).accuracy > figures(fresh, VisibilityRule()).accuracy + 0.3
    assert cross_fitted(judged, fit).accuracy > 0.85


def test_a_name_of_few_points_is_judged_as_all_are_and_one_of_many_by_its_own():
    def of(name, count, additional, kind):
        return [JudgedPoint(name, kind, SeenPoint(name, 0.0, 0.0, 0.9, additional))] * count

    many = of("nose", 300, 0.4, "visible") + of("nose", 300, 0.1, "occluded")
    odd = of("neck", 1, 0.4, "occluded")
    assert fit({"a": [*many, *odd]}).visibility("neck", 0.9, 0.4) == "visible"
    assert fit({"a": [*many, *odd * 300]}).visibility("neck", 0.9, 0.4) == "occluded"
    assert fit({"a": [*many, *odd * 300]}).visibility("nose", 0.9, 0.4) == "visible"
