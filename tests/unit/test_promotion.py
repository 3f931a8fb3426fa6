from dataclasses import replace
from random import Random

import made_up_people
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.trust.promotion import Contender, GateSettings, compare

from tests.support.strategies import Seen

GATE = GateSettings(
    minimum_images=20, minimum_map50=0.5, tolerance=-0.05, usual_rule=LabelRule(0.25), seed=3, resamples=400,
)  # fmt: skip
STRICT = replace(GATE, rule="strict")


def judge(images):
    return [Seen(f"s3://b/{index:04d}", (Box("head", 100, 100, 100, 100),)) for index in range(images)]


def model(name, truths, shift, random, miss=0.0):
    """A model whose boxes lie about `shift` pixels off and that misses an object with probability `miss`."""
    predictions = []
    for truth in truths:
        boxes = [replace(box, left=box.left + random.gauss(shift, 6), confidence=0.9) for box in truth.marks]
        boxes = boxes if random.random() >= miss else []
        predictions.append(Prediction(truth.source_ref, "ok", 640, 480, name, tuple(boxes)))
    return Contender(name, "judge-1", predictions, 0.9)


def test_a_clearly_better_challenger_is_promoted_with_its_figures():
    random, truths = Random(1), judge(60)
    verdict = compare(model("new", truths, 0, random), model("old", truths, 25, random), truths, GATE)
    assert verdict.better
    assert 0 < verdict.lower_bound < verdict.difference < 1
    assert verdict.images == 60
    assert "new is better than the champion old" in verdict.reason
    assert verdict.challenger_map50 >= verdict.champion_map50


@given(st.integers(0, 10**6), st.floats(0, 60), st.floats(0, 0.5))
@settings(max_examples=25, deadline=None)
def test_identical_models_are_never_promoted(seed, shift, miss):
    truths = judge(25)
    one = model("a", truths, shift, Random(seed), miss)
    verdict = compare(one, one, truths, GATE)
    assert not verdict.better
    assert verdict.difference == verdict.lower_bound == 0


def promoted(trials, new_shift, old_shift, rule="better", images=40):
    truths, gate = judge(images), replace(GATE, resamples=200, rule=rule)
    return sum(
        compare(model("new", truths, new_shift, Random(2 * trial)),
                model("old", truths, old_shift, Random(2 * trial + 1)), truths, gate).better
        for trial in range(trials)
    )  # fmt: skip


def test_worse_challengers_are_rarely_promoted_and_better_ones_mostly():
    """Two pixels to the side cost .02 to .03 of quality here, eight .10."""
    assert promoted(40, 10, 12) >= 34
    assert promoted(40, 12, 10) <= 6
    assert promoted(40, 20, 10) == 0


def test_of_equal_models_either_may_serve():
    assert 30 <= promoted(100, 10, 10) <= 70


def test_a_strict_gate_asks_for_a_higher_map50():
    assert promoted(10, 10, 60, "strict") == 10
    assert promoted(20, 10, 10, "strict") <= 3
    truths = judge(40)
    sharper = compare(model("new", truths, 0, Random(1)), model("old", truths, 9, Random(2)), truths, STRICT)
    assert not sharper.better and "GateRule strict" in sharper.reason, "both find everything"
    assert compare(model("new", truths, 0, Random(1)), model("old", truths, 9, Random(2)), truths, GATE).better


def test_the_same_comparison_in_any_order_gives_the_same_verdict():
    truths = judge(30)
    new, old = model("new", truths, 5, Random(1)), model("old", truths, 8, Random(2))
    shuffled = replace(new, predictions=Random(9).sample(new.predictions, 30))
    assert compare(shuffled, old, Random(4).sample(truths, 30), GATE) == compare(new, old, truths, GATE)


def test_a_tolerance_bounds_what_may_be_lost_and_the_mean_must_be_higher_whatever_it_is():
    truths = judge(60)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 25, Random(2))
    bound = compare(new, old, truths, GATE).lower_bound
    assert not compare(new, old, truths, replace(GATE, tolerance=bound)).better
    worse = compare(old, new, truths, replace(GATE, tolerance=-1.0))
    assert not worse.better and worse.difference < 0


def test_each_model_is_compared_with_the_label_rule_that_fits_it():
    """Fainter boxes of a model that is as good are no worse labels."""
    truths = judge(40)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 8, Random(2))
    faint = [
        replace(each, marks=tuple(replace(box, confidence=0.15) for box in each.boxes)) for each in new.predictions
    ]
    assert compare(replace(new, predictions=faint), old, truths, GATE) == compare(new, old, truths, GATE)


