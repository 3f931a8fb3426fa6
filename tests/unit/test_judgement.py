import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.trust.judgement import Candidate, image_score, judge
from labelloop.trust.policies import Rule
from seen_boxes import seen

from tests.support import strategies

KEEP = LabelRule(0.4)
FIXED = Rule(0.7, "fixed/0.7@v1")


def candidate(ref, draw=0.5, sampled=False, prediction=None):
    return Candidate(ref, draw, sampled, 0.1, prediction)


@st.composite
def batches(draw):
    predictions = (
        st.none() | strategies.predictions() | st.just(Prediction("", "rejected", None, None, "v1", (), "empty"))
    )
    draws = st.integers(0, 8).map(lambda step: step / 9)
    count = draw(st.integers(0, 12))
    return [candidate(f"s3://b/{n}", draw(draws), draw(st.booleans()), draw(predictions)) for n in range(count)]


rules = st.none() | st.builds(Rule, st.none() | strategies.confidences, st.just("p1"))


@given(batches(), rules, st.integers(0, 14), st.randoms())
def test_every_candidate_gets_one_decision_whatever_the_order(candidates, rule, budget, random):
    decisions = judge(candidates, rule, budget, 3, KEEP)
    assert [decision.source_ref for decision in decisions] == sorted(c.source_ref for c in candidates)
    assert judge(random.sample(candidates, len(candidates)), rule, budget, 3, KEEP) == decisions
    assert all(
        decision.round == 3 and decision.inclusion_probability == 0.1 and decision.reasons for decision in decisions
    )


@given(batches(), rules, st.integers(0, 14))
def test_the_rules_hold_for_every_batch(candidates, rule, budget):
    by_ref = {c.source_ref: c for c in candidates}
    decisions = judge(candidates, rule, budget, 1, KEEP)
    human = [d for d in decisions if d.decision == "human"]
    deferred = [d for d in decisions if d.decision == "deferred"]
    sampled = sum(by_ref[d.source_ref].sampled for d in human + deferred)
    assert len(human) == min(max(budget, sampled), len(human) + len(deferred))
    assert not any(by_ref[d.source_ref].sampled for d in deferred)
    for decision in decisions:
        asked = by_ref[decision.source_ref]
        prediction = asked.prediction if rule else None
        refused = prediction is not None and prediction.status == "rejected"
        assert (decision.decision == "rejected") == refused
        scored = prediction is not None and not refused
        assert decision.score == (image_score(prediction, KEEP) if scored else None)
        accepted = scored and not asked.sampled and rule.accepts(decision.score)
        assert (decision.decision == "auto") == accepted
        assert ("over-budget" in decision.reasons) == (decision.decision == "deferred")
        assert ("random-sample" in decision.reasons) == (asked.sampled and not refused)
    # Nobody waits behind somebody less urgent.
    for chosen in human:
        for waiting in deferred:
            first, second = by_ref[chosen.source_ref], by_ref[waiting.source_ref]
            if first.sampled == second.sampled and (first.sampled or rule is None):
                assert first.draw <= second.draw
            elif first.sampled == second.sampled:
                assert (-1 if chosen.score is None else chosen.score) <= (
                    -1 if waiting.score is None else waiting.score
                )
            else:
                assert first.sampled


def test_a_round_with_a_model():
    candidates = [
        candidate("a-sure", prediction=seen(0.95)),
        candidate("b-sampled", sampled=True, draw=0.01, prediction=seen(0.99)),
        candidate("c-unsure", prediction=seen(0.5)),
        candidate("d-least-sure", prediction=seen(0.45)),
        candidate("e-unseen"),
        candidate("f-refused", prediction=Prediction("f-refused", "rejected", None, None, "v1", (), "truncated")),
    ]
    decisions = judge(candidates, FIXED, 3, 2, KEEP)
    assert [(d.decision, d.reasons) for d in decisions] == [
        ("auto", ("score-reaches-threshold",)),
        ("human", ("random-sample",)),
        ("deferred", ("score-below-threshold", "over-budget")),
        ("human", ("score-below-threshold",)),
        ("human", ("no-prediction",)),
        ("rejected", ("truncated",)),
    ]
    assert {d.policy for d in decisions} == {"fixed/0.7@v1"}
    assert decisions[1].score == 0.99


def test_a_cold_start_asks_in_draw_order_the_sample_first():
    candidates = [candidate("a", 0.9), candidate("b", 0.2), candidate("c", 0.1, sampled=True), candidate("d", 0.3)]
    decisions = judge(candidates, None, 2, 1, KEEP)
    assert [d.decision for d in decisions] == ["deferred", "human", "human", "deferred"]
    assert decisions[2].reasons == ("random-sample", "cold-start")
    assert {(d.policy, d.score) for d in decisions} == {("cold-start", None)}


@pytest.mark.parametrize("rule", [None, FIXED])
def test_the_sample_goes_to_people_whole_where_it_is_larger_than_the_budget(rule):
    sample = [candidate(f"s{n}", n / 9, sampled=True, prediction=seen(0.9)) for n in range(5)]
    others = [candidate(f"t{n}", prediction=seen(0.5)) for n in range(3)]
    decided = {d.source_ref[0]: set() for d in judge([*sample, *others], rule, 2, 1, KEEP)}
    for decision in judge([*sample, *others], rule, 2, 1, KEEP):
        decided[decision.source_ref[0]].add(decision.decision)
    assert decided == {"s": {"human"}, "t": {"deferred"}}


@pytest.mark.parametrize("threshold", [None, float("nan")])
def test_without_a_usable_threshold_nothing_is_accepted(threshold):
    (decision,) = judge([candidate("a", prediction=seen(1.0))], Rule(threshold, "t"), 0, 1, KEEP)
    assert decision.decision == "deferred"


def test_impossible_rounds_are_refused():
    with pytest.raises(ValueError, match="budget"):
        judge([], None, -1, 1, KEEP)
    with pytest.raises(InvalidInputError, match="source-ref"):
        judge([candidate("a"), candidate("a", 0.1)], None, 1, 1, KEEP)
