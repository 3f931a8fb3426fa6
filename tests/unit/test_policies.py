"""The accept policies behind a port: what stands beside a model, what a rule says, and that no others are known."""

from dataclasses import replace

import pytest
from accept_policies import KNOBS
from labelloop.contracts.errors import InvalidInputError
from labelloop.trust import policies
from labelloop.trust.policies import Rule


@pytest.mark.parametrize("name", ["fixed", "target-quality"])
def test_what_stands_beside_a_model_is_the_same_whichever_policy_the_stack_has(name):
    knobs = replace(KNOBS, target_mean_iou=0.7)
    assert policies.of(name).fit([(0.9, 0.9), (0.8, 0.6), (0.1, 0.1)], knobs) == {
        "policy": "target-quality",
        "target": 0.7,
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
