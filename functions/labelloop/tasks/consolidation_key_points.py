"""Key points that several people placed for the same persons -> one label per person.

Canonical pixels; one point per configured name. The visibility (visible, occluded, outside) is
Dawid and Skene's consensus; the place of a point that is not outside is the weighted mean of those who placed it,
without outliers (fusion). One worker's label is kept exactly. Nothing depends on the order of persons or workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from labelloop.contracts.records import VISIBILITIES, KeyPoint
from labelloop.tasks import fusion
from labelloop.tasks.dawid_skene import dawid_skene

SAME_PLACE_OF_DIAGONAL = 0.02
SAME_PLACE_PIXELS = 3.0

Placed = Mapping[str, Sequence[KeyPoint]]


@dataclass(frozen=True)
class FusedKeyPoint:
    """`point.confidence`: the share of the reliability that gave this visibility. `agreement`: the share of the workers
    who marked the person that said the same (`same_point`).
    """

    point: KeyPoint
    agreement: float


def fuse_key_points(
    persons: Sequence[Placed], sizes: Sequence[tuple[int, int]], names: Sequence[str], reliability: Mapping[str, float]
) -> list[list[FusedKeyPoint]]:
    """Per person, in the order given, the points of {worker: points}, one for each of `names`, in that order.

    `sizes`: width and height of each person's image. `reliability`: of every worker who marked the person, in (0, 1].
    """
    said = [
        [{worker: points[index] for worker, points in placed.items()} for index in range(len(names))]
        for placed in persons
    ]
    votes = {
        (person, index): {worker: point.visibility for worker, point in points.items()}
        for person, listed in enumerate(said)
        for index, points in enumerate(listed)
    }
    consensus = dawid_skene(votes, VISIBILITIES, reliability)
    spread = fusion.spreads([_places(points) for listed in said for points in listed])
    results = []
    for person, (listed, (width, height)) in enumerate(zip(said, sizes, strict=True)):
        fused = []
        for index, points in enumerate(listed):
            visibility = consensus.label((person, index))
            point = _fuse(names[index], visibility, points, spread, reliability)
            same = sum(same_point(point, other, width, height) for other in points.values())
            fused.append(FusedKeyPoint(point, same / len(points)))
        results.append(fused)
    return results


def same_point(one: KeyPoint, other: KeyPoint, width: int, height: int) -> bool:
    """The same visibility, and places within 2 % of the image's diagonal (at least 3 pixels) of each other."""
    if one.visibility != other.visibility:
        return False
    if one.x is None or one.y is None or other.x is None or other.y is None:
        return True
    return math.dist((one.x, one.y), (other.x, other.y)) <= same_place_tolerance(width, height)


def same_place_tolerance(width: int, height: int) -> float:
    """The largest distance, in pixels, of two places that are one in an image of this size."""
    return max(SAME_PLACE_PIXELS, SAME_PLACE_OF_DIAGONAL * math.hypot(width, height))


def _fuse(
    name: str,
    visibility: str,
    points: Mapping[str, KeyPoint],
    spread: Mapping[str, float],
    reliability: Mapping[str, float],
) -> KeyPoint:
    if len(points) == 1:
        (point,) = points.values()
        return replace(point, confidence=1.0)
    agreeing = math.fsum(reliability[worker] for worker, point in points.items() if point.visibility == visibility)
    confidence = agreeing / math.fsum(reliability[worker] for worker in points)
    places = _places(points)
    if visibility == "outside" or not places:
        return KeyPoint(name, None, None, "outside", confidence)
    x, y = fusion.fuse(places, spread, reliability)
    return KeyPoint(name, round(x, 2), round(y, 2), visibility, confidence)


def _places(points: Mapping[str, KeyPoint]) -> dict[str, fusion.Position]:
    return {
        worker: (point.x, point.y) for worker, point in points.items() if point.x is not None and point.y is not None
    }
