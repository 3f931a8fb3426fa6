"""The gate (promise I5): may the challenger replace the champion?

Both are scored on the same judge images, which never train. The per-image differences in label quality are
bootstrapped in pairs (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13: percentile interval), and
the challenger wins only when the one-sided 95 % lower bound of the mean difference lies above a tolerance.
A mean hides a rare class, so no class may be lost for it: see `_lost_class`.
Everything that is missing, not a number or not comparable keeps the champion: the gate fails closed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from labelloop import tasks
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.records import Prediction
from labelloop.tasks.quality import Truth
from labelloop.trust.judgement import label_boxes, label_quality

SURELY_FEWER = 0.05  # one-sided
FEW_OBJECTS = 5  # of fewer the test alone can never be sure: 0.5 ** 4 > 0.05


@dataclass(frozen=True)
class Contender:
    """A model as the training job scored it; `reported_map50` is what its metrics file states, if it does."""

    model: str
    judge_version: str
    predictions: Sequence[Prediction]
    reported_map50: float | None


@dataclass(frozen=True)
class GateSettings:
    """`tolerance` and `minimum_map50` are in units of quality (0..1); `label_rule` as in the judgement."""

    minimum_images: int
    minimum_map50: float
    tolerance: float
    label_rule: LabelRule
    seed: int
    confidence: float = 0.95
    resamples: int = 2000


@dataclass(frozen=True)
class Verdict:
    """`reason` is a sentence for people; a figure is None where it could not be had or there is no champion."""

    better: bool
    reason: str
    challenger_map50: float | None = None
    champion_map50: float | None = None
    difference: float | None = None
    lower_bound: float | None = None
    images: int = 0


def compare(
    challenger: Contender, champion: Contender | None, truths: Iterable[Truth], settings: GateSettings
) -> Verdict:
    """The verdict on `challenger` over the truths of the judge images; `champion` is None for the first model."""
    judged = sorted(truths, key=lambda truth: truth.source_ref)
    refusal = _refusal(challenger, champion, judged, settings)
    if refusal:
        return Verdict(False, f"The challenger {challenger.model} is not promoted: {refusal}.", images=len(judged))
    task = tasks.of_prediction(challenger.predictions[0])
    challenger_map50 = task.gate_metric(challenger.predictions, judged)
    champion_map50 = task.gate_metric(champion.predictions, judged) if champion else None
    if challenger_map50 is None:
        reason = (
            f"The challenger {challenger.model} is not promoted: no judge image has a true box to measure mAP50 with."
        )
        return Verdict(False, reason, images=len(judged))
    if champion is None:
        better = challenger_map50 >= settings.minimum_map50
        reason = (
            f"The first model {challenger.model} {'reaches' if better else 'does not reach'} the required mAP50 of "
            f"{settings.minimum_map50:.3f} on {len(judged)} judge images: {challenger_map50:.3f}."
        )
        return Verdict(better, reason, challenger_map50, images=len(judged))

    new, old = _qualities(challenger, judged, settings), _qualities(champion, judged, settings)
    differences = [one - other for one, other in zip(new, old, strict=True)]
    difference = math.fsum(differences) / len(differences)
    lower_bound = _lower_bound(differences, settings)
    better = lower_bound > settings.tolerance
    lost = _lost_class(challenger, champion, judged, settings) if better else None
    if lost:
        reason = (
            f"The challenger {challenger.model} is not promoted, although its labels are better on average "
            f"({difference:+.4f}, at least {lower_bound:+.4f}): {lost}."
        )
        return Verdict(False, reason, challenger_map50, champion_map50, difference, lower_bound, len(judged))
    reason = (
        f"The challenger {challenger.model} is {'' if better else 'not shown to be '}better than the champion "
        f"{champion.model}: mean label quality on {len(judged)} judge images differs by {difference:+.4f}, at least "
        f"{lower_bound:+.4f} at {settings.confidence:.0%}, where more than {settings.tolerance:+.4f} is required "
        f"(mAP50 {challenger_map50:.3f} against {_shown(champion_map50)})."
    )
    return Verdict(better, reason, challenger_map50, champion_map50, difference, lower_bound, len(judged))


def _refusal(
    challenger: Contender, champion: Contender | None, judged: Sequence[Truth], settings: GateSettings
) -> str | None:
    """Why the two cannot be compared at all, None when they can."""
    refs = {truth.source_ref for truth in judged}
    if len(refs) < len(judged):
        return "a judge image occurs twice"
    if not judged or len(judged) < settings.minimum_images:
        return f"there are {len(judged)} judge images and {settings.minimum_images} are required; label more images"
    for contender in filter(None, (challenger, champion)):
        reported = contender.reported_map50
        if reported is None or not 0 <= reported <= 1:
            return f"the training job reported no usable mAP50 for {contender.model} ({_shown(reported)})"
        missing = len(refs - {prediction.source_ref for prediction in contender.predictions})
        if missing:
            return f"{contender.model} was not scored on {missing} of the {len(judged)} judge images"
    if champion and challenger.judge_version != champion.judge_version:
        return (
            f"it was scored on judge version {challenger.judge_version} "
            f"and the champion {champion.model} on {champion.judge_version}"
        )
    return None


def _qualities(contender: Contender, judged: Sequence[Truth], settings: GateSettings) -> list[float]:
    """The label quality of each judge image."""
    predicted = {prediction.source_ref: prediction for prediction in contender.predictions}
    return [label_quality(predicted[truth.source_ref], truth, settings.label_rule) for truth in judged]


def _lost_class(
    challenger: Contender, champion: Contender, judged: Sequence[Truth], settings: GateSettings
) -> str | None:
    """The first class, by name, whose objects the challenger surely finds less often than the champion; else None.

    Surely: none of at least two that the champion finds, or fewer by the exact sign test on the objects that only one
    of the two finds (McNemar, Psychometrika 12, 1947; one-sided 5 %). A class with one object proves nothing, but all
    classes that have too few objects for the test are tested together: several rare classes are not lost either.
    """
    new, old = _found(challenger, judged, settings), _found(champion, judged, settings)
    for label in sorted(old):
        pairs = list(zip(new[label], old[label], strict=True))
        found, before = sum(new[label]), sum(old[label])
        lost, won = pairs.count((False, True)), pairs.count((True, False))
        if (before >= 2 and not found) or (lost > won and _tail(lost, lost + won) < SURELY_FEWER):
            return f"of the {len(pairs)} judge objects of class '{label}' it finds {found}, the champion {before}"
    rare = [label for label in sorted(old) if len(old[label]) < FEW_OBJECTS]
    pairs = [pair for label in rare for pair in zip(new[label], old[label], strict=True)]
    lost, won = pairs.count((False, True)), pairs.count((True, False))
    if lost > won and _tail(lost, lost + won) < SURELY_FEWER:
        return (
            f"of the {len(pairs)} judge objects of the rare classes ({', '.join(rare)}) it finds "
            f"{sum(one for one, _ in pairs)}, the champion {sum(other for _, other in pairs)}"
        )
    return None


def _found(contender: Contender, judged: Sequence[Truth], settings: GateSettings) -> dict[str, list[bool]]:
    """Per class, for each true box in the order of `judged`: whether the model's label has it."""
    predicted = {prediction.source_ref: prediction for prediction in contender.predictions}
    found: dict[str, list[bool]] = {}
    for truth in judged:
        prediction = predicted[truth.source_ref]
        label = label_boxes(prediction, settings.label_rule)
        hits = tasks.of_prediction(prediction).found(label, truth.boxes)
        for index, box in enumerate(truth.boxes):
            found.setdefault(box.label, []).append(index in hits)
    return found


def _tail(successes: int, trials: int) -> float:
    """The chance of at least so many heads of a fair coin."""
    return math.fsum(math.comb(trials, count) * 0.5**trials for count in range(successes, trials + 1))


def _lower_bound(differences: Sequence[float], settings: GateSettings) -> float:
    """The lower end of the one-sided percentile interval of the mean difference."""
    random, count = Random(settings.seed), len(differences)
    means = sorted(sum(random.choices(differences, k=count)) / count for _ in range(settings.resamples))
    return means[math.floor((1 - settings.confidence) * settings.resamples)]


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"
