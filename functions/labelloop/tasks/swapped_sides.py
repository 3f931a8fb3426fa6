"""A worker who took a person's left for the right, in every pair of points: seen by the others, and turned round.

Pure; canonical pixels. Left and right are told by the names of the points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from labelloop.contracts.records import KeyPoint
from labelloop.contracts.skeletons import told_pairs

FEWEST_WORKERS = 3  # of two nobody can tell which one was wrong
# Of the distance to the others, what may be left of it once the sides are exchanged.
MOST_LEFT = 0.5

Points = Sequence[KeyPoint]


def righted(placed: Mapping[str, Points]) -> dict[str, Points]:
    """{worker: points of one person}, where the points of whoever is nearer to the middle of the others with every pair
    exchanged, and far nearer altogether, are exchanged. Each is held against what the others gave, not against what
    becomes of it, so no order matters.
    """
    pairs = told_pairs([point.label for point in next(iter(placed.values()), ())])
    if len(placed) < FEWEST_WORKERS or not pairs:
        return dict(placed)
    partners = {name: other for pair in pairs for name, other in (pair, pair[::-1])}
    return {
        worker: exchanged(points, partners)
        if _is_swapped(points, [other for name, other in placed.items() if name != worker], partners)
        else points
        for worker, points in placed.items()
    }


def exchanged(points: Points, partners: Mapping[str, str]) -> Points:
    """Each point of a pair with the place and visibility of its partner."""
    known = {point.label: point for point in points}
    return tuple(replace(known[partners.get(point.label, point.label)], label=point.label) for point in points)


def _is_swapped(points: Points, others: Sequence[Points], partners: Mapping[str, str]) -> bool:
    expected = _middle(others)
    as_given, other_way = (_distances(each, expected, partners) for each in (points, exchanged(points, partners)))
    compared = as_given.keys() & other_way.keys()
    nearer = all(other_way[name] < as_given[name] for name in compared)
    before, after = (math.fsum(found[name] for name in compared) for found in (as_given, other_way))
    return bool(compared) and nearer and after <= MOST_LEFT * before


def _middle(others: Sequence[Points]) -> dict[str, tuple[float, float]]:
    """name -> the median place of those who placed the point."""
    placed: dict[str, list[tuple[float, float]]] = {}
    for points in others:
        for point in points:
            if point.x is not None and point.y is not None:
                placed.setdefault(point.label, []).append((point.x, point.y))
    return {name: (median(x for x, _ in found), median(y for _, y in found)) for name, found in placed.items()}


def _distances(
    points: Points, expected: Mapping[str, tuple[float, float]], partners: Mapping[str, str]
) -> dict[str, float]:
    return {
        point.label: math.dist((point.x, point.y), expected[point.label])
        for point in points
        if point.label in partners and point.label in expected and point.x is not None and point.y is not None
    }
