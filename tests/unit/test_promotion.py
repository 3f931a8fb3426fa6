from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.records import Box, Prediction
from labelloop.trust.promotion import Contender, GateSettings, compare

from tests.support.strategies import Seen

GATE = GateSettings(
    minimum_images=20, minimum_map50=0.5, tolerance=0.0, label_rule=LabelRule(0.4), seed=3, resamples=400,
)  # fmt: skip


def judge(images):
    return [Seen(f"s3://b/{index:04d}", (Box("head", 100, 100, 100, 100),)) for index in range(images)]


def model(name, truths, shift, random, miss=0.0):
    """A model whose boxes lie about `shift` pixels off and that misses an object with probability `miss`."""
    predictions = []
    for truth in truths:
        boxes = [replace(box, left=box.left + random.gauss(shift, 6), confidence=0.9) for box in truth.boxes]
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


def test_worse_challengers_are_rarely_promoted_and_good_ones_mostly():
    truths = judge(40)

    def promoted(trials, new_shift, old_shift):
        gate = replace(GATE, resamples=200)
        return sum(
            compare(model("new", truths, new_shift, Random(2 * trial)),
                    model("old", truths, old_shift, Random(2 * trial + 1)), truths, gate).better
            for trial in range(trials)
        )  # fmt: skip

    # 5 % of 200 is 10; 20 lies more than three standard deviations above.
    assert promoted(200, 10.5, 10) <= 20
    assert promoted(40, 10, 20) >= 36


def test_the_same_comparison_in_any_order_gives_the_same_verdict():
    truths = judge(30)
    new, old = model("new", truths, 5, Random(1)), model("old", truths, 8, Random(2))
    shuffled = replace(new, predictions=Random(9).sample(new.predictions, 30))
    assert compare(shuffled, old, Random(4).sample(truths, 30), GATE) == compare(new, old, truths, GATE)


def test_a_tolerance_is_asked_on_top():
    truths = judge(60)
    new, old = model("new", truths, 0, Random(1)), model("old", truths, 25, Random(2))
    bound = compare(new, old, truths, GATE).lower_bound
    assert not compare(new, old, truths, replace(GATE, tolerance=bound)).better


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
        (compare(new, None, [replace(truth, boxes=()) for truth in truths], GATE), "no judge image has a true box"),
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


def two_classes(rare, found_rare, common_shift, name, confidence=0.9):
    """60 pictures, one object each; the last `rare` are bags, of which the model finds so many."""
    truths, predictions = [], []
    for index in range(60):
        label = "bag" if index >= 60 - rare else "head"
        box = Box(label, 100, 100, 100, 100)
        truths.append(Seen(f"s3://b/{index:04d}", (box,)))
        seen = label == "head" or index < 60 - rare + found_rare
        shifted = replace(box, left=100 + (common_shift if label == "head" else 0), confidence=confidence)
        boxes = (shifted,) if seen else ()
        predictions.append(Prediction(truths[-1].source_ref, "ok", 640, 480, name, boxes))
    return Contender(name, "judge-1", predictions, 0.5), truths


@pytest.mark.fault("H10")
@pytest.mark.parametrize(
    ("rare", "before", "after", "better"),
    [
        (6, 6, 0, False),  # misses the class altogether
        (2, 2, 0, False),
        (12, 12, 6, False),  # six lost, none won: p = 1/64
        (12, 7, 2, False),  # five lost: p = 1/32
        (6, 3, 0, False),
        (1, 1, 0, True),  # a single object proves nothing
        (6, 6, 5, True),
        (12, 12, 8, True),  # four lost: p = 1/16
        (6, 0, 0, True),
        (6, 2, 6, True),
    ],
)
def test_a_challenger_that_loses_a_class_is_not_promoted_however_good_it_is_on_average(rare, before, after, better):
    new, truths = two_classes(rare, after, 0, "new")
    old, _ = two_classes(rare, before, 60 if rare > 6 else 30, "old")
    verdict = compare(new, old, truths, GATE)
    assert verdict.lower_bound > 0, "on average it is better"
    assert verdict.better is better, verdict.reason
    if not better:
        assert f"of the {rare} judge objects of class 'bag' it finds {after}, the champion {before}" in verdict.reason


def test_a_challenger_that_gives_a_rare_class_another_name_loses_the_class():
    new, truths = two_classes(6, 6, 0, "new")
    mistaken = [
        replace(each, boxes=tuple(replace(box, label="head") for box in each.boxes)) for each in new.predictions
    ]
    old, _ = two_classes(6, 6, 30, "old")
    verdict = compare(replace(new, predictions=mistaken), old, truths, GATE)
    assert not verdict.better and "class 'bag'" in verdict.reason


def test_a_class_below_the_keep_confidence_is_not_found():
    new, truths = two_classes(6, 6, 0, "new")
    faint = [
        replace(
            each, boxes=tuple(replace(box, confidence=0.1) for box in each.boxes if box.label == "bag") or each.boxes
        )
        for each in new.predictions
    ]
    old, _ = two_classes(6, 6, 30, "old")
    assert not compare(replace(new, predictions=faint), old, truths, GATE).better


@pytest.mark.parametrize(
    ("lost", "won", "better"), [(1, 0, True), (4, 0, True), (5, 0, False), (10, 0, False), (5, 3, True)]
)
def test_many_classes_of_one_object_each_are_not_lost_together(lost, won, better):
    """No class alone proves anything; together they do."""
    truths, new, old = [], [], []
    for index in range(60):
        common, rare = Box("head", 100, 100, 100, 100), Box(f"rare {index}", 300, 100, 100, 100)
        truths.append(Seen(f"s3://b/{index:04d}", (common, rare) if index < lost + won else (common,)))
        for seen, has_rare, left in ((new, lost <= index < lost + won, 100), (old, index < lost, 150)):
            boxes = [replace(common, left=left, confidence=0.9)] + [replace(rare, confidence=0.9)] * has_rare
            seen.append(Prediction(truths[-1].source_ref, "ok", 640, 480, "m", tuple(boxes)))
    verdict = compare(Contender("new", "g", new, 0.9), Contender("old", "g", old, 0.9), truths, GATE)
    assert verdict.better is better
    if not better:
        assert f"of the {lost + won} judge objects of the rare classes" in verdict.reason
