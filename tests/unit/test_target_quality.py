"""The policy `target-quality`: the smallest score from which on labels are as good as asked for, if there is one."""

from dataclasses import replace

import pytest
from accept_policies import KNOBS
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.trust import policies
from labelloop.trust.policies import Rule
from labelloop.trust.policies.target_quality import TargetQuality, loosest

from tests.support import strategies

SCORED = [(0.9, 0.9), (0.8, 0.6), (0.1, 0.1)]
scored = st.lists(st.tuples(strategies.confidences, strategies.confidences), max_size=30)


def fit_threshold(pairs, target, minimum=20):
    step = loosest(pairs, target, minimum)
    return step.score if step else None


@given(scored, strategies.confidences, st.integers(1, 5), st.randoms())
def test_the_threshold_is_the_smallest_that_reaches_the_target(pairs, target, minimum, random):
    def reaches(threshold):
        accepted = [quality for score, quality in pairs if score >= threshold]
        return len(accepted) >= minimum and sum(accepted) / len(accepted) >= target - 1e-9

    expected = min((score for score, _ in pairs if reaches(score)), default=None)
    assert fit_threshold(pairs, target, minimum) == expected
    assert fit_threshold(random.sample(pairs, len(pairs)), target, minimum) == expected


def test_a_threshold_needs_enough_images():
    assert fit_threshold([(0.9, 1.0)] * 19, 0.8) is None
    assert fit_threshold([(0.9, 1.0)] * 20, 0.8) == 0.9
    assert fit_threshold([(0.9, 0.9)] * 30, 0.9) == 0.9
    assert fit_threshold([], 0.0, 0) is None


@pytest.mark.parametrize("pair", [(float("nan"), 1), (0.5, float("nan")), (0.5, 1.2), (-0.1, 1)])
def test_an_impossible_figure_is_refused(pair):
    with pytest.raises(InvalidInputError, match="quality"):
        TargetQuality().fit([(0.5, 0.5), pair], KNOBS)


def test_a_rule_takes_the_threshold_that_stands_beside_the_model():
    policy = policies.of("target-quality")
    fitted = {"target": 0.8, "dataset": "d1", "accept": 0.55}
    assert policy.of_round({"model": "m"}, KNOBS, lambda: fitted) == Rule(0.55, "target-quality/0.8@m/d1", 0.8)


def test_a_round_takes_the_target_that_it_pinned():
    fitted = {**TargetQuality().fit(SCORED, replace(KNOBS, target_mean_iou=0.7)), "dataset": "d1", "scored": SCORED}
    fit_as_is, other = ({"model": "m", "target": target} for target in (0.7, 0.9))
    assert TargetQuality().of_round(fit_as_is, KNOBS, lambda: fitted) == Rule(0.8, "target-quality/0.7@m/d1", 0.7)
    told = TargetQuality().of_round(other, KNOBS, lambda: fitted)
    assert told == Rule(None, "target-quality/0.9@m/d1", 0.9) and told.promise.startswith("Nothing is accepted")


def test_it_promises_nothing():
    told = TargetQuality().fit(SCORED, replace(KNOBS, target_mean_iou=0.7))
    assert (told["accept"], told["images"], told["accepted"], told["mean_quality"]) == (0.8, 3, 2, 0.75)
    assert "No promise: in repeats on photographs" in told["outlook"]
    assert [share for target, share in told["attainable"] if target in (0.5, 0.75, 0.8)] == [1.0, 0.6667, 0.0]


@given(scored, strategies.confidences, st.integers(1, 5))
def test_what_is_kept_beside_a_model_counts_what_its_threshold_accepts(pairs, target, minimum):
    knobs = replace(KNOBS, target_mean_iou=target, judge_minimum=minimum)
    fitted = TargetQuality().fit(pairs, knobs)
    rule = TargetQuality().of_round({"model": "m"}, KNOBS, lambda: {**fitted, "dataset": "d1"})
    accepted = [quality for score, quality in pairs if rule.accepts(score)]
    assert (fitted["images"], fitted["accepted"]) == (len(pairs), len(accepted))
    if fitted["accept"] is None:
        assert fitted["mean_quality"] is None and not accepted
    else:
        assert len(accepted) >= minimum and fitted["mean_quality"] == pytest.approx(sum(accepted) / len(accepted))
        assert fitted["mean_quality"] >= target - 1e-9


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_model_whose_labels_never_reached_the_target_accepts_nothing(score):
    rule = TargetQuality().of_round({"model": "m"}, KNOBS, lambda: {"target": 0.8, "dataset": "", "accept": None})
    assert not rule.accepts(score) and rule.version == "target-quality/0.8@m/"
