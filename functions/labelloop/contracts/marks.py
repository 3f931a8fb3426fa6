"""What is marked in an image, boxes or people; also as JSON that nobody else wrote, of answers and of honeypots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.predictions import Size
from labelloop.contracts.records import Box, KeyPoint, Person

Mark = Box | Person


def exact(mark: Mark) -> dict[str, Any]:
    """All that the mark has, unrounded."""
    return asdict(mark)


def rounded(mark: Mark) -> dict[str, Any]:
    """A box as a Prediction has it; a person exactly."""
    return mark.to_json() if isinstance(mark, Box) else asdict(mark)


def sure(mark: Mark, confidence: Callable[[], float | None]) -> Mark:
    """The mark with other confidences; a person's box and points each have one of their own."""
    if isinstance(mark, Box):
        return replace(mark, confidence=confidence())
    points = tuple(replace(point, confidence=confidence()) for point in mark.points)
    return replace(mark, box=replace(mark.box, confidence=confidence()), points=points)


def names(mark: Mark) -> set[str]:
    """The names that the stack must know to show it: the box's class, or those of the person's points."""
    return {mark.label} if isinstance(mark, Box) else {point.label for point in mark.points}


def renamed(mark: Mark, name_of: Callable[[str], str]) -> Mark:
    """The mark with other names: of the box's class, or of the person's points."""
    if isinstance(mark, Box):
        return replace(mark, label=name_of(mark.label))
    return replace(mark, points=tuple(replace(point, label=name_of(point.label)) for point in mark.points))


def read(records: Sequence[Mapping[str, Any]], size: Size) -> tuple[Mark, ...]:
    """The marks of one image of this (width, height). Earlier versions kept the points of one person."""
    if records and "visibility" in records[0]:
        return one_person([KeyPoint(**record) for record in records], size)
    return tuple(map(_mark, records))


def _mark(record: Mapping[str, Any]) -> Mark:
    if "box" in record:
        points = tuple(KeyPoint(**point) for point in record["points"])
        return Person(Box(**record["box"]), points, record["derived"], record["area"])
    return Box.from_json(record) if "class" in record else Box(**record)
