"""How good the machine's accepted labels are, estimated from the random sample that people labelled.

The sampled gold images that the current policy would accept are a random sample of everything it accepts: the sample
was drawn from the whole batch before any judgement (a sample of accepted images only, picked later, is biased).

The estimate is over images. Of images with the same bytes one is looked at, if any was drawn: it stands for all of
them, and is weighted by their number and by the chance that any was drawn, which is larger than that of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Prediction
from labelloop.tasks.quality import Truth
from labelloop.trust.judgement import image_score, label_quality
from labelloop.trust.policies import Rule

FEWEST_FOR_AN_INTERVAL = 10
Z = 1.959964  # two-sided 95 %


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
    gold: Iterable[tuple[Truth, float, int]],
    predictions: Mapping[str, Prediction],
    rule: Rule,
    keep_confidence: float,
) -> list[Audited]:
    """What the rule would accept of the sampled gold contents, given as (human label, chance that one of its images
    was drawn, how many it has).
    """
    audited = []
    for truth, inclusion_probability, images in gold:
        prediction = predictions.get(truth.source_ref)
        if prediction is None or prediction.status != "ok":
            continue
        if rule.accepts(image_score(prediction, keep_confidence)):
            quality = label_quality(prediction, truth, keep_confidence)
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
        return f"auto labels: mean IoU {result.mean:.2f}, from only {images}: too few to say how sure that is"
    return f"auto labels: mean IoU {result.mean:.2f} [{result.low:.2f}, {result.high:.2f}] at 95%, from {images}"


def _student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, by the Cornish-Fisher expansion (within 0.001 from 9 degrees up)."""
    first = (Z**3 + Z) / (4 * freedom)
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * freedom**3)
    return Z + first + second + third