def test_the_first_model_must_reach_the_minimum():
    truths = judge(30)
    good, poor = model("new", truths, 0, Random(1)), model("new", truths, 0, Random(1), miss=0.7)
    assert compare(good, None, truths, GATE).better
    verdict = compare(poor, None, truths, GATE)
    assert not verdict.better
    assert "does not reach" in verdict.reason
    assert verdict.challenger_map50 < 0.5


@pytest.mark.fault("H11")
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("metric", [None, float("nan"), float("inf"), -0.1])
def test_an_unusable_metric_fails_closed(metric, first):
    truths = judge(30)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 40, Random(2))
    assert compare(new, None if first else old, truths, GATE).better
    verdict = compare(replace(new, reported_map50=metric), None if first else old, truths, GATE)
    assert not verdict.better
    assert "no usable mAP50 for new" in verdict.reason
    assert not compare(new, replace(old, reported_map50=metric), truths, GATE).better


def test_incomparable_scores_fail_closed():
    truths = judge(30)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 40, Random(2))
    for verdict, reason in (
        (
            compare(new, replace(old, judge_version="judge-0"), truths, GATE),
            "judge version judge-1 and the champion old on",
        ),
        (compare(new, old, truths[:19], GATE), "19 judge images and 20 are required"),
        (compare(new, old, [], replace(GATE, minimum_images=0)), "0 judge images"),
        (
            compare(replace(new, predictions=new.predictions[1:]), old, truths, GATE),
            "new was not scored on 1 of the 30",
        ),
        (compare(new, replace(old, predictions=[]), truths, GATE), "old was not scored on 30"),
        (compare(new, old, [*truths, truths[0]], GATE), "twice"),
        (compare(new, None, [replace(truth, marks=()) for truth in truths], GATE), "no judge image has a mark"),
    ):
        assert not verdict.better
        assert reason in verdict.reason


def test_a_refused_gold_image_counts_as_an_empty_label():
    truths = judge(30)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 0, Random(2))
    refused = [Prediction(p.source_ref, "rejected", None, None, "new", (), "truncated") for p in new.predictions]
    verdict = compare(replace(new, predictions=refused), old, truths, GATE)
    assert not verdict.better
    assert verdict.challenger_map50 == 0


def test_a_class_that_would_be_lost_keeps_the_champion_however_good_the_challenger_is_on_average():
    """60 pictures, one object each; the last six are bags."""
    truths = [
        Seen(f"s3://b/{index:04d}", (Box("bag" if index >= 54 else "head", 100, 100, 100, 100),)) for index in range(60)
    ]
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 30, Random(2))
    assert compare(new, old, truths, GATE).better
    without = [replace(each, marks=()) if n >= 54 else each for n, each in enumerate(new.predictions)]
    for gate in (GATE, STRICT):
        verdict = compare(replace(new, predictions=without), old, truths, gate)
        assert not verdict.better
    verdict = compare(replace(new, predictions=without), old, truths, GATE)
    assert verdict.difference > 0, "on average it is better"
    assert "although its labels are better on average" in verdict.reason
    assert "of the 6 judge objects of class 'bag' it finds 0, the champion" in verdict.reason


def test_models_of_key_points_are_compared_by_their_people_and_by_the_skeleton() -> None:
    judges = [made_up_people.truth(number, people=1 + number % 3) for number in range(60)]
    skeleton = made_up_people.SKELETON
    good, bad = (
        Contender(name, "g1", [made_up_people.seen(truth, off, told, name) for truth in judges], 0.9)
        for name, off, told in (("good", 1.0, 0.9), ("bad", 25.0, 0.55))
    )
    gate = replace(GATE, skeleton=skeleton)
    verdict = compare(good, bad, judges, gate)
    assert verdict.better and verdict.difference is not None and verdict.difference > 0.3
    assert verdict.challenger_map50 == 1 and (verdict.champion_map50 or 0) < 0.9
    assert not compare(bad, good, judges, gate).better
    first = compare(bad, None, judges, replace(gate, minimum_map50=0.95))
    assert not first.better and "does not reach" in first.reason
    strict = compare(good, bad, judges, replace(gate, rule="strict"))
    assert strict.better
