"""The people in what somebody submitted with crowd-keypoint, checked (sms-ui-template-crowd-keypoint).

The labels of the points say whose they are (people_labels). Canonical pixels; as with boxes, up to one pixel outside is
moved to the image's edge, and anything further outside is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import OUTSIDE_TOLERANCE_PIXELS, Size
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import BOTTOM_RIGHT, PERSON, TOP_LEFT, Skeleton
from labelloop.tasks import people_labels
from labelloop.tasks.answered_boxes import SMALLEST_BOX_PIXELS


def people(listed: Sequence[Any], size: Size, skeleton: Skeleton, nothing_here: bool) -> tuple[Person, ...]:
    """By their numbers. Raises InvalidInputError naming the field; so does nobody, where that is not ticked."""
    if not listed and not nothing_here:
        raise InvalidInputError("answer: field 'keypoints' is empty and 'nothing-here' is not ticked: no answer")
    found = _people(listed, *size, skeleton)
    if not found and not nothing_here:
        raise InvalidInputError("answer: field 'keypoints' holds one corner of a box and no point: that is nobody")
    return found


def _people(marks: Sequence[Any], width: int, height: int, skeleton: Skeleton) -> tuple[Person, ...]:
    names = skeleton.names
    placed: dict[int, dict[str, KeyPoint]] = defaultdict(dict)
    for place, mark in enumerate(marks):
        context = f"answer, keypoints[{place}]"
        record = fields.mapping(mark, context, "keypoints")
        label = fields.text(record, "label", context)
        meant = people_labels.meaning(label, names)
        if meant is None:
            offered = ", ".join(people_labels.offered(names, 1))
            raise fields.refuse(context, "label", f"one of {offered}, or one of these of another person (#2)", label)
        number, name, visibility = meant
        if name in placed[number]:
            raise fields.refuse(context, "label", "a key point that is not marked yet", label)
        x, y = (_coordinate(record, axis, limit, context) for axis, limit in (("x", width), ("y", height)))
        placed[number][name] = KeyPoint(name, x, y, visibility)
    people = (_person(placed[number], number, skeleton, (width, height)) for number in sorted(placed))
    return tuple(person for person in people if person)


def _person(placed: Mapping[str, KeyPoint], number: int, skeleton: Skeleton, size: Size) -> Person | None:
    """The two corners are the box, whichever of them is where. None for one corner alone."""
    points = tuple(placed.get(name, KeyPoint(name, None, None, "outside")) for name in skeleton.names)
    corners = [placed[name] for name in (TOP_LEFT, BOTTOM_RIGHT) if name in placed]
    if len(corners) < 2:
        box = derived_box(points, size, skeleton.box_factor)
        return None if box is None else Person(box, points, derived=True)
    (left, right), (top, bottom) = (sorted(getattr(corner, axis) for corner in corners) for axis in ("x", "y"))
    if min(right - left, bottom - top) < SMALLEST_BOX_PIXELS:
        raise InvalidInputError(
            f"answer: field 'keypoints': the corners of person {number} are less than a pixel apart"
        )
    return Person(Box(PERSON, left, top, right - left, bottom - top), points)


def _coordinate(record: Mapping[str, Any], axis: str, limit: int, context: str) -> float:
    tolerance = OUTSIDE_TOLERANCE_PIXELS
    return min(max(fields.number(record, axis, context, -tolerance, limit + tolerance), 0.0), float(limit))
