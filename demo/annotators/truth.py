"""What is really in the images, as simulated annotators know it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelloop.contracts.records import VISIBILITIES, Box, KeyPoint


class TruthError(ValueError):
    """The truth document does not have the documented shape; the message names the image and what is wrong."""


@dataclass(frozen=True)
class ImageTruth:
    """`key_points` are those of the image's one object; none where only boxes are known."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    key_points: tuple[KeyPoint, ...] = ()


@dataclass(frozen=True)
class Truth:
    """Class names, and per object key (of the original upload) what is in the image. `left_out`: boxes that nobody can
    draw, each with its reason.
    """

    classes: tuple[str, ...] = ()
    images: Mapping[str, ImageTruth] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def image_key(line: Mapping[str, Any]) -> str | None:
    """Key under which the truth of a manifest line is filed: of the original upload, else of the image shown."""
    uri = line.get("original-ref") or line.get("source-ref")
    if not isinstance(uri, str) or not uri.startswith("s3://"):
        return None
    return uri.removeprefix("s3://").partition("/")[2] or None


def parse_truth(document: Any) -> Truth:
    """Read `{"classes": [...], "images": {"<key>": {"width", "height", "boxes", "keypoints"?}}}`.

    Boxes are `[{"class", "left", "top", "width", "height"}]`; key points `[{"name", "x", "y", "visibility"}]`, or a
    list of such lists, of which the first counts: a key-point task is about one object. Of a box that reaches out of
    the image, people see the part inside; one without any, or without an area, is left out. Raises TruthError.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), dict):
        raise TruthError('truth needs {"classes": [...], "images": {"<object key>": {...}}}')
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TruthError('"classes" of the truth is a list of class names')
    left_out: list[str] = []
    images = {key: _image(key, image, classes, left_out) for key, image in document["images"].items()}
    return Truth(tuple(classes), images, tuple(left_out))


def load_truth(path: Path) -> Truth:
    return parse_truth(json.loads(path.read_text(encoding="utf-8")))


def _image(key: str, document: Any, classes: list[str], left_out: list[str]) -> ImageTruth:
    try:
        boxes = [_box(box) for box in document["boxes"]]
        points = tuple(_point(point) for point in _one_object(document.get("keypoints") or []))
        image = ImageTruth(int(document["width"]), int(document["height"]), (), points)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TruthError(
            f"truth of {key!r} needs width, height, boxes of class, left, top, width, height, and keypoints (if any) "
            f"of name, x, y, visibility: {error!r}"
        ) from error
    if image.width < 1 or image.height < 1:
        raise TruthError(f"truth of {key!r}: an image has at least one pixel")
    unknown = {box.label for box in boxes} - set(classes)
    if unknown:
        raise TruthError(f"truth of {key!r} uses classes that are not listed: {sorted(unknown)}")
    names = [point.label for point in image.key_points]
    if len(set(names)) < len(names):
        raise TruthError(f"truth of {key!r} has a key point twice, but an image has one object: {sorted(names)}")
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


def _one_object(listed: list[Any]) -> list[Any]:
    objects = [each for each in listed if isinstance(each, list)]
    return next((each for each in objects if each), []) if objects else listed


def _box(document: Any) -> Box:
    sides = (float(document[side]) for side in ("left", "top", "width", "height"))
    return Box(str(document["class"]), *sides)


def _point(document: Any) -> KeyPoint:
    name, visibility = str(document["name"]), document["visibility"]
    if visibility not in VISIBILITIES:
        raise ValueError(f"visibility is one of {', '.join(VISIBILITIES)}, not {visibility!r}")
    if visibility == "outside":
        return KeyPoint(name, None, None, visibility)
    x, y = float(document["x"]), float(document["y"])
    if not math.isfinite(x) or not math.isfinite(y):
        raise ValueError(f"x and y of {name!r} are numbers of pixels, not {x} and {y}")
    return KeyPoint(name, x, y, visibility)
