"""How well the people of one image are labelled. Canonical pixels; every result lies in 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from labelloop.contracts.records import UNLABELLED, KeyPoint, Person
from labelloop.contracts.skeletons import USUAL_SIGMA, Skeleton
from labelloop.tasks import matchable_boxes, oks
from labelloop.tasks.quality import match_boxes

SAME_PERSON_IOU = 0.3


def people_quality(people: Sequence[Person], truth: Sequence[Person], skeleton: Skeleton | None = None) -> float:
    """The sum over matched people of their `person_quality`, over the larger number of people; 1 where nobody is there
    and nobody is labelled.

    People are those of one class whose boxes (`matchable_boxes`) overlap by SAME_PERSON_IOU or more, the most overlap
    first. A missed person and an invented one each cost as much as one of whom every point is wrong. Symmetric, and
    independent of order.
    """
    if not people and not truth:
        return 1.0
    matches = match_boxes(*matchable_boxes.of(people, truth))
    found = [person_quality(people[i], truth[j], skeleton) for overlap, i, j in matches if overlap >= SAME_PERSON_IOU]
    return math.fsum(found) / max(len(people), len(truth))


def person_quality(one: Person, other: Person, skeleton: Skeleton | None = None) -> float:
    """The mean over the points of closeness times right visibility.

    A point of which both say the same visibility has the closeness of object key-point similarity (`oks.closeness`), or
    1 where both say outside; 0 where they differ. One that nobody labelled in either says nothing. `skeleton` None:
    each sigma is the usual one.
    """
    size = _area(one, other)
    others = {point.label: point for point in other.points}
    sigma: Callable[[str], float] = skeleton.sigma if skeleton else lambda name: USUAL_SIGMA
    pairs = [(point, others[point.label]) for point in one.points if point.label in others]
    qualities = [
        _point_quality(point, known, size, sigma(point.label))
        for point, known in pairs
        if UNLABELLED not in (point.visibility, known.visibility)
    ]
    unmatched = len(one.points) + len(other.points) - 2 * len(pairs)
    qualities += [0.0] * unmatched
    return fmean(qualities) if qualities else 1.0


def _point_quality(point: KeyPoint, known: KeyPoint, size: float, sigma: float) -> float:
    if point.visibility != known.visibility:
        return 0.0
    if point.x is None or point.y is None or known.x is None or known.y is None:
        return 1.0
    x, y = point.x - known.x, point.y - known.y
    return oks.closeness(x * x + y * y, size, sigma)


def _area(one: Person, other: Person) -> float:
    """That of the file where one of the two is from one, else the mean of what their boxes make likely."""
    told = [person.area for person in (one, other) if person.area is not None]
    return fmean(told or [oks.area(one), oks.area(other)])
