"""Several people place the same mark: where is it really, and how steady is each hand?

A position is a tuple of pixel coordinates: one edge of a box, or x and y of a key point. All sums are exact
(math.fsum), so that no result depends on the order of workers or positions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

Position = tuple[float, ...]
Positions = Mapping[str, Position]

FINEST_SPREAD_PIXELS = 0.5  # a page gives whole pixels
MAD_TO_DEVIATION = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
OUTLIER_DEVIATIONS = 3.5  # Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)
PRIOR_COORDINATES = 8
ROUNDS = 10


def spreads(samples: Sequence[Positions]) -> dict[str, float]:
    """Each worker's standard deviation in pixels, from how far off the others' weighted mean the worker's marks lie.

    Robust: from the median absolute deviation. A worker of few marks is taken to be about as steady as all are
    together. Estimated in rounds, because who is far off is only known once the others' steadiness is.
    """
    shared = [sample for sample in samples if len(sample) > 1]
    found = {worker: 1.0 for sample in samples for worker in sample}
    for _ in range(ROUNDS):
        residuals: dict[str, list[float]] = defaultdict(list)
        for sample in shared:
            for worker, position in sample.items():
                others = {other: found[other] ** -2 for other in sample if other != worker}
                expected = weighted_mean(sample, others)
                # The others' mean is uncertain too: only a share of the squared distance is this worker's own.
                own = found[worker] ** 2 / (found[worker] ** 2 + 1 / math.fsum(others.values()))
                residuals[worker] += [math.sqrt(own) * abs(a - b) for a, b in zip(position, expected, strict=True)]
        together = _deviation([residual for listed in residuals.values() for residual in listed])
        found = {worker: _shrunk(residuals[worker], together) for worker in found}
    return found


def fuse(sample: Positions, spread: Mapping[str, float], reliability: Mapping[str, float]) -> Position:
    """The weighted mean without outliers; weights are the reliability over the squared spread.

    Outliers lie more than 3.5 of the worker's standard deviations off the weighted median. Nobody is one among two.
    """
    weights = {worker: reliability[worker] / spread[worker] ** 2 for worker in sample}
    if len(sample) > 2:
        center = _weighted_median(sample, weights)
        near = {
            worker: weights[worker]
            for worker, position in sample.items()
            if math.dist(position, center) <= OUTLIER_DEVIATIONS * spread[worker] * math.sqrt(len(position))
        }
        weights = near or weights
    return weighted_mean(sample, weights)


def weighted_mean(sample: Positions, weights: Mapping[str, float]) -> Position:
    """The mean of the positions of the workers in `weights`."""
    total = math.fsum(weights.values())
    dimensions = range(len(next(iter(sample.values()))))
    return tuple(math.fsum(sample[worker][axis] * w for worker, w in weights.items()) / total for axis in dimensions)


def _weighted_median(sample: Positions, weights: Mapping[str, float]) -> Position:
    dimensions = range(len(next(iter(sample.values()))))
    return tuple(_median([(sample[worker][axis], weights[worker]) for worker in sample]) for axis in dimensions)


def _median(weighted: Sequence[tuple[float, float]]) -> float:
    """Half of the weight lies on either side; between the two middle values where it is split exactly."""
    listed, half = sorted(weighted), math.fsum(weight for _, weight in weighted) / 2
    for index, (value, _) in enumerate(listed):
        below = math.fsum(weight for _, weight in listed[: index + 1])
        if math.isclose(below, half):
            return (value + listed[index + 1][0]) / 2
        if below > half:
            return value
    raise AssertionError("half of a positive weight is reached")


def _shrunk(residuals: Sequence[float], together: float) -> float:
    variance = PRIOR_COORDINATES * together**2 + len(residuals) * _deviation(residuals) ** 2
    return max(FINEST_SPREAD_PIXELS, math.sqrt(variance / (PRIOR_COORDINATES + len(residuals))))


def _deviation(residuals: Sequence[float]) -> float:
    return MAD_TO_DEVIATION * median(residuals) if residuals else FINEST_SPREAD_PIXELS
