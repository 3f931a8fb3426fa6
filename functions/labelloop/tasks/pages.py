"""The pre-label of a manifest line, checked, and its marks as the crowd widgets take them.

The line may come from anywhere, so everything in it is checked before it is used. Pixels are canonical pixels.
Elements: crowd-bounding-box, crowd-keypoint, crowd-image-classifier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.augmented import (
    PROPOSALS,
    PROPOSED_KEY_POINTS,
    image_size,
    read_boxes,
    whole_or_fraction,
)
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.people_values import read_people
from labelloop.contracts.records import Box, Person
from labelloop.contracts.skeletons import PERSON
from labelloop.tasks import people_labels

POINT_SHARE = 0.06  # of the root of the person's box: the side of the square that shows a point
LEAST_POINT_PIXELS = 4.0


def box_mark(box: Box) -> dict[str, Any]:
    """A box as crowd-bounding-box takes it."""
    return {"label": box.label} | {s: whole_or_fraction(getattr(box, s)) for s in ("left", "top", "width", "height")}


def proposed_boxes(record: Mapping[str, Any], classes: Sequence[str], context: str) -> Sequence[Box]:
    found = _proposal(record, PROPOSALS, context)
    if found is None:
        return ()
    value, metadata, width, height, where = found
    boxes = read_boxes(value, metadata, classes, where)
    for index, box in enumerate(boxes):
        at = f"{where}.annotations[{index}]"
        _check_label(box.label, classes, at)
        _check_span(box.left, box.width, "left", "width", width, at)
        _check_span(box.top, box.height, "top", "height", height, at)
    return boxes


def proposed_people(record: Mapping[str, Any], names: Sequence[str], context: str) -> Sequence[Person]:
    found = _proposal(record, PROPOSED_KEY_POINTS, context)
    if found is None:
        return ()
    value, metadata, width, height, where = found
    people = read_people(value, metadata, names, where)
    for index, person in enumerate(people):
        at = f"{where}.people[{index}]"
        for point in person.points:
            _check_label(point.label, names, at)
            for axis, place, limit in (("x", point.x, width), ("y", point.y, height)):
                if place is not None and not 0 <= place <= limit:
                    raise fields.refuse(
                        f"{at}, '{point.label}'", axis, f"a place inside the image, 0 to {limit}", place
                    )
        _check_span(person.box.left, person.box.width, "left", "width", width, at)
        _check_span(person.box.top, person.box.height, "top", "height", height, at)
    return people


def people_overlay(people: Sequence[Person], names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """(boxes, labels): crowd-image-classifier lays boxes over an image and nothing else. Each person has one, and each
    placed point a small one of its own.
    """
    labels = [PERSON, *(people_labels.label(name, 1, seen) for name in names for seen in ("visible", "occluded"))]
    boxes = []
    for person in people:
        boxes.append({**box_mark(person.box), "label": PERSON})
        side = max(POINT_SHARE * math.sqrt(person.box.width * person.box.height), LEAST_POINT_PIXELS)
        for point in person.points:
            if point.x is not None and point.y is not None:
                left, top = max(point.x - side / 2, 0.0), max(point.y - side / 2, 0.0)
                square = Box(people_labels.label(point.label, 1, point.visibility), left, top, side, side)
                boxes.append(box_mark(square))
    return boxes, labels


def _proposal(
    record: Mapping[str, Any], attribute: str, context: str
) -> tuple[dict[str, Any], dict[str, Any], int, int, str] | None:
    """(value, metadata, image width, image height, context for errors); None where the line proposes nothing."""
    if record.get(attribute) is None:
        return None
    where = f"{context}, {attribute}"
    value = fields.mapping(record[attribute], context, attribute)
    metadata = fields.mapping(record.get(f"{attribute}-metadata") or {}, context, f"{attribute}-metadata")
    size = image_size(value, where)
    width, height = (fields.integer(size, side, f"{where}.image_size", minimum=1) for side in ("width", "height"))
    return value, metadata, width, height, where


def _check_label(label: str, known: Sequence[str], context: str) -> None:
    if label not in known:
        raise InvalidInputError(
            f"{context}: field 'class_id' names {fields.shown(label)}, which the widget would refuse: "
            f"it offers {', '.join(known)}"
        )


def _check_span(start: float, extent: float, start_name: str, extent_name: str, limit: int, context: str) -> None:
    if not 0 <= start < limit:
        raise fields.refuse(context, start_name, f"a place inside the image, 0 to {limit}", start)
    if not 0 < extent <= limit - start:
        raise fields.refuse(context, extent_name, f"the extent of a box that ends inside the image, at {limit}", extent)
