"""A model's thresholds: fitted on what it saw in the judge images, and on nothing else."""

from dataclasses import replace
from math import fsum
from random import Random

import made_up_people
import pytest
from accept_policies import KNOBS
from annotation_lines import annotation
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.trust import fitting
from labelloop.trust.judgement import image_score, label_quality, machine_label

TRUTHS = [annotation(f"{number}.jpg", role="judge") for number in range(4)]


GRID = [LabelRule(0.25), *(LabelRule(keep / 100, nms) for keep in range(10, 85, 5) for nms in (1.0, 0.5))]


def seen(truth: Annotation, sure: float = 0.9, **changed: object) -> Prediction:
    """The true boxes, surely seen."""
    boxes = tuple(replace(box, confidence=sure) for box in truth.boxes)
    return replace(Prediction(truth.source_ref, "ok", truth.width, truth.height, "m", boxes), **changed)


def fitted(predictions: list[Prediction], truths: list[Annotation] = TRUTHS, **knobs: object) -> dict:
    return fitting.thresholds("m", "d1", predictions, truths, replace(KNOBS, **knobs))


def test_the_record_names_model_and_dataset_and_the_score_that_sure_and_right_labels_have() -> None:
    told = fitted([seen(truth) for truth in TRUTHS])
    assert (told["model"], told["dataset"]) == ("m", "d1")
    assert (told["images"], told["accepted"], told["accept"], told["mean_quality"]) == (4, 4, 0.9, 1)


def test_the_record_lists_score_and_quality_of_each_judge_image_in_order() -> None:
    told = fitted([seen(truth, 0.5 + number / 10) for number, truth in enumerate(TRUTHS)])
    assert told["scored"] == [[0.5, 1.0], [0.6, 1.0], [0.7, 1.0], [0.8, 1.0]]


def test_images_that_the_model_did_not_see_or_refused_count_for_nothing() -> None:
    strange = seen(annotation("elsewhere.jpg"), marks=(Box("bag", 1, 1, 2, 2, 1.0),))
    refused = seen(TRUTHS[0], status="rejected", marks=(), reason="truncated")
    told = fitted([refused, *(seen(truth) for truth in TRUTHS[1:]), strange])
    assert (told["images"], told["accepted"], told["mean_quality"]) == (3, 3, 1)
    assert fitted([])["images"] == 0 and fitted([])["accept"] is None


def test_quality_is_that_of_the_label_which_the_machine_would_give_not_of_all_that_it_saw() -> None:
    doubted = [replace(seen(truth), marks=(*seen(truth).boxes, Box("bag", 80, 40, 9, 9, 0.3))) for truth in TRUTHS]
    told = fitted(doubted, keep_confidence=0.25)
    assert told["mean_quality"] == 1 and told["label_rule"]["keep_confidence"] == 0.35, "the first that drops the bag"


def test_what_the_stack_says_is_the_rule_where_no_other_is_better_or_nothing_was_judged() -> None:
    assert fitted([seen(truth) for truth in TRUTHS], keep_confidence=0.33)["label_rule"]["keep_confidence"] == 0.33
    usual = LabelRule(0.33)
    assert fitting.label_rule([], usual) == usual == LabelRule.from_json(fitted([], keep_confidence=0.33)["label_rule"])


def test_a_model_that_sees_things_twice_gets_a_rule_that_drops_the_second() -> None:
    def twice(truth: Annotation) -> Prediction:
        (box,) = seen(truth).boxes
        return replace(seen(truth), marks=(box, replace(box, width=box.width * 0.9, confidence=0.89)))

    told = fitted([twice(truth) for truth in TRUTHS])
    assert told["label_rule"]["nms_iou"] == 0.5 and told["mean_quality"] == 1


def test_the_rule_knows_how_good_empty_labels_are() -> None:
    nothing_there = [replace(truth, marks=()) for truth in TRUTHS[:1]]
    overlooked = [seen(truth, marks=()) for truth in TRUTHS[:3]]
    pairs = fitting.seen([*overlooked, seen(TRUTHS[3])], [*nothing_there, *TRUTHS[1:]])
    rule = fitting.label_rule(pairs, LabelRule(0.25))
    assert (rule.empty_good, rule.empty_images) == (1.0, 3) and rule.empty_score == 0.25


def judged(random: Random, images: int) -> list[tuple[Prediction, Annotation]]:
    truths = [annotation(f"{number}.jpg", role="judge") for number in range(images)]
    return fitting.seen([blurred(truth, random) for truth in truths], truths)


