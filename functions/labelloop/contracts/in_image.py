"""What lies in an image: marks that somebody or something placed, cut at its edges where rounding put them over it.

Pure. Canonical pixels; a size is (width, height). Errors: InvalidInputError naming the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from labelloop.contracts import fields
from labelloop.contracts.records import Box, KeyPoint, SeenPoint

OUTSIDE_TOLERANCE_PIXELS = 1.0
SMALLEST_SIDE = 1.0  # pixels; people's tools draw whole ones

Size = tuple[int, int]
Point = TypeVar("Point", KeyPoint, SeenPoint)


def inside(box: Box, size: Size, classes: Sequence[str], context: str) -> Box:
    if box.label not in classes:
        raise fields.refuse(context, "class", "one of the stack's classes", box.label)
    left, width = _span(box.left, box.width, size[0], ("left", "width"), context)
    top, height = _span(box.top, box.height, size[1], ("top", "height"), context)
    return replace(box, left=left, top=top, width=width, height=height)


def large_enough(box: Box, context: str) -> Box:
    for side in ("width", "height"):
        if getattr(box, side) < SMALLEST_SIDE:
            raise fields.refuse(context, side, "at least a pixel inside the image", getattr(box, side))
    return box


def visible_part(box: Box, size: Size) -> Box | None:
    """None where less than a pixel of it is in the image."""
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    width, height = min(box.left + box.width, size[0]) - left, min(box.top + box.height, size[1]) - top
    large = min(width, height) >= SMALLEST_SIDE
    return replace(box, left=left, top=top, width=width, height=height) if large else None


def grown(box: Box, size: Size) -> Box:
    """The box, of a pixel at least along both axes."""
    (left, width), (top, height) = _grown(box.left, box.width, size[0]), _grown(box.top, box.height, size[1])
    return replace(box, left=left, top=top, width=width, height=height)


def placed(point: Point, size: Size, context: str) -> Point:
    """The point, moved to the edge where it lies over it by a pixel; one without a place stays."""
    if point.x is None or point.y is None:
        return point
    for axis, place, limit in zip("xy", (point.x, point.y), size, strict=True):
        if not -OUTSIDE_TOLERANCE_PIXELS <= place <= limit + OUTSIDE_TOLERANCE_PIXELS:
            raise fields.refuse(context, axis, f"inside the image, which ends at {limit}", place)
    return replace(point, x=min(max(point.x, 0.0), float(size[0])), y=min(max(point.y, 0.0), float(size[1])))


def _span(start: float, extent: float, limit: int, names: tuple[str, str], context: str) -> tuple[float, float]:
    """(start, extent) of a box along one axis, inside 0..limit."""
    end = start + extent
    if start < -OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, names[0], "inside the image", start)
    if end > limit + OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, names[1], f"a box inside the image, which ends at {limit}", end)
    inside = (max(start, 0.0), min(end, float(limit)))
    if inside[1] <= inside[0]:
        raise fields.refuse(context, names[1], "greater than 0 inside the image", extent)
    return (start, extent) if inside == (start, end) else (inside[0], inside[1] - inside[0])


def _grown(start: float, length: float, limit: int) -> tuple[float, float]:
    if length >= SMALLEST_SIDE:
        return start, length
    return min(max(start + (length - SMALLEST_SIDE) / 2, 0.0), limit - SMALLEST_SIDE), SMALLEST_SIDE
