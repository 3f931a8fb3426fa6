"""The accept policies behind a port: what stands beside a model, what a rule says, and that no others are known."""

from dataclasses import replace

import pytest
from accept_policies import KNOBS
from judge_images import drawn
from labelloop.contracts.errors import InvalidInputError
from labelloop.trust import policies
from labelloop.trust.policies import Rule

ALL = ["certified", "strict", "target-quality", "fixed"]


@pytest.mark.parametrize("name", ALL)
def test_every_policy_leaves_the_same_fields_beside_a_model(name):
    fitted = policies.of(name).fit(drawn(100), replace(KNOBS, target_mean_iou=0.6))
    assert list(fitted) == [
        *("policy", "target", "accept", "images", "accepted", "mean_quality", "attainable", "outlook")
    ]
    assert fitted["policy"] == name and fitted["target"] == 0.6 and fitted["images"] == 100 and fitted["outlook"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("other", ALL)
def test_whatever_policy_the_stack_had_another_finds_what_it_needs_beside_the_model(name, other):
    pin = {"model": "m", "target": 0.6, "alpha": 0.025, "open": 400, "accept_threshold": 0.3}
    scored = [list(pair) for pair in drawn(500)]
    fitted = {**policies.of(name).fit(drawn(500), KNOBS), "dataset": "d1", "scored": scored}
    rule = policies.of(other).of_round(pin, KNOBS, lambda: fitted)
    assert rule.threshold is not None and rule.version.startswith(f"{other}/") and rule.promise
    assert rule == policies.of(other).of_round(
        pin, KNOBS, lambda: {**policies.of(other).fit(drawn(500), KNOBS), "dataset": "d1", "scored": scored}
    )


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("score", [0.0, 0.4999, 0.5, 1.0])
def test_a_rule_says_why(threshold, score):
    rule = Rule(threshold, "p")
    assert rule.accepts(score) == (threshold is not None and score >= threshold)
    assert rule.explain(score) == ("score-reaches-threshold" if rule.accepts(score) else "score-below-threshold")


def test_a_policy_that_a_newer_version_pinned_is_not_taken_for_another():
    with pytest.raises(
        InvalidInputError, match=r"'clairvoyant' is none of certified, strict, target-quality, fixed: if"
    ):
        policies.of("clairvoyant")
