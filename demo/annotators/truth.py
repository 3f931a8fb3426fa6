"""What is really in the images, as simulated annotators know it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import UNLABELLED, VISIBILITIES, Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, USUAL_BOX_FACTOR, Skeleton


class TruthError(ValueError):
    """The truth document does not have the documented shape; the message names the image and what is wrong."""


@dataclass(frozen=True)
class ImageTruth:
    """`people` are those with key points; none where only boxes are known."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    people: tuple[Person, ...] = ()


@dataclass(frozen=True)
class Truth:
    """Class names, and per object key (of the original upload) what is in the image. `left_out`: boxes that nobody can
    draw, each with its reason. `skeleton`: of the people, where it is known; else the usual one of their points' names.

    People cannot say in a page that they do not know where a point is. What is `unlabelled` here they leave out, which
    means outside the view, and against this truth it counts neither as right nor as wrong.
    """

    classes: tuple[str, ...] = ()
    images: Mapping[str, ImageTruth] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    skeleton: Skeleton | None = None


def image_key(line: Mapping[str, Any]) -> str | None:
    """Key under which the truth of a manifest line is filed: of the original upload, else of the image shown."""
    uri = line.get("original-ref") or line.get("source-ref")
    if not isinstance(uri, str) or not uri.startswith("s3://"):
        return None
    return uri.removeprefix("s3://").partition("/")[2] or None


def parse_truth(document: Any) -> Truth:
    """Read `{"classes": [...], "skeleton"?, "images": {"<key>": {...}}}`.

    An image has `width`, `height`, `boxes`, and `keypoints` or `people` if any. Boxes are
    `[{"class", "left", "top", "width", "height"}]`; people `[{"left"?, "top"?, "width"?, "height"?, "derived"?,
    "area"?, "points"}]`, with points as `[{"name", "x", "y", "visibility"}]`; `keypoints` are the points of one person,
    or lists of those of several. People without a box get one round their points. Of a box that reaches out of the
    image, people see the part inside; one without any, or without an area, is left out. `skeleton` is a document of
    skeletons.Skeleton. Raises TruthError.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), dict):
        raise TruthError('truth needs {"classes": [...], "images": {"<object key>": {...}}}')
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TruthError('"classes" of the truth is a list of class names')
    left_out: list[str] = []
    skeleton = _skeleton(document.get("skeleton"))
    factor = skeleton.box_factor if skeleton else USUAL_BOX_FACTOR
    images = {key: _image(key, image, classes, factor, left_out) for key, image in document["images"].items()}
    return Truth(tuple(classes), images, tuple(left_out), skeleton)


def load_truth(path: Path) -> Truth:
    return parse_truth(json.loads(path.read_text(encoding="utf-8")))


def _skeleton(document: Any) -> Skeleton | None:
    try:
        return None if document is None else Skeleton.from_json(document, "skeleton of the truth")
    except (InvalidInputError, AttributeError) as error:
        raise TruthError(f"the skeleton of the truth cannot be used: {error}") from error


def _image(key: str, document: Any, classes: list[str], factor: float, left_out: list[str]) -> ImageTruth:
    try:
        boxes = [_box(box) for box in document["boxes"]]
        width, height = int(document["width"]), int(document["height"])
        known = [_person(person, (width, height), factor) for person in _people(document)]
        image = ImageTruth(width, height, (), tuple(person for person in known if person))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TruthError(
            f"truth of {key!r} needs width, height, boxes of class, left, top, width, height, and keypoints or people "
            f"(if any) with points of name, x, y, visibility: {error!r}"
        ) from error
    if image.width < 1 or image.height < 1:
        raise TruthError(f"truth of {key!r}: an image has at least one pixel")
    unknown = {box.label for box in boxes} - set(classes)
    if unknown:
        raise TruthError(f"truth of {key!r} uses classes that are not listed: {sorted(unknown)}")
    for person in image.people:
        names = [point.label for point in person.points]
        if len(set(names)) < len(names):
            raise TruthError(f"truth of {key!r} has a key point of one person twice: {sorted(names)}")
    seen = []
    for number, box in enumerate(boxes):
        visible = _visible(box, image.width, image.height)
        if visible is None:
            left_out.append(f"boxes[{number}] of {key!r}: nothing of it lies in the image, or it has no area")
        else:
            seen.append(visible)
    return replace(image, boxes=tuple(seen))


def _visible(box: Box, width: int, height: int) -> Box | None:
    sides = (box.left, box.top, box.width, box.height)
    if not all(map(math.isfinite, sides)):
        return None
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    right, bottom = min(box.left + box.width, float(width)), min(box.top + box.height, float(height))
    if right <= left or bottom <= top:
        return None
    inside = (left, top, right) == (box.left, box.top, box.left + box.width) and bottom == box.top + box.height
    return box if inside else replace(box, left=left, top=top, width=right - left, height=bottom - top)


def _people(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if document.get("people") is not None:
        return list(document["people"])
    listed = document.get("keypoints") or []
    several = listed if any(isinstance(each, list) for each in listed) else [listed]
    return [{"points": points} for points in several if points]


def _person(document: Mapping[str, Any], size: tuple[int, int], factor: float) -> Person | None:
    """None for somebody of whom there is neither a box with something in the image nor a point."""
    points = tuple(_point(point) for point in document["points"])
    area = None if document.get("area") is None else float(document["area"])
    if "left" in document:
        box = _visible(_box({"class": PERSON, **document}), *size)
        derived = bool(document.get("derived", False))
    else:
        box, derived = derived_box(points, size, factor), True
    return None if box is None else Person(box, points, derived, area)


def _box(document: Any) -> Box:
    sides = (float(document[side]) for side in ("left", "top", "width", "height"))
    return Box(str(document["class"]), *sides)


def _point(document: Any) -> KeyPoint:
    name, visibility = str(document["name"]), document["visibility"]
    if visibility not in (*VISIBILITIES, UNLABELLED):
        raise ValueError(f"visibility is one of {', '.join((*VISIBILITIES, UNLABELLED))}, not {visibility!r}")
    if visibility in ("outside", UNLABELLED):
        return KeyPoint(name, None, None, visibility)
    x, y = float(document["x"]), float(document["y"])
    if not math.isfinite(x) or not math.isfinite(y):
        raise ValueError(f"x and y of {name!r} are numbers of pixels, not {x} and {y}")
    return KeyPoint(name, x, y, visibility)
