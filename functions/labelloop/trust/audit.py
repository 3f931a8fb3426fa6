"""How good the machine's accepted labels are. Pure.

Two estimates. Of the labels that a round accepted, people look at a random sample before they are published: `find`
says how good they are, and whether that contradicts what the policy promised. Where nobody looked at them there is an
estimate from the random sample of the whole batch: `estimate`, of what a rule would accept of its judging images. It
was drawn before any judgement, but the thresholds were fitted on a part of it.

That estimate is over images. Of images with the same bytes one is looked at, if any was drawn: it stands for all of
them, and is weighted by their number and by the chance that any was drawn, which is larger than that of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import Truth
from labelloop.trust.judgement import image_score, label_quality
from labelloop.trust.policies import Rule

FEWEST_FOR_AN_INTERVAL = 10
Z = 1.959964  # two-sided 95 %
Z_ONE_SIDED = 1.644854
LEAST_SPREAD = 0.02  # qualities that are all alike do not show how they spread


@dataclass(frozen=True)
class Looked:
    """An accepted label that people looked at before it was published: its score, and its quality (0..1) against the
    label that they made of it. `untouched`: they left it as it is.
    """

    score: float
    quality: float
    untouched: bool


@dataclass(frozen=True)
class Finding:
    """What people's look at a sample says about the `accepted` labels it was drawn from. `judged` counts the judge
    images that the rule accepts. `mean` and `low`..`high` (two-sided 95 %) are None where the figures do not support
    them; `upper` is the one-sided 95 % upper bound, which a promised `target` must not lie above.
    """

    accepted: int
    audited: int
    untouched: int
    judged: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    upper: float | None = None
    target: float | None = None

    @property
    def contradicted(self) -> bool:
        return self.target is not None and self.upper is not None and self.upper < self.target - 1e-9

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "contradicted": self.contradicted}

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Finding:
        return Finding(**{name: record[name] for name in Finding.__dataclass_fields__})


def place(seed: int, key: str, etag: str) -> str:
    """An object's place in the order in which accepted labels are audited: nothing that a model says is part of it."""
    return naming.digest("audit", seed, key, etag, length=32)


def draw(places: Mapping[str, str], rate: float, minimum: int, before: int = 0) -> set[str]:
    """The accepted images, by reference, that people look at: a share of `rate`, rounded up, and as many as the batch
    still lacks of `minimum` where earlier rounds drew `before`. All of them where there are no more.
    """
    wanted = max(math.ceil(rate * len(places) - 1e-9), minimum - before)
    return set(sorted(places, key=lambda reference: (places[reference], reference))[: max(wanted, 0)])


def find(
    accepted: Sequence[float],
    looked: Iterable[Looked],
    judged: Sequence[tuple[float, float]],
    target: float | None,
) -> Finding:
    """The mean quality of the labels with these `accepted` scores: a difference estimate.

    `judged` holds (score, quality) of the judge images that the rule accepts: they say what a label of each score is
    worth, and the sample by how much that is wrong. It stays right whatever they say, because the sample was drawn at
    random from the labels it is about (Särndal, Swensson, Wretman: Model Assisted Survey Sampling, 6.3).

    A label that people left as it is may still be less than perfect: they did not draw one of their own. So it counts
    as what judge images of its score are worth, which is an estimate on the safe side, and as 1 where the labels are
    given the benefit of the doubt: at the upper ends of the intervals, and where there are no judge images. An interval
    takes at least 10 labels that were looked at, or all of them.
    """
    seen = sorted(looked, key=lambda one: (one.score, one.quality, one.untouched))
    worth = _worth(judged)
    counted = len(accepted), len(seen), sum(one.untouched for one in seen), len(judged)
    for score, quality in (*judged, *((one.score, one.quality) for one in seen), *((score, 0) for score in accepted)):
        if not (0 <= score <= 1 and 0 <= quality <= 1):
            raise InvalidInputError(f"audit: fields 'score' and 'quality' lie in 0..1, not {score} and {quality}")
    if not seen:
        return Finding(*counted, target=target)
    expected = fmean(map(worth, accepted))
    kindly = [(1.0 if one.untouched else one.quality) - worth(one.score) for one in seen]
    strictly = [(0.0 if one.untouched and judged else more) for one, more in zip(seen, kindly, strict=True)]
    mean, most = _within(expected + fmean(strictly)), _within(expected + fmean(kindly))
    unseen = 1 - len(seen) / len(accepted)
    if len(seen) < FEWEST_FOR_AN_INTERVAL and unseen > 0:
        return Finding(*counted, mean=mean, target=target)
    hidden = unseen * _share_that_may_hide(len(seen) + len(judged))
    beside = [quality - worth(score) for score, quality in judged]
    low = min(mean - _margin(strictly, beside, unseen, Z), mean * (1 - hidden))
    high, upper = (max(most + _margin(kindly, beside, unseen, z), most + (1 - most) * hidden) for z in (Z, Z_ONE_SIDED))
    return Finding(*counted, mean, _within(low), _within(high), _within(upper), target)


def told(finding: Finding, agreement: float | None = None) -> str:
    """The finding for people; `agreement`: how good two persons' labels are by one another, where that is known."""
    promised = "" if finding.target is None else f"promised mean quality {finding.target:.2f}, "
    if finding.mean is None:
        return f"{promised}audited by nobody: people answered about none of these {finding.accepted} accepted labels"
    interval = "" if finding.low is None else f" [{finding.low:.2f}, {finding.high:.2f}] at 95 %"
    judges = f" and {finding.judged} judge images" if finding.judged else ""
    few = "" if finding.low is not None else ", too few to say how sure that is"
    people = "" if agreement is None else f"; people agree with one another at {agreement:.2f}"
    verdict = "; contradicted: nothing of this round was accepted" if finding.contradicted else ""
    return (
        f"{promised}audited {finding.mean:.2f}{interval} from {finding.audited} accepted{judges}{few}{people}{verdict}"
    )


