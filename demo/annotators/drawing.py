"""Marks as annotators make them: what they see of the truth with their mistakes, or anything at all.

Marks are in the shapes of crowd-bounding-box and crowd-keypoint: whole pixels inside the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from labelloop.contracts.records import OCCLUDED, Box, KeyPoint

from demo.annotators.noise import Noise
from demo.annotators.truth import ImageTruth

MOST_RANDOM_BOXES = 4
SWAPPED = {"visible": "occluded", "occluded": "visible"}


def seen_boxes(image: ImageTruth, classes: Sequence[str], noise: Noise, random: Random) -> list[dict[str, Any]]:
    seen = [_box(box, image, classes, noise, random) for box in image.boxes if random.random() >= noise.miss_rate]
    if classes and random.random() < noise.phantom_rate:
        seen.append(random_box(image, classes, random))
    return [box for box in seen if box["label"] in classes]


def random_boxes(image: ImageTruth, classes: Sequence[str], random: Random) -> list[dict[str, Any]]:
    return [random_box(image, classes, random) for _ in range(random.randint(1, MOST_RANDOM_BOXES)) if classes]


def random_box(image: ImageTruth, classes: Sequence[str], random: Random) -> dict[str, Any]:
    width, height = image.width * random.uniform(0.05, 0.25), image.height * random.uniform(0.05, 0.25)
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    return _pixels(random.choice(classes), left, top, left + width, top + height, image)


def seen_points(image: ImageTruth, labels: Sequence[str], noise: Noise, random: Random) -> list[dict[str, Any]]:
    """`labels` are those of the task: a name, or a name and " (occluded)"."""
    seen = [_point(point, image, noise, random) for point in image.key_points]
    return [point for point in seen if point is not None and point["label"] in labels]


def random_points(image: ImageTruth, labels: Sequence[str], random: Random) -> list[dict[str, Any]]:
    names = [label for label in labels if not label.endswith(OCCLUDED)]
    return [_random_point(name, image, random) for name in names]


def _box(box: Box, image: ImageTruth, classes: Sequence[str], noise: Noise, random: Random) -> dict[str, Any]:
    edges = [box.left, box.top, box.left + box.width, box.top + box.height]
    left, top, right, bottom = (edge + random.gauss(0.0, noise.jitter_px) for edge in edges)
    others = [name for name in classes if name != box.label]
    label = random.choice(others) if others and random.random() < noise.wrong_class_rate else box.label
    return _pixels(label, left, top, right, bottom, image)


def _pixels(label: str, left: float, top: float, right: float, bottom: float, image: ImageTruth) -> dict[str, Any]:
    """Integer box inside the image, at least one pixel wide and high, as the crowd element makes them."""
    x0 = min(max(round(min(left, right)), 0), image.width - 1)
    y0 = min(max(round(min(top, bottom)), 0), image.height - 1)
    x1 = max(min(round(max(left, right)), image.width), x0 + 1)
    y1 = max(min(round(max(top, bottom)), image.height), y0 + 1)
    return {"height": y1 - y0, "label": label, "left": x0, "top": y0, "width": x1 - x0}


def _point(point: KeyPoint, image: ImageTruth, noise: Noise, random: Random) -> dict[str, Any] | None:
    """None for a point that is left out, which says: outside the view."""
    if point.x is None or point.y is None:
        return _random_point(point.label, image, random) if random.random() < noise.phantom_rate else None
    if random.random() < noise.miss_rate:
        return None
    x, y = (axis + random.gauss(0.0, noise.jitter_px) for axis in (point.x, point.y))
    swapped = random.random() < noise.wrong_visibility_rate
    return _placed(point.label, SWAPPED[point.visibility] if swapped else point.visibility, x, y, image)


def _random_point(name: str, image: ImageTruth, random: Random) -> dict[str, Any]:
    visibility = random.choice(tuple(SWAPPED))
    return _placed(name, visibility, random.uniform(0, image.width), random.uniform(0, image.height), image)


def _placed(name: str, visibility: str, x: float, y: float, image: ImageTruth) -> dict[str, Any]:
    label = name + OCCLUDED if visibility == "occluded" else name
    return {"label": label, "x": min(max(round(x), 0), image.width), "y": min(max(round(y), 0), image.height)}
