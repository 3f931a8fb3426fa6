"""Wrong labels of key points, made from the truth for honeypots. Canonical pixels; every choice is `random`'s."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import KeyPoint
from labelloop.tasks.consolidation_key_points import same_place_tolerance

OVERLOOKED = 0.2  # share of the points that the proposal lacks
# How far a point is moved, in distances that still count as the same place.
A_LITTLE_OFF = (1.5, 3.0)
PLAINLY_WRONG = (5.0, 10.0)


def disturbed(image: Annotation, names: Sequence[str], random: Random) -> list[KeyPoint]:
    """As a model would see it: every point a little off, some missing; never exactly the truth."""
    points = image.key_points or ()
    moved = [
        _outside(point) if random.random() < OVERLOOKED else _moved(point, image, random, A_LITTLE_OFF)
        for point in points
    ]
    return moved if any(_is_placed(point) for point in points) else _invented(points, image, names, random)


def spoiled(image: Annotation, names: Sequence[str], random: Random) -> list[KeyPoint]:
    """Plainly wrong: one point is missing, or far from its place; an object outside the view has a point."""
    points = image.key_points or ()
    placed = [place for place, point in enumerate(points) if _is_placed(point)]
    if not placed:
        return _invented(points, image, names, random)
    wrong = random.choice(placed)
    spoilt = _outside(points[wrong]) if random.random() < 0.5 else _moved(points[wrong], image, random, PLAINLY_WRONG)
    return [spoilt if place == wrong else point for place, point in enumerate(points)]


def _is_placed(point: KeyPoint) -> bool:
    return point.x is not None


def _outside(point: KeyPoint) -> KeyPoint:
    return KeyPoint(point.label, None, None, "outside")


def _moved(point: KeyPoint, image: Annotation, random: Random, tolerances: tuple[float, float]) -> KeyPoint:
    if point.x is None or point.y is None:
        return point
    distance = same_place_tolerance(image.width, image.height) * random.uniform(*tolerances)
    angle = random.uniform(0, 2 * math.pi)
    return replace(
        point,
        x=_within(point.x, distance * math.cos(angle), image.width),
        y=_within(point.y, distance * math.sin(angle), image.height),
    )


def _within(place: float, shift: float, limit: int) -> float:
    """Shifted to the other side where it would leave the image."""
    moved = place + shift if 0 <= place + shift <= limit else place - shift
    return min(max(moved, 0.0), float(limit))


def _invented(points: Sequence[KeyPoint], image: Annotation, names: Sequence[str], random: Random) -> list[KeyPoint]:
    name = random.choice(list(names))
    invented = KeyPoint(name, random.uniform(0, image.width), random.uniform(0, image.height), "visible")
    return [*(point for point in points if point.label != name), invented]
