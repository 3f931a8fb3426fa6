"""What a round worked with: the rule that it pinned holds to its end, whatever the stack says by then."""

import pytest
from handling import MODEL, THRESHOLDS, crown, write_otherwise
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from labelloop.batch import rounds
from labelloop.contracts.label_rules import LabelRule
from labelloop.store import storage
from labelloop.trust.policies import Rule

from tests.support import strategies

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def thresholds_uri() -> str:
    crown(threshold=0.5)
    return storage.uri(THRESHOLDS)


def pinned(thresholds_uri: str) -> dict:
    return {"model": MODEL, "thresholds_uri": thresholds_uri, **rounds.pin(thresholds_uri)}


def test_a_round_without_a_model_has_no_rule() -> None:
    assert rounds.rule({"model": "", "thresholds_uri": ""}) is None


@pytest.mark.parametrize("policy", ["fixed", "target-quality"])
def test_what_a_round_pinned_holds_when_the_stack_changes_its_settings(thresholds_uri, change_setting, policy) -> None:
    change_setting("ACCEPT_POLICY", policy)
    change_setting("ACCEPT_THRESHOLD", "0.6")
    pin = pinned(thresholds_uri)
    before = rounds.rule(pin), rounds.label_rule(pin)
    assert before[0] == Rule(0.6, f"fixed/0.6@{MODEL}") if policy == "fixed" else before[0].threshold == 0.5
    assert before[1] == LabelRule(0.25)
    change_setting("ACCEPT_POLICY", "fixed" if policy == "target-quality" else "target-quality")
    change_setting("ACCEPT_THRESHOLD", "0.9")
    change_setting("KEEP_CONFIDENCE", "0.8")
    assert (rounds.rule(pin), rounds.label_rule(pin)) == before


@pytest.mark.parametrize("policy", ["fixed", "target-quality"])
def test_a_round_does_not_begin_with_a_model_whose_label_rule_is_lost(change_setting, policy) -> None:
    change_setting("ACCEPT_POLICY", policy)
    with pytest.raises(storage.MissingObjectError, match="gone"):
        rounds.pin(storage.uri("models/gone.json"))


def test_a_round_pins_the_label_rule_that_was_fitted_to_its_model() -> None:
    rule = LabelRule(0.35, 0.5, 1.5, 4)
    fitted = {"target": 0.8, "dataset": "d1", "accept": 0.55, "label_rule": rule.to_json()}
    write_otherwise(THRESHOLDS, [fitted])
    assert rounds.label_rule(pinned(storage.uri(THRESHOLDS))) == rule


@given(strategies.confidences)
@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_version_0_1_fitted_says_what_a_label_is_and_accepts_none_because_scores_were_others(
    change_setting, confidence
) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    fitted = {"target": 0.8, "dataset": "d1", "accept": 0.55, "keep_confidence": confidence}
    write_otherwise(THRESHOLDS, [fitted])
    pin = pinned(storage.uri(THRESHOLDS))
    assert rounds.label_rule(pin) == LabelRule(confidence)
    assert rounds.rule(pin) == Rule(None, f"target-quality/0.8@{MODEL}/d1")


def test_what_version_0_1_did_not_pin_is_the_stacks(thresholds_uri, change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.7")
    change_setting("KEEP_CONFIDENCE", "0.4")
    pin = {"model": MODEL, "thresholds_uri": thresholds_uri}
    assert rounds.rule(pin) == Rule(0.7, f"fixed/0.7@{MODEL}") and rounds.label_rule(pin) == LabelRule(0.4)
