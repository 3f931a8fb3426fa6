"""The gate (promise I5): may the challenger replace the champion?

Both are scored on the same judge images, which never train, each with the label rule that fits it best there: one
confidence for both favours the weaker one. Images are drawn with replacement, in pairs (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, ch. 13: percentile interval). The rule `better` promotes a challenger whose mean
label quality is higher and, at 95 %, not lower by more than a tolerance; `strict` one whose mAP50 surely is higher.
A mean hides a rare class, so no class may be lost for it: see `trust/lost_classes.py`.
Everything that is missing, not a number or not comparable keeps the champion: the gate fails closed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

from labelloop import tasks
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import Task, Truth
from labelloop.trust import fitting, lost_classes
from labelloop.trust.judgement import label_quality
from labelloop.trust.lost_classes import Labelled

RESAMPLES_OF_MAP50 = 500  # a resample of it costs a hundred times one of the mean quality


@dataclass(frozen=True)
class Contender:
    """A model as the training job scored it; `reported_map50` is what its metrics file states, if it does."""

    model: str
    judge_version: str
    predictions: Sequence[Prediction]
    reported_map50: float | None


@dataclass(frozen=True)
class GateSettings:
    """`tolerance` and `minimum_map50` are in units of quality (0..1); `usual_rule` is the label rule of a model that
    none fits better; `rule` one of RULES; `skeleton` the stack's, where key points are marked.
    """

    minimum_images: int
    minimum_map50: float
    tolerance: float
    usual_rule: LabelRule
    seed: int
    rule: str = "better"
    skeleton: Skeleton | None = None
    confidence: float = 0.95
    resamples: int = 2000


@dataclass(frozen=True)
class Verdict:
    """`reason` is a sentence for people; a figure is None where it could not be had or there is no champion.
    `difference` and `lower_bound` are of what the gate's rule looks at.
    """

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
    """The verdict on `challenger` over these judge images; `champion` is None for the first model."""
    judges = sorted(truths, key=lambda truth: truth.source_ref)
    refusal = _refusal(challenger, champion, judges, settings)
    if refusal:
        return Verdict(False, f"The challenger {challenger.model} is not promoted: {refusal}.", images=len(judges))
    task = tasks.of(challenger.predictions[0].task)
    challenger_map50 = task.gate_metric(challenger.predictions, judges, settings.skeleton)
    if challenger_map50 is None:
        reason = f"The challenger {challenger.model} is not promoted: no judge image has a mark to measure mAP50 with."
        return Verdict(False, reason, images=len(judges))
    if champion is None:
        better = challenger_map50 >= settings.minimum_map50
        reason = (
            f"The first model {challenger.model} {'reaches' if better else 'does not reach'} the required mAP50 of "
            f"{settings.minimum_map50:.3f} on {len(judges)} judge images: {challenger_map50:.3f}."
        )
        return Verdict(better, reason, challenger_map50, images=len(judges))
    return _of_two(challenger, champion, judges, settings, task, challenger_map50)


def _of_two(
    challenger: Contender,
    champion: Contender,
    judges: Sequence[Truth],
    settings: GateSettings,
    task: Task,
    challenger_map50: float,
) -> Verdict:
    champion_map50 = task.gate_metric(champion.predictions, judges, settings.skeleton)
    new, old = (_labelled(contender, judges, settings) for contender in (challenger, champion))
    measured = RULES[settings.rule](new, old, judges, settings, task)
    figures = challenger_map50, champion_map50, measured.difference, measured.lower_bound, len(judges)
    if not measured.promotes:
        reason = (
            f"The challenger {challenger.model} is not shown to be better than the champion {champion.model}: "
            f"{measured.sentence} (mAP50 {challenger_map50:.3f} against {_shown(champion_map50)})."
        )
        return Verdict(False, reason, *figures)
    lost = lost_classes.first(new, old, judges, task, settings.skeleton)
    if lost:
        reason = (
            f"The challenger {challenger.model} is not promoted, although its labels are better on average "
            f"({measured.difference:+.4f}, at least {measured.lower_bound:+.4f}): {lost}."
        )
        return Verdict(False, reason, *figures)
    reason = (
        f"The challenger {challenger.model} is better than the champion {champion.model}: {measured.sentence} "
        f"(mAP50 {challenger_map50:.3f} against {_shown(champion_map50)})."
    )
    return Verdict(True, reason, *figures)


@dataclass(frozen=True)
class _Measured:
    """`sentence` says what was measured and what was required, for people."""

    promotes: bool
    difference: float
    lower_bound: float
    sentence: str


def _better(new: Labelled, old: Labelled, judges: Sequence[Truth], settings: GateSettings, task: Task) -> _Measured:
    qualities = (
        [
            label_quality(labelled.predicted[truth.source_ref], truth, labelled.rule, settings.skeleton)
            for truth in judges
        ]
        for labelled in (new, old)
    )
    differences = [one - other for one, other in zip(*qualities, strict=True)]
    difference = math.fsum(differences) / len(differences)
    random, count = Random(settings.seed), len(differences)
    bound = _lower_bound(
        (math.fsum(random.choices(differences, k=count)) / count for _ in range(settings.resamples)), settings
    )
    sentence = (
        f"mean label quality on {count} judge images differs by {difference:+.4f} (required: more than 0), at "
        f"{settings.confidence:.0%} by more than {bound:+.4f} (required: {settings.tolerance:+.4f})"
    )
    return _Measured(difference > 0 and bound > settings.tolerance, difference, bound, sentence)


def _strict(new: Labelled, old: Labelled, judges: Sequence[Truth], settings: GateSettings, task: Task) -> _Measured:
    metrics = [task.class_metric(labelled.predicted.values(), judges, settings.skeleton) for labelled in (new, old)]

    def of(drawn: Sequence[int]) -> float:
        one, other = (metric(drawn) for metric in metrics)
        return fmean(one[label] - other[label] for label in one) if one else 0.0

    random, count = Random(settings.seed), len(judges)
    difference = of([1] * count)
    bound = _lower_bound(
        (of(_draw(random, count)) for _ in range(min(settings.resamples, RESAMPLES_OF_MAP50))), settings
    )
    sentence = (
        f"mAP50 on {count} judge images differs by {difference:+.4f}, at {settings.confidence:.0%} by more than "
        f"{bound:+.4f} (required by GateRule strict: 0)"
    )
    return _Measured(difference > 0 and bound > 0, difference, bound, sentence)


RULES: dict[str, Callable[[Labelled, Labelled, Sequence[Truth], GateSettings, Task], _Measured]] = {
    "better": _better,
    "strict": _strict,
}


def _refusal(
    challenger: Contender, champion: Contender | None, judges: Sequence[Truth], settings: GateSettings
) -> str | None:
    """Why the two cannot be compared at all, None when they can."""
    refs = {truth.source_ref for truth in judges}
    if len(refs) < len(judges):
        return "a judge image occurs twice"
    if not judges or len(judges) < settings.minimum_images:
        return f"there are {len(judges)} judge images and {settings.minimum_images} are required; label more images"
    for contender in filter(None, (challenger, champion)):
        reported = contender.reported_map50
        if reported is None or not 0 <= reported <= 1:
            return f"the training job reported no usable mAP50 for {contender.model} ({_shown(reported)})"
        missing = len(refs - {prediction.source_ref for prediction in contender.predictions})
        if missing:
            return f"{contender.model} was not scored on {missing} of the {len(judges)} judge images"
    if champion and challenger.judge_version != champion.judge_version:
        return (
            f"it was scored on judge version {challenger.judge_version} "
            f"and the champion {champion.model} on {champion.judge_version}"
        )
    return None


def _labelled(contender: Contender, judges: Sequence[Truth], settings: GateSettings) -> Labelled:
    rule = fitting.label_rule(fitting.seen(contender.predictions, judges), settings.usual_rule, settings.skeleton)
    return Labelled({prediction.source_ref: prediction for prediction in contender.predictions}, rule)


def _draw(random: Random, count: int) -> list[int]:
    """How often each of so many images is drawn, when as many are drawn with replacement."""
    drawn = [0] * count
    for image in random.choices(range(count), k=count):
        drawn[image] += 1
    return drawn


def _lower_bound(resampled: Iterable[float], settings: GateSettings) -> float:
    """The lower end of the one-sided percentile interval."""
    values = sorted(resampled)
    return values[math.floor((1 - settings.confidence) * len(values))]


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"
