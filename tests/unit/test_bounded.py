"""Policies with a bound fail closed, say why, what is missing for more, and what could be reached instead."""

import math
from dataclasses import replace

import pytest
from accept_policies import KNOBS
from hypothesis import given
from hypothesis import strategies as st
from judge_images import alike, drawn
from labelloop.contracts.errors import InvalidInputError
from labelloop.trust import policies
from labelloop.trust.policies.bounded import FEWEST_JUDGES, Terms, eligible
from labelloop.trust.policies.evidence import TARGETS

PIN = {"model": "m", "target": 0.7, "alpha": 0.025, "open": 400}
BOTH = pytest.mark.parametrize("name", ["certified", "strict"])


def rule(name, scored, **pinned):
    return policies.of(name).of_round(PIN | pinned, KNOBS, lambda: {"scored": scored, "dataset": "d1"})


@BOTH
@pytest.mark.parametrize("scored", [None, [[0.5, math.nan]] * 60, [[0.5]] * 60])
def test_without_usable_figures_nothing_is_accepted(name, scored):
    told = rule(name, scored)
    assert told.threshold is None and not told.accepts(1.0)
    assert told.promise.startswith("Nothing is accepted: no usable figures of judge images") and told.target == 0.7


@BOTH
def test_a_record_of_version_0_1_has_no_figures(name):
    old = {"target": 0.8, "accept": 0.3, "dataset": "d1"}
    assert policies.of(name).of_round(PIN, KNOBS, lambda: old).threshold is None


@BOTH
def test_49_perfect_judge_images_are_too_few(name):
    told = rule(name, alike(49, 1.0))
    assert told.threshold is None and "49 judge images" in told.promise and "Missing: 1;" in told.promise
    assert rule(name, alike(FEWEST_JUDGES, 1.0)).threshold is not None


@BOTH
@pytest.mark.parametrize("pinned", [{"alpha": 0.0}, {"alpha": -0.1}])
def test_without_alpha_nothing_more_is_accepted(name, pinned):
    told = rule(name, alike(500, 1.0), **pinned)
    assert told.threshold is None and told.promise.startswith("Nothing more is accepted")
    without = {key: value for key, value in PIN.items() if key != "alpha"}
    assert policies.of(name).of_round(without, KNOBS, lambda: {"scored": alike(500, 1.0)}).threshold is None


@BOTH
def test_a_target_out_of_reach_says_so_and_which_one_is_not(name):
    told = rule(name, drawn(500), target=0.9)
    assert told.threshold is None and "below the target of 0.90" in told.promise
    assert "More judge images will not help: a better model or another target will." in told.missing
    assert "The highest target that it can reach now is 0.70" in told.missing
    hopeless = rule(name, alike(200, 0.1))
    assert hopeless.threshold is None and hopeless.missing.endswith("It can reach no target of 0.30 or more now.")


@BOTH
def test_where_the_target_is_near_it_says_how_many_judge_images_would_do(name):
    told = rule(name, drawn(60, seed=3), target=0.72)
    assert told.threshold is None and "not surely above the target of 0.72" in told.promise
    assert told.missing.startswith("About ") and "(60 now)" in told.missing


@BOTH
def test_where_all_is_accepted_nothing_is_missing(name):
    told = rule(name, alike(500, 0.95))
    assert told.threshold is not None and told.threshold < 0.05 and told.missing == ""


@BOTH
def test_the_version_says_what_the_threshold_came_from(name):
    assert rule(name, alike(500)).version == f"{name}/0.7/0.025/400@m/d1"


@BOTH
@given(st.integers(0, 400), st.integers(1, 50), st.floats(0.3, 0.95))
def test_what_is_accepted_are_whole_ties_and_a_higher_target_accepts_no_more(name, count, seed, target):
    scored = [(round(score, 1), quality) for score, quality in drawn(count, seed)]
    lower, higher = rule(name, scored, target=target), rule(name, scored, target=min(target + 0.05, 1.0))
    assert lower.threshold is None or lower.threshold in {score for score, _ in scored}
    if name == "certified" and higher.threshold is not None:
        assert lower.threshold is not None and lower.threshold <= higher.threshold


@BOTH
def test_what_stands_beside_a_model_tells_people_at_once(name):
    fitted = policies.of(name).fit(drawn(500), replace(KNOBS, target_mean_iou=0.9))
    assert (fitted["policy"], fitted["target"], fitted["accept"], fitted["accepted"]) == (name, 0.9, None, 0)
    assert [target for target, _ in fitted["attainable"]] == list(TARGETS)
    shares = [share for _, share in fitted["attainable"]]
    assert shares[0] > 0.9 and shares[-1] == 0 and all(0 <= share <= 1 for share in shares)
    assert fitted["outlook"].startswith("Nothing is accepted") and "another target will" in fitted["outlook"]
    reached = policies.of(name).fit(drawn(500), replace(KNOBS, target_mean_iou=0.6))
    assert reached["accepted"] > 0 and reached["mean_quality"] >= 0.6 and reached["accept"] is not None


@BOTH
def test_figures_that_are_none_stop_the_fitting(name):
    with pytest.raises(InvalidInputError, match="judge images"):
        policies.of(name).fit([(0.5, math.nan)] * 60, KNOBS)


def test_a_handful_of_images_does_not_stand_for_a_share():
    assert [step.images for step in eligible(alike(20))] == list(range(15, 21))
    assert eligible(alike(200))[0].images == 60


def test_terms_are_those_of_the_pin():
    assert Terms.pinned(PIN, KNOBS) == Terms(0.7, 0.025, 400)
    assert Terms.pinned({}, KNOBS) == Terms(KNOBS.target_mean_iou, 0.0, 0)
    assert Terms(0.7, 0.025).certainty == "97.5 %"
