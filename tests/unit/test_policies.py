"""The accept policies: what each is fitted to, which rule it gives a round, and that none is known but those."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.settings import Settings
from labelloop.trust import policies
from labelloop.trust.policies import Rule
from labelloop.trust.policies.target_quality import fit_threshold

from tests.support import strategies
from tests.unit.made_up_stack import SETTINGS

KNOBS = replace(Settings.from_environment(SETTINGS), accept_threshold=0.6, keep_confidence=0.4, calibration_minimum=2)

scored = st.lists(st.tuples(strategies.confidences, strategies.confidences), max_size=30)


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
def test_an_impossible_calibration_figure_is_refused(pair):
    with pytest.raises(InvalidInputError, match="quality"):
        fit_threshold([(0.5, 0.5), pair], 0.5)


def nothing() -> Any:
    raise AssertionError("this policy needs nothing that stands beside the model")


def test_a_fixed_threshold_is_the_one_that_the_round_pinned_and_reads_nothing_beside_the_model():
    fixed = policies.of("fixed")
    assert fixed.of_round({"model": "m", "accept_threshold": 0.7}, KNOBS, nothing) == Rule(0.7, "fixed/0.7@m")
    assert fixed.of_round({"model": "m"}, KNOBS, nothing) == Rule(0.6, "fixed/0.6@m"), "version 0.1 pinned none"
    assert fixed.keep_confidence(KNOBS, nothing) == 0.4


def test_a_fitted_threshold_stands_beside_the_model_with_the_confidence_that_it_was_fitted_with():
    policy = policies.of("target-quality")
    fitted = {"target": 0.8, "dataset": "d1", "accept": 0.55, "keep_confidence": 0.3}
    assert policy.of_round({"model": "m"}, KNOBS, lambda: fitted) == Rule(0.55, "target-quality/0.8@m/d1")
    assert policy.keep_confidence(KNOBS, lambda: fitted) == 0.3
    assert policy.keep_confidence(KNOBS, lambda: {"target": 0.8}) == 0.4, "of version 0.1"


@pytest.mark.parametrize("name", ["fixed", "target-quality"])
def test_what_stands_beside_a_model_is_the_same_whichever_policy_the_stack_has(name):
    knobs = replace(KNOBS, target_mean_iou=0.7)
    assert policies.of(name).fit([(0.9, 0.9), (0.8, 0.6), (0.1, 0.1)], knobs) == {
        "policy": "target-quality",
        "target": 0.7,
        "keep_confidence": 0.4,
        "accept": 0.8,
        "images": 3,
        "accepted": 2,
        "mean_quality": 0.75,
    }


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("score", [0.0, 0.4999, 0.5, 1.0])
def test_a_rule_says_why(threshold, score):
    rule = Rule(threshold, "p")
    assert rule.accepts(score) == (threshold is not None and score >= threshold)
    assert rule.explain(score) == ("score-reaches-threshold" if rule.accepts(score) else "score-below-threshold")


def test_a_policy_that_a_newer_version_pinned_is_not_taken_for_another():
    with pytest.raises(InvalidInputError, match=r"'certified' is none of fixed, target-quality: if a newer"):
        policies.of("certified")
