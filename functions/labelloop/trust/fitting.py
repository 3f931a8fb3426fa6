"""Fits label rule and accept policy to a model: on judge images, which people labelled and which did not train it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelloop import tasks
from labelloop.contracts.label_rules import NO_SUPPRESSION, LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Prediction
from labelloop.contracts.settings import Settings
from labelloop.tasks.quality import Truth
from labelloop.trust import policies
from labelloop.trust.judgement import image_score, label_boxes, label_quality

KEEP_CONFIDENCES = tuple(percent / 100 for percent in range(10, 85, 5))
NMS_IOUS = (NO_SUPPRESSION, 0.5)


def thresholds(
    model: str,
    dataset_version: str,
    predictions: Iterable[Prediction],
    truths: Sequence[Annotation],
    settings: Settings,
) -> dict[str, Any]:
    """The record stored beside the model, from which its rounds take their rules.

    `scored` holds (score, quality of the model's label) for each judge image, in order: what a policy may need that is
    settled only when a round begins.
    """
    judge_images = seen(predictions, truths)
    rule = label_rule(judge_images, LabelRule(settings.keep_confidence))
    scored = sorted(
        (image_score(prediction, rule), label_quality(prediction, truth, rule)) for prediction, truth in judge_images
    )
    fitted = policies.of(settings.accept_policy).fit(scored, settings)
    return {
        "model": model,
        "dataset": dataset_version,
        "label_rule": rule.to_json(),
        **fitted,
        "scored": [list(pair) for pair in scored],
    }


def of_now(record: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside a model. If it was fitted before there were label rules it fits another score than today's:
    then nothing is accepted, until the next training has fitted the model again.
    """
    return dict(record) if "label_rule" in record else {**record, "accept": None}


def label_rule(judge_images: Sequence[tuple[Prediction, Truth]], usual: LabelRule) -> LabelRule:
    """The rule whose labels have the best mean quality on these images, and how good its empty ones are there. `usual`
    stays where no other is better.
    """
    rules = candidates(usual)
    qualities = [
        tasks.of_prediction(prediction).qualities(prediction, truth.boxes, rules) for prediction, truth in judge_images
    ]
    return best(rules, qualities, [prediction for prediction, _ in judge_images])


def candidates(usual: LabelRule) -> list[LabelRule]:
    """The rules that are tried, `usual` first, which wins where others are as good."""
    others = [replace(usual, keep_confidence=keep, nms_iou=nms) for nms in NMS_IOUS for keep in KEEP_CONFIDENCES]
    return [usual, *others]


def best(
    rules: Sequence[LabelRule], qualities: Sequence[Sequence[float]], predictions: Sequence[Prediction]
) -> LabelRule:
    """The first of the rules with the best mean quality; `qualities` holds, for each judge image, one per rule."""
    if not qualities:
        return rules[0]
    sums = [math.fsum(of_one_rule) for of_one_rule in zip(*qualities, strict=True)]
    place = sums.index(max(sums))
    empty = [
        of_image[place]
        for of_image, prediction in zip(qualities, predictions, strict=True)
        if not label_boxes(prediction, rules[place])
    ]
    return replace(rules[place], empty_good=math.fsum(empty), empty_images=len(empty))


def seen(predictions: Iterable[Prediction], truths: Iterable[Truth]) -> list[tuple[Prediction, Truth]]:
    """What the model saw in the images of these truths, in the order of their source-refs."""
    usable = {prediction.source_ref: prediction for prediction in predictions if prediction.status == "ok"}
    ordered = sorted(truths, key=lambda truth: truth.source_ref)
    return [(usable[truth.source_ref], truth) for truth in ordered if truth.source_ref in usable]
