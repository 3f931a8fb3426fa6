"""The box of a person of whom only points are known: a square round them. Canonical pixels; pure."""

from __future__ import annotations

from collections.abc import Sequence

from labelloop.contracts.in_image import Size
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, USUAL_BOX_FACTOR

# Of the image's longer side: one point alone has no extent, and a box without area would be nowhere.
LEAST_SIDE = 0.1


def derived_box(points: Sequence[KeyPoint], size: Size, factor: float = USUAL_BOX_FACTOR) -> Box | None:
    """A square whose side is `factor` times the longer extent of the placed points, round their middle, clipped to the
    image of this (width, height); None where no point is placed.
    """
    placed = [(point.x, point.y) for point in points if point.x is not None and point.y is not None]
    if not placed:
        return None
    spans = [(min(axis), max(axis)) for axis in zip(*placed, strict=True)]
    side = max(factor * max(last - first for first, last in spans), LEAST_SIDE * max(size))
    edges = [
        (max((first + last - side) / 2, 0.0), min((first + last + side) / 2, float(limit)))
        for (first, last), limit in zip(spans, size, strict=True)
    ]
    (left, right), (top, bottom) = ((round(start, 2), round(max(start, end), 2)) for start, end in edges)
    return Box(PERSON, left, top, round(right - left, 2), round(bottom - top, 2))


def one_person(points: Sequence[KeyPoint], size: Size) -> tuple[Person, ...]:
    """Who is labelled by points alone, as earlier versions labelled: nobody where all points are outside the view."""
    box = derived_box(points, size)
    return () if box is None else (Person(box, tuple(points), derived=True),)