def blurred(truth: Annotation, random: Random) -> Prediction:
    boxes = [
        replace(box, left=box.left + random.uniform(0, 9), confidence=round(random.random(), 4))
        for box in truth.boxes
        for _ in range(3)
    ]
    return seen(truth, marks=tuple(boxes))


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_no_rule_of_the_grid_labels_the_judge_images_better(seed) -> None:
    pairs = judged(Random(seed), 6)

    def mean(rule: LabelRule) -> float:
        return fsum(label_quality(prediction, truth, rule) for prediction, truth in pairs) / len(pairs)

    best = fitting.label_rule(pairs, LabelRule(0.25))
    assert mean(best) >= max(map(mean, GRID))
    if mean(best) == mean(LabelRule(0.25)):
        assert (best.keep_confidence, best.nms_iou) == (0.25, 1.0)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_no_rule_of_the_grid_has_better_surest_labels(seed) -> None:
    pairs = judged(Random(seed), 7)

    def surest(rule: LabelRule) -> float:
        told = replace(rule, **empty_of(rule))
        listed = sorted(
            (-image_score(prediction, told), label_quality(prediction, truth, rule)) for prediction, truth in pairs
        )
        means = [fsum(quality for _, quality in listed[:k]) / k for k in range(3, 8)]  # 3: three tenths of 7 and more
        return fsum(means) / len(means)

    def empty_of(rule: LabelRule) -> dict[str, float]:
        qualities = [label_quality(each, truth, rule) for each, truth in pairs if not machine_label(each, rule)]
        return {"empty_good": fsum(qualities), "empty_images": len(qualities)}

    best = fitting.accepting_rule(pairs, LabelRule(0.25))
    plain = LabelRule(best.keep_confidence, best.nms_iou)
    assert best == replace(plain, **empty_of(plain))
    assert surest(plain) == pytest.approx(max(map(surest, GRID)), abs=1e-12)


def test_labels_are_kept_for_how_good_the_accepted_ones_are_not_all_of_them() -> None:
    """A faint box belongs to as many labels as it spoils. Where it is dropped, the surest labels are the good ones."""
    pairs = []
    for number, truth in enumerate(TRUTHS * 5):
        (box,) = truth.boxes
        other = Box("bag", 70, 30, 20, 20)
        good = number % 2 == 0
        seen_boxes = (replace(box, confidence=0.9 if good else 0.5), replace(other, confidence=0.3))
        there = replace(truth, marks=(box,) if good else (box, other))
        pairs.append((replace(seen(truth), marks=seen_boxes), there))
    average = fitting.label_rule(pairs, LabelRule(0.25))
    accepting = fitting.accepting_rule(pairs, LabelRule(0.25))
    assert average.keep_confidence == 0.25 and accepting.keep_confidence == 0.35


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_the_order_of_predictions_and_truths_does_not_matter(one, other) -> None:
    predictions = [seen(truth, 0.5 + number / 10) for number, truth in enumerate(TRUTHS)]
    told = fitted([predictions[place] for place in one], [TRUTHS[place] for place in other])
    assert told == fitted(predictions)


def test_what_was_fitted_to_another_score_accepts_nothing() -> None:
    fitted = {"accept": 0.6, "target": 0.8, "label_rule": LabelRule(0.25).to_json()}
    assert fitting.of_now(fitted) == fitted
    del fitted["label_rule"]
    assert fitting.of_now(fitted) == {**fitted, "accept": None}


PEOPLE = [made_up_people.truth(number, people=1 + number % 3) for number in range(40)]
OF_PEOPLE = replace(KNOBS, task="key-points", key_points=made_up_people.SKELETON)


def of_people(**skill: float) -> dict:
    predictions = [made_up_people.seen(truth, **skill) for truth in PEOPLE]
    return fitting.thresholds("m", "d1", predictions, PEOPLE, OF_PEOPLE)


def test_a_model_of_key_points_gets_thresholds_of_visibility_with_its_label_rule() -> None:
    told = of_people()
    rule = LabelRule.from_json(told["label_rule"])
    assert rule.visibility is not None and set(rule.visibility.t1) == set(made_up_people.SKELETON.names)
    assert told["figures"]["visibility_accuracy"] == 1 and told["mean_quality"] > 0.95
    assert fitted([seen(truth) for truth in TRUTHS])["figures"] == {}, "boxes have none"


def test_points_off_their_places_make_worse_labels_by_the_stacks_sigmas() -> None:
    strict = replace(OF_PEOPLE, key_points=replace(made_up_people.SKELETON, sigmas=(0.02,) * 5))
    near, far, by_strict = (
        fsum(quality for _, quality in told["scored"])
        for told in (
            of_people(off=2),
            of_people(off=12),
            fitting.thresholds("m", "d1", [made_up_people.seen(truth, off=2) for truth in PEOPLE], PEOPLE, strict),
        )
    )
    assert near > far and near > by_strict
