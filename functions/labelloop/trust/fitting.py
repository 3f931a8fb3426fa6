"""Fits label rule and accept policy to a model: on judge images, which people labelled and which did not train it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelloop import tasks
from labelloop.contracts.label_rules import NO_SUPPRESSION, LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks.port import JudgeImages, Trust, Truth
from labelloop.trust import policies
from labelloop.trust.judgement import image_score, label_quality
from labelloop.trust.policies.bounded import LEAST_SHARE

KEEP_CONFIDENCES = tuple(percent / 100 for percent in range(10, 85, 5))
NMS_IOUS = (NO_SUPPRESSION, 0.5)


Labels = Sequence[tuple[float, Trust]]
"""Of one judge image by each of the rules: how good the label is, and how far it would be trusted."""
Worth = Callable[[Labels, LabelRule], float]
"""How good a rule is, by such of all judge images."""


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
    rule = accepting_rule(judge_images, LabelRule(settings.keep_confidence), settings.skeleton)
    scored = sorted(_scored(judge_images, rule, settings.skeleton))
    fitted = policies.of(settings.accept_policy).fit(scored, settings)
    return {
        "model": model,
        "dataset": dataset_version,
        "label_rule": rule.to_json(),
        "figures": tasks.of(settings.task).figures(judge_images, rule),
        **fitted,
        "scored": [list(pair) for pair in scored],
    }


def of_now(record: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside a model. If it was fitted before there were label rules it fits another score than today's:
    then nothing is accepted, until the next training has fitted the model again.
    """
    return dict(record) if "label_rule" in record else {**record, "accept": None}


def _scored(judge_images: JudgeImages, rule: LabelRule, skeleton: Skeleton | None) -> list[tuple[float, float]]:
    """(score, quality) of the label of each judge image, which no image judges that helped to fit how it is made."""
    if not judge_images:
        return []
    rules = tasks.of(judge_images[0][0].task).cross_taught(judge_images, rule)
    return [
        (image_score(prediction, own), label_quality(prediction, truth, own, skeleton))
        for (prediction, truth), own in zip(judge_images, rules, strict=True)
    ]


def label_rule(judge_images: JudgeImages, usual: LabelRule, skeleton: Skeleton | None = None) -> LabelRule:
    """The rule whose labels have the best mean quality on these images: how well a model labels at its best. `usual`
    stays where no other is better. `skeleton`: the stack's, where key points are marked.
    """
    return _fitted(judge_images, usual, skeleton, mean_quality)


def accepting_rule(judge_images: JudgeImages, usual: LabelRule, skeleton: Skeleton | None = None) -> LabelRule:
    """The rule whose surest labels are best on these images, and how good its empty ones are there: what is accepted
    are the surest labels, so it matters how good they are, and how well the score tells them from the others.
    """
    return _fitted(judge_images, usual, skeleton, quality_of_surest)


def _fitted(judge_images: JudgeImages, usual: LabelRule, skeleton: Skeleton | None, worth: Worth) -> LabelRule:
    if not judge_images:
        return usual
    rules = candidates(tasks.of(judge_images[0][0].task).taught(judge_images, usual))
    return best(rules, [labels(prediction, truth, rules, skeleton) for prediction, truth in judge_images], worth)


def candidates(usual: LabelRule) -> list[LabelRule]:
    """The rules that are tried, `usual` first, which wins where others are as good."""
    others = [replace(usual, keep_confidence=keep, nms_iou=nms) for nms in NMS_IOUS for keep in KEEP_CONFIDENCES]
    return [usual, *others]


def labels(
    prediction: Prediction, truth: Truth, rules: Sequence[LabelRule], skeleton: Skeleton | None = None
) -> Labels:
    task = tasks.of(prediction.task)
    qualities = task.qualities(prediction, truth.marks, rules, skeleton)
    return list(zip(qualities, task.trusts(prediction, rules), strict=True))


def best(rules: Sequence[LabelRule], judged: Sequence[Labels], worth: Worth) -> LabelRule:
    """The first of the rules whose labels of these judge images are worth most."""
    if not judged:
        return rules[0]
    by_rule = list(zip(*judged, strict=True))
    told = [_with_empty(rule, of_rule) for rule, of_rule in zip(rules, by_rule, strict=True)]
    worths = [worth(of_rule, rule) for of_rule, rule in zip(by_rule, told, strict=True)]
    return told[worths.index(max(worths))]


def mean_quality(judged: Labels, rule: LabelRule) -> float:
    return math.fsum(quality for quality, _ in judged) / len(judged)


def quality_of_surest(judged: Labels, rule: LabelRule) -> float:
    """The mean quality of the k surest labels, averaged over k from the least share that policies accept to all."""
    scored = sorted(((-trust.score(rule.empty_score), quality) for quality, trust in judged))
    fewest = max(1, math.ceil(LEAST_SHARE * len(scored)))
    means = [total / k for k, total in enumerate(itertools.accumulate(quality for _, quality in scored), start=1)]
    return math.fsum(means[fewest - 1 :]) / (len(means) - fewest + 1)


def _with_empty(rule: LabelRule, judged: Labels) -> LabelRule:
    empty = [quality for quality, trust in judged if trust.empty]
    return replace(rule, empty_good=math.fsum(empty), empty_images=len(empty))


def seen(predictions: Iterable[Prediction], truths: Iterable[Truth]) -> list[tuple[Prediction, Truth]]:
    """What the model saw in the images of these truths, in the order of their source-refs."""
    usable = {prediction.source_ref: prediction for prediction in predictions if prediction.status == "ok"}
    ordered = sorted(truths, key=lambda truth: truth.source_ref)
    return [(usable[truth.source_ref], truth) for truth in ordered if truth.source_ref in usable]
