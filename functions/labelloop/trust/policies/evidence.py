"""What judge images say of accepting from a score on.

They are pairs (score, quality of the model's label), both 0..1, of images that people labelled, that were drawn at
random and that trained nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.contracts.errors import InvalidInputError

Scored = Sequence[tuple[float, float]]

TARGETS = tuple(round(0.05 * step, 2) for step in range(6, 20))


@dataclass(frozen=True)
class Accepted:
    """The labels with at least this `score`: how many judge images have one, which share of all of them that is, and
    the mean and the standard deviation of their qualities.
    """

    score: float
    images: int
    share: float
    mean: float
    spread: float


def walk(scored: Scored) -> Iterator[Accepted]:
    """From the strictest threshold to the loosest: each score that occurs, so equal scores come together."""
    ranked = sorted(scored, reverse=True)
    mean = squares = 0.0
    for images, (score, quality) in enumerate(ranked, start=1):
        # Welford's sums: equal qualities have a spread of exactly 0.
        off = quality - mean
        mean += off / images
        squares += off * (quality - mean)
        if images == len(ranked) or ranked[images][0] < score:
            yield Accepted(score, images, images / len(ranked), mean, math.sqrt(squares / max(images - 1, 1)))


def check(scored: Iterable[tuple[float, float]]) -> None:
    """Raises InvalidInputError for a score or quality outside 0..1 or NaN."""
    for score, quality in scored:
        if not (0 <= score <= 1 and 0 <= quality <= 1):
            raise InvalidInputError(f"judge images: fields 'score' and 'quality' lie in 0..1, not {score}, {quality}")


def of_record(fitted: Mapping[str, Any]) -> Scored | None:
    """The judge images that stand beside a model; None where an earlier version kept none, or no usable ones."""
    try:
        scored = [(float(score), float(quality)) for score, quality in fitted["scored"]]
        check(scored)
    except (KeyError, TypeError, ValueError, InvalidInputError):
        return None
    return scored


def curve(attained: Callable[[float], Accepted | None]) -> list[list[float]]:
    """[target, share of the judge images that it accepts] for each of TARGETS."""
    steps = {target: attained(target) for target in TARGETS}
    return [[target, round(step.share, 4) if step else 0.0] for target, step in steps.items()]
