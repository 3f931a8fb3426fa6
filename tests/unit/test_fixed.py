"""The policy `fixed`: the threshold that a person has set, to the end of the round that was begun with it."""

from dataclasses import replace

from accept_policies import KNOBS, nothing
from hypothesis import given
from labelloop.trust import policies
from labelloop.trust.policies import Rule
from labelloop.trust.policies.fixed import Fixed

from tests.support import strategies


def test_a_fixed_threshold_is_the_one_that_the_round_pinned_and_reads_nothing_beside_the_model():
    fixed = policies.of("fixed")
    assert fixed.of_round({"model": "m", "accept_threshold": 0.7}, KNOBS, nothing) == Rule(0.7, "fixed/0.7@m")
    assert fixed.of_round({"model": "m"}, KNOBS, nothing) == Rule(0.6, "fixed/0.6@m"), "version 0.1 pinned none"


@given(strategies.confidences, strategies.confidences, strategies.confidences)
def test_what_the_stack_says_meanwhile_changes_nothing_in_a_round_that_was_begun(pinned, meanwhile, score):
    pin = {"model": "m", "accept_threshold": pinned}
    rule = Fixed().of_round(pin, replace(KNOBS, accept_threshold=meanwhile), nothing)
    assert rule == Fixed().of_round(pin, KNOBS, nothing)
    assert rule.accepts(score) == (score >= pinned)


def test_labels_are_accepted_from_the_threshold_on_however_badly_the_model_did_on_judge_images():
    fitted = Fixed().fit([(0.9, 0.0)] * 9, KNOBS)
    assert (fitted["accept"], fitted["accepted"], fitted["mean_quality"]) == (0.6, 9, 0.0)
    assert "no promise" in fitted["outlook"] and fitted["attainable"] == []
    assert Fixed().of_round({"model": "m"}, KNOBS, lambda: fitted).accepts(0.6)
