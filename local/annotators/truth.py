"""What is really in the images, as simulated annotators know it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelloop.records import VISIBILITIES, Box, KeyPoint


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
    """Class names, and per object key (of the original upload) what is in the image."""

    classes: tuple[str, ...] = ()
    images: Mapping[str, ImageTruth] = field(default_factory=dict)


def image_key(line: Mapping[str, Any]) -> str | None:
    """Key under which the truth of a manifest line is filed: of the original upload, else of the image shown."""
    uri = line.get("original-ref") or line.get("source-ref")
    if not isinstance(uri, str) or not uri.startswith("s3://"):
        return None
    return uri.removeprefix("s3://").partition("/")[2] or None


def parse_truth(document: Any) -> Truth:
    """Read `{"classes": [...], "images": {"<key>": {"width", "height", "boxes", "keypoints"?}}}`.

    Boxes are `[{"class", "left", "top", "width", "height"}]`; key points `[{"name", "x", "y", "visibility"}]`, or a
    list of such lists, of which the first counts: a key-point task is about one object. Raises TruthError.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), dict):
        raise TruthError('truth needs {"classes": [...], "images": {"<object key>": {...}}}')
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TruthError('"classes" of the truth is a list of class names')
    return Truth(tuple(classes), {key: _image(key, image, classes) for key, image in document["images"].items()})


def load_truth(path: Path) -> Truth:
    return parse_truth(json.loads(path.read_text(encoding="utf-8")))


def _image(key: str, document: Any, classes: list[str]) -> ImageTruth:
    try:
        boxes = tuple(_box(box) for box in document["boxes"])
        points = tuple(_point(point) for point in _one_object(document.get("keypoints") or []))
        image = ImageTruth(int(document["width"]), int(document["height"]), boxes, points)
    except (KeyError, TypeError, ValueError) as error:
        raise TruthError(
            f"truth of {key!r} needs width, height, boxes of class, left, top, width, height, and keypoints (if any) "
            f"of name, x, y, visibility: {error!r}"
        ) from error
    if image.width < 1 or image.height < 1:
        raise TruthError(f"truth of {key!r}: an image has at least one pixel")
    unknown = {box.label for box in image.boxes} - set(classes)
    if unknown:
        raise TruthError(f"truth of {key!r} uses classes that are not listed: {sorted(unknown)}")
    names = [point.label for point in image.key_points]
    if len(set(names)) < len(names):
        raise TruthError(f"truth of {key!r} has a key point twice, but an image has one object: {sorted(names)}")
    return image


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
    return KeyPoint(name, float(document["x"]), float(document["y"]), visibility)
