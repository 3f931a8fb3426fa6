"""The boxes in what somebody submitted with crowd-bounding-box, checked (sms-ui-template-crowd-bounding-box).

Canonical pixels. Up to one pixel outside, which rounding in the page makes, is moved to the image's edge; anything
further outside is refused, never repaired: nobody knows what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.in_image import OUTSIDE_TOLERANCE_PIXELS, Size
from labelloop.contracts.records import Box

SMALLEST_BOX_PIXELS = 1.0


def boxes(listed: Sequence[Any], size: Size, classes: Sequence[str]) -> tuple[Box, ...]:
    """In their order. Raises InvalidInputError naming the field."""
    return tuple(_box(mark, number, *size, classes) for number, mark in enumerate(listed))


def _box(mark: Any, number: int, width: int, height: int, classes: Sequence[str]) -> Box:
    context = f"answer, boundingBoxes[{number}]"
    record = fields.mapping(mark, context, "boundingBoxes")
    label = fields.choice(record, "label", context, tuple(classes))
    left, box_width = _span(record, "left", "width", width, context)
    top, box_height = _span(record, "top", "height", height, context)
    return Box(label, left, top, box_width, box_height)


def _span(record: Mapping[str, Any], start: str, extent: str, limit: int, context: str) -> tuple[float, float]:
    """(start, extent) of the box along one axis, inside 0..limit."""
    first = fields.number(record, start, context, -OUTSIDE_TOLERANCE_PIXELS, limit)
    size = fields.number(record, extent, context, 0)
    last = first + size
    if last > limit + OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, extent, f"a box inside the image, which ends at {limit}", last)
    if first < 0 or last > limit:
        first, size = max(first, 0.0), min(last, float(limit)) - max(first, 0.0)
    if size < SMALLEST_BOX_PIXELS:
        raise fields.refuse(context, extent, "at least 1 pixel inside the image", record.get(extent))
    return first, size
