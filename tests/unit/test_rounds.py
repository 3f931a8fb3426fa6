"""What a round worked with: the rule that it pinned holds to its end, whatever the stack says by then."""

import pytest
from handling import MODEL, THRESHOLDS, crown, write_otherwise
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from labelloop.batch import rounds
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.store import immutable, storage
from labelloop.trust.policies import Rule

from tests.support import strategies

FILES = Files("week-1")
pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def thresholds_uri() -> str:
    crown(threshold=0.5)
    return storage.uri(THRESHOLDS)


def pinned(thresholds_uri: str) -> dict:
    return {"model": MODEL, "thresholds_uri": thresholds_uri, **rounds.pin(FILES, 1, thresholds_uri, 100)}


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
        rounds.pin(FILES, 1, storage.uri("models/gone.json"), 100)


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
    assert rounds.rule(pin) == Rule(None, f"target-quality/0.8@{MODEL}/d1", 0.8)


def test_what_version_0_1_did_not_pin_is_the_stacks(thresholds_uri, change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.7")
    change_setting("KEEP_CONFIDENCE", "0.4")
    pin = {"model": MODEL, "thresholds_uri": thresholds_uri}
    assert rounds.rule(pin) == Rule(0.7, f"fixed/0.7@{MODEL}") and rounds.label_rule(pin) == LabelRule(0.4)


def begun(number: int, model: str, **fitted: object) -> dict:
    """What the round pins that begins with this model."""
    key = f"models/{model}/thresholds/d1.json"
    immutable.create_json(key, {"target": 0.7, "dataset": "d1", "accept": 0.5, **fitted})
    pin = {"model": model, **rounds.pin(FILES, number, storage.uri(key), 100 - number)}
    return immutable.create_json(FILES.round(number), pin)


def test_two_rounds_of_a_batch_may_accept_and_a_resume_gets_no_third(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    good = [[number / 60, 0.95] for number in range(60)]
    pins = [begun(number, f"v{number}", scored=good) for number in (1, 2, 3)]
    assert [pin["alpha"] for pin in pins] == [0.025, 0.025, 0]
    assert [pin["open"] for pin in pins] == [99, 98, 97]
    told = [rounds.rule(pin) for pin in pins]
    assert [rule.threshold is not None for rule in told] == [True, True, False]
    assert told[2].promise.startswith("Nothing more is accepted: the rounds of this batch that may accept")
    assert [rounds.may_accept(FILES, number) for number in (0, 1, 2, 3)] == [True, True, False, False]


def test_how_many_rounds_may_accept_is_settled_by_the_first_pin_whatever_a_resume_estimates(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    storage.write_json(FILES.estimate, {"accepting_rounds": 1})
    assert rounds.accepting_rounds(FILES, 1) == 1
    assert begun(1, "v1")["alpha"] == 0.05
    storage.write_json(FILES.estimate, {"accepting_rounds": 2})
    assert rounds.accepting_rounds(FILES, 2) == 1 and begun(2, "v2")["alpha"] == 0


def test_the_same_model_and_judge_images_are_asked_for_nothing(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    first = begun(1, "v1")
    again = rounds.pin(FILES, 2, first["thresholds_uri"], 40)
    assert (again["alpha"], again["open"]) == (0.025, 99)
    change_setting("TARGET_MEAN_IOU", "0.6")
    assert rounds.pin(FILES, 2, first["thresholds_uri"], 40)["open"] == 40, "another target is another question"


def test_what_is_no_promise_may_accept_in_every_round(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    for number in (1, 2):
        begun(number, f"v{number}")
    assert not rounds.may_accept(FILES, 2)
    change_setting("JUDGE_FUNCTION_ARN", "arn:aws:lambda:us-east-1:123456789012:function:mine")
    assert rounds.may_accept(FILES, 2)
    change_setting("JUDGE_FUNCTION_ARN", "")
    change_setting("ACCEPT_POLICY", "target-quality")
    assert rounds.may_accept(FILES, 2)