def _worth(judged: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """What a label of a score is worth, by the judge images: on the line of least squares, or on their mean where they
    are few or show no line; 0 without any, and then the audited labels alone count.
    """
    if not judged:
        return lambda score: 0.0
    scores, qualities = ([pair[side] for pair in judged] for side in (0, 1))
    middle, level = fmean(scores), fmean(qualities)
    spread = math.fsum((score - middle) ** 2 for score in scores)
    if len(judged) < FEWEST_FOR_AN_INTERVAL or spread < 1e-9:
        return lambda score: level
    slope = math.fsum((score - middle) * (quality - level) for score, quality in sorted(judged)) / spread
    return lambda score: _within(level + slope * (score - middle))


def _margin(differences: Sequence[float], beside: Sequence[float], unseen: float, z: float) -> float:
    """Student's, for a sample of a finite number of labels of which the share `unseen` was not looked at. The spread is
    that of the judge images, `beside`, where it is larger: a small sample easily misses the few labels that failed.
    """
    count = len(differences)
    if unseen <= 0:
        return 0.0
    spread = max(LEAST_SPREAD, stdev(differences), stdev(beside) if len(beside) >= FEWEST_FOR_AN_INTERVAL else 0.0)
    return _student(count - 1, z) * spread * math.sqrt(unseen / count)


def _share_that_may_hide(images: int) -> float:
    """The largest share of which so many images show none, at 95 %: exact for the binomial, about 3 / images."""
    return float(1 - 0.05 ** (1 / images))


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@dataclass(frozen=True)
class Audited:
    """One audited content: the quality (0..1) of the label the machine would have given, the chance that one of its
    images was sampled, and how many images of the batch have it.
    """

    quality: float
    inclusion_probability: float
    images: int = 1


@dataclass(frozen=True)
class Estimate:
    """The mean quality of the accepted labels with its 95 % interval; None where the images do not support a figure."""

    images: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None


def audited_images(
    judges: Iterable[tuple[Truth, float, int]],
    predictions: Mapping[str, Prediction],
    rule: Rule,
    label_rule: LabelRule,
    skeleton: Skeleton | None = None,
) -> list[Audited]:
    """What the rule would accept of the sampled judging contents, given as (human label, chance that one of its images
    was drawn, how many it has).
    """
    audited = []
    for truth, inclusion_probability, images in judges:
        prediction = predictions.get(truth.source_ref)
        if prediction is None or prediction.status != "ok":
            continue
        if rule.accepts(image_score(prediction, label_rule)):
            quality = label_quality(prediction, truth, label_rule, skeleton)
            audited.append(Audited(quality, inclusion_probability, images))
    return audited


def chance_of_any(images: int, sampled: int, everything: int) -> float:
    """The chance that at least one of these images is among `sampled` that are drawn of `everything`."""
    rest = everything - sampled
    return 1 - math.prod(max(rest - number, 0) / (everything - number) for number in range(images))


def estimate(audited: Iterable[Audited]) -> Estimate:
    """The mean weighted by images / inclusion probability (Hajek), with a Student interval on the linearised variance.

    Below 10 images there is a mean but no interval. The lower end is never above mean * (1 - 3 / n): labels that
    failed altogether and are rarer than 3 in n may all have missed the sample (the rule of three, Hanley and
    Lippman-Hand, JAMA 1983), and then the spread seen is too small. Raises InvalidInputError for a quality outside
    0..1 or a probability outside ]0, 1].
    """
    images = sorted(audited, key=lambda image: (image.quality, image.inclusion_probability, image.images))
    for image in images:
        if not (0 <= image.quality <= 1 and 0 < image.inclusion_probability <= 1):
            raise InvalidInputError(f"audit: fields 'quality' and 'inclusion-probability' lie in 0..1, not {image}")
    if not images:
        return Estimate(0)
    count = len(images)
    weights = [image.images / image.inclusion_probability for image in images]
    total = math.fsum(weights)
    mean = math.fsum(w * image.quality for w, image in zip(weights, images, strict=True)) / total
    mean = min(max(mean, 0.0), 1.0)
    if count < FEWEST_FOR_AN_INTERVAL:
        return Estimate(count, mean)
    squares = math.fsum((w * (image.quality - mean)) ** 2 for w, image in zip(weights, images, strict=True))
    error = math.sqrt(squares * count / (count - 1)) / total
    margin = _student(count - 1) * error
    return Estimate(count, mean, max(0.0, min(mean - margin, mean * (1 - 3 / count))), min(1.0, mean + margin))


def sentence(result: Estimate) -> str:
    """The estimate for the report, for people."""
    if result.mean is None:
        return "auto labels: quality unknown, no audited image among those the policy accepts; label more of the sample"
    images = f"{result.images} audited image{'' if result.images == 1 else 's'}"
    if result.low is None or result.high is None:
        return f"auto labels: mean quality {result.mean:.2f}, from only {images}: too few to say how sure that is"
    return f"auto labels: mean quality {result.mean:.2f} [{result.low:.2f}, {result.high:.2f}] at 95%, from {images}"


def _student(freedom: int, z: float = Z) -> float:
    """A quantile of Student's t by that of the normal distribution, by the Cornish-Fisher expansion (within 0.001 from
    9 degrees up).
    """
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    return z + first + second + third
