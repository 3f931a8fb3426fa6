"""Simulated annotators: they answer bounding-box tasks from known truth, with adjustable mistakes.

Coordinates are integer pixels of the stored image, origin top left, `left, top, width, height`.
An answer depends on (seed, worker, image) only, so it does not change with the order of tasks or the number of runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any


class TruthError(ValueError):
    """The truth document does not have the documented shape; the message names the image and what is wrong."""


@dataclass(frozen=True)
class Box:
    label: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class ImageTruth:
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Truth:
    """What is really in the images: class names, and per object key (of the original upload) size and boxes."""

    classes: tuple[str, ...] = ()
    images: Mapping[str, ImageTruth] = field(default_factory=dict)


@dataclass(frozen=True)
class Noise:
    """How wrong the annotators are.

    jitter_px: standard deviation of each box edge. miss_rate: probability that a box is overlooked.
    phantom_rate: probability that an image gets one box too many. wrong_class_rate: probability that a box gets
    another class (needs two classes). seed: changes every answer of every worker.
    """

    jitter_px: float = 0.0
    miss_rate: float = 0.0
    phantom_rate: float = 0.0
    wrong_class_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("miss_rate", "phantom_rate", "wrong_class_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a probability between 0 and 1, not {getattr(self, name)}")
        if not 0.0 <= self.jitter_px < float("inf"):
            raise ValueError(f"jitter_px is a number of pixels >= 0, not {self.jitter_px}")


def answer(truth: Truth, noise: Noise, worker: str, key: str) -> dict[str, Any] | None:
    """The worker's crowd-bounding-box answer for the image stored under `key`; None when nothing is known about it."""
    image = truth.images.get(key)
    if image is None:
        return None
    random = Random(f"{noise.seed}/{worker}/{key}")
    seen = [
        _draw(box, image, truth.classes, noise, random) for box in image.boxes if random.random() >= noise.miss_rate
    ]
    if truth.classes and random.random() < noise.phantom_rate:
        seen.append(_phantom(image, truth.classes, random))
    return {
        "annotatedResult": {
            "boundingBoxes": seen,
            "inputImageProperties": {"height": image.height, "width": image.width},
        }
    }


def worker_names(count: int) -> list[str]:
    """Ids of private workers as Ground Truth writes them: `private.<region>.<26 characters>`; always the same."""
    return [
        f"private.us-east-1.{hashlib.sha256(f'annotator {n}'.encode()).hexdigest()[:26].upper()}" for n in range(count)
    ]


def image_key(line: Mapping[str, Any]) -> str | None:
    """Key under which the truth of a manifest line is filed: of the original upload, else of the image shown."""
    uri = line.get("original-ref") or line.get("source-ref")
    if not isinstance(uri, str) or not uri.startswith("s3://"):
        return None
    return uri.removeprefix("s3://").partition("/")[2] or None


def parse_truth(document: Any) -> Truth:
    """Read `{"classes": [...], "images": {"<key>": {"width", "height", "boxes": [{"class", "left", ...}]}}}`."""
    if not isinstance(document, dict) or not isinstance(document.get("images"), dict):
        raise TruthError('truth needs {"classes": [...], "images": {"<object key>": {...}}}')
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TruthError('"classes" of the truth is a list of class names')
    return Truth(tuple(classes), {key: _image(key, image, classes) for key, image in document["images"].items()})


def load_truth(path: Path) -> Truth:
    return parse_truth(json.loads(path.read_text(encoding="utf-8")))


def parse_noise(document: Any) -> Noise:
    known = {item.name for item in fields(Noise)}
    if not isinstance(document, dict) or not set(document) <= known:
        raise ValueError(f"annotator settings are an object with some of {sorted(known)}")
    return Noise(**document)


def _draw(box: Box, image: ImageTruth, classes: tuple[str, ...], noise: Noise, random: Random) -> dict[str, Any]:
    edges = [box.left, box.top, box.left + box.width, box.top + box.height]
    left, top, right, bottom = (edge + random.gauss(0.0, noise.jitter_px) for edge in edges)
    others = [name for name in classes if name != box.label]
    label = random.choice(others) if others and random.random() < noise.wrong_class_rate else box.label
    return _pixels(label, left, top, right, bottom, image)


def _phantom(image: ImageTruth, classes: tuple[str, ...], random: Random) -> dict[str, Any]:
    width, height = image.width * random.uniform(0.05, 0.25), image.height * random.uniform(0.05, 0.25)
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    return _pixels(random.choice(classes), left, top, left + width, top + height, image)


def _pixels(label: str, left: float, top: float, right: float, bottom: float, image: ImageTruth) -> dict[str, Any]:
    """Integer box inside the image, at least one pixel wide and high, as the crowd element makes them."""
    x0 = min(max(round(min(left, right)), 0), image.width - 1)
    y0 = min(max(round(min(top, bottom)), 0), image.height - 1)
    x1 = max(min(round(max(left, right)), image.width), x0 + 1)
    y1 = max(min(round(max(top, bottom)), image.height), y0 + 1)
    return {"height": y1 - y0, "label": label, "left": x0, "top": y0, "width": x1 - x0}


def _image(key: str, document: Any, classes: list[str]) -> ImageTruth:
    try:
        image = ImageTruth(
            int(document["width"]), int(document["height"]), tuple(_box(box) for box in document["boxes"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TruthError(
            f"truth of {key!r} needs width, height and boxes of class, left, top, width, height: {error!r}"
        ) from error
    if image.width < 1 or image.height < 1:
        raise TruthError(f"truth of {key!r}: an image has at least one pixel")
    unknown = {box.label for box in image.boxes} - set(classes)
    if unknown:
        raise TruthError(f"truth of {key!r} uses classes that are not listed: {sorted(unknown)}")
    return image


def _box(document: Any) -> Box:
    return Box(
        str(document["class"]),
        float(document["left"]),
        float(document["top"]),
        float(document["width"]),
        float(document["height"]),
    )
