"""A labelling job's input line with the model's marks for people to correct, within Ground Truth's limits.

The limits on an attribute value and on a line are those of sms-input-data-input-manifest. Pixels are canonical pixels,
and whole ones: what the page shows is exactly what the line says, so an unchanged answer is exactly the pre-label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from labelloop.contracts.augmented import (
    CUSTOM,
    PROPOSALS,
    PROPOSED_KEY_POINTS,
    label_metadata,
    label_value,
)
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.people_values import people_value
from labelloop.contracts.records import Box, KeyPoint, Person, dump_line

IMAGE_SIZE = "image-size"
MOST_VALUE_CHARACTERS = 20_000
MOST_LINE_CHARACTERS = 100_000


def proposal_line(
    source_ref: str,
    width: int,
    height: int,
    boxes: Sequence[Box] | None,
    classes: Sequence[str],
    model: str,
    original_ref: str | None = None,
) -> dict[str, Any]:
    """The line that proposes boxes, in whole pixels inside the image.

    `boxes` None means that no model looked: the line proposes nothing. Ground Truth's limits decide how many boxes
    fit: the most confident stay. Boxes of another class than `classes`, or outside the image, cannot be shown.
    `dropped` in the metadata counts those left out. Raises InvalidInputError when the class list alone does not fit.
    """
    head = _head(source_ref, width, height, original_ref)
    if boxes is None:
        return head
    placed = [_whole_pixels(box, width, height) for box in boxes if box.label in classes]
    shown = sorted((box for box in placed if box), key=lambda box: (-(box.confidence or 0.0), _place(box), box.label))

    def line(count: int) -> dict[str, Any]:
        confidences = [round(box.confidence or 0.0, 4) for box in shown[:count]]
        metadata = label_metadata(classes, confidences, False, "", model)
        value = label_value(width, height, shown[:count], classes)
        return {**head, PROPOSALS: value, f"{PROPOSALS}-metadata": {**metadata, "dropped": len(boxes) - count}}

    return _fitting(line, len(shown))


def key_point_proposal_line(
    source_ref: str,
    width: int,
    height: int,
    people: Sequence[Person] | None,
    names: Sequence[str],
    model: str,
    original_ref: str | None = None,
) -> dict[str, Any]:
    """The line that proposes people, each with one point for each of `names`, in whole pixels inside the image.

    `people` None means that no model looked. A point that lies outside the image, or that a person lacks, is proposed
    as outside the view; one whose name is not in `names` cannot be shown. As many people as fit are shown, those of the
    surest boxes; a person whose box lies outside the image cannot be. `dropped` in the metadata counts those left out.
    Raises InvalidInputError when the names alone do not fit.
    """
    head = _head(source_ref, width, height, original_ref)
    if people is None:
        return head
    placed = [_whole_person(person, names, width, height) for person in people]
    shown = sorted((person for person in placed if person), key=_surest)

    def line(count: int) -> dict[str, Any]:
        confidences = [round(point.confidence or 0.0, 4) for person in shown[:count] for point in person.points]
        metadata = label_metadata(names, confidences, False, "", model, CUSTOM)
        value = people_value(width, height, shown[:count], names)
        described = {**metadata, "dropped": len(people) - count}
        return {**head, PROPOSED_KEY_POINTS: value, f"{PROPOSED_KEY_POINTS}-metadata": described}

    return _fitting(line, len(shown))


def image_sizes(lines: Iterable[str]) -> dict[str, Size]:
    """source-ref -> (width, height) of the image that people are shown, where the lines tell."""
    records = map(json.loads, lines)
    told = ((record["source-ref"], record.get(IMAGE_SIZE)) for record in records)
    return {reference: (size["width"], size["height"]) for reference, size in told if size}


def _head(source_ref: str, width: int, height: int, original_ref: str | None) -> dict[str, Any]:
    original = {} if original_ref is None else {"original-ref": original_ref}
    return {"source-ref": source_ref, **original, IMAGE_SIZE: {"width": width, "height": height}}


def _fitting(line: Callable[[int], dict[str, Any]], most: int) -> dict[str, Any]:
    """The line of as many marks as Ground Truth's limits allow."""
    fitting, too_many = 0, most + 1
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fitting, too_many = (middle, too_many) if _within_limits(line(middle)) else (fitting, middle)
    return _checked(line(fitting))


def _checked(line: dict[str, Any]) -> dict[str, Any]:
    if not _within_limits(line):
        raise InvalidInputError(
            f"proposal for {line['source-ref']}: field 'class-map' alone exceeds Ground Truth's limits"
        )
    return line


def _within_limits(line: dict[str, Any]) -> bool:
    values_fit = all(len(dump_line({"": value})) <= MOST_VALUE_CHARACTERS for value in line.values())
    return values_fit and len(dump_line(line)) <= MOST_LINE_CHARACTERS


def _whole_pixels(box: Box, width: int, height: int) -> Box | None:
    """The box with its edges on whole pixels and inside the image, at least one pixel wide and high; None outside, and
    for a box without area or with a side that is not a number.
    """
    if not (box.width > 0 and box.height > 0 and all(map(math.isfinite, _place(box)))):
        return None
    left, right = max(0, round(box.left)), min(width, round(box.left + box.width))
    top, bottom = max(0, round(box.top)), min(height, round(box.top + box.height))
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return None
    return Box(box.label, left, top, max(1, right - left), max(1, bottom - top), box.confidence)


def _whole_person(person: Person, names: Sequence[str], width: int, height: int) -> Person | None:
    """With one point for each of `names`; None where the box cannot be shown."""
    box = _whole_pixels(person.box, width, height)
    known = {point.label: _whole_point(point, width, height) for point in person.points}
    points = tuple(known.get(name) or KeyPoint(name, None, None, "outside") for name in names)
    return None if box is None else Person(box, points, person.derived)


def _whole_point(point: KeyPoint, width: int, height: int) -> KeyPoint:
    if point.x is None or point.y is None or not (0 <= point.x <= width and 0 <= point.y <= height):
        return KeyPoint(point.label, None, None, "outside", point.confidence)
    return replace(point, x=float(round(point.x)), y=float(round(point.y)))


def _surest(person: Person) -> tuple[float, tuple[float, float, float, float], str]:
    return -(person.box.confidence or 0.0), _place(person.box), repr(person.points)


def _place(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height
