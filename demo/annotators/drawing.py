"""Marks as annotators make them: what they see of the truth with their mistakes, or anything at all.

Marks are in the shapes of crowd-bounding-box and crowd-keypoint: whole pixels inside the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, told_pairs
from labelloop.tasks import people_labels

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


def seen_people(image: ImageTruth, labels: Sequence[str], noise: Noise, random: Random) -> list[dict[str, Any]]:
    """`labels` are those of the page, as people_labels has them: with points and corners of so many people."""
    number, marks = 0, []
    for person in image.people:
        if len(image.people) > 1 and random.random() < noise.miss_rate:
            continue
        seen = _person(person, image, noise, random)
        marked = people_labels.marks(seen, number + 1)
        if marked:
            number += 1
            marks += marked
    return [mark for mark in marks if mark["label"] in labels]


def random_person(image: ImageTruth, labels: Sequence[str], random: Random) -> list[dict[str, Any]]:
    points = tuple(_random_point(name, image, random) for name in people_labels.names_of(labels))
    box = Box(PERSON, *_whole(random_box(image, [PERSON], random)))
    return [mark for mark in people_labels.marks(Person(box, points), 1) if mark["label"] in labels]


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


def _person(person: Person, image: ImageTruth, noise: Noise, random: Random) -> Person:
    points = [_point(point, image, noise, random) for point in person.points]
    if random.random() < noise.swap_rate:
        points = _swapped(points)
    box = Box(PERSON, *_whole(_box(replace(person.box, label=PERSON), image, [PERSON], noise, random)))
    return Person(box, tuple(points), person.derived)


def _whole(drawn: dict[str, Any]) -> tuple[float, float, float, float]:
    return drawn["left"], drawn["top"], drawn["width"], drawn["height"]


def _swapped(points: Sequence[KeyPoint]) -> list[KeyPoint]:
    """Each left point where the right one is, and the other way round."""
    known = {point.label: point for point in points}
    other = {name: partner for pair in told_pairs(tuple(known)) for name, partner in (pair, pair[::-1])}
    return [replace(known[other.get(point.label, point.label)], label=point.label) for point in points]


def _point(point: KeyPoint, image: ImageTruth, noise: Noise, random: Random) -> KeyPoint:
    """Outside the view where it is left out."""
    if point.x is None or point.y is None:
        return _random_point(point.label, image, random) if random.random() < noise.phantom_rate else _left_out(point)
    if random.random() < noise.miss_rate:
        return _left_out(point)
    x, y = (axis + random.gauss(0.0, noise.jitter_px) for axis in (point.x, point.y))
    swapped = random.random() < noise.wrong_visibility_rate
    return _placed(point.label, SWAPPED[point.visibility] if swapped else point.visibility, x, y, image)


def _left_out(point: KeyPoint) -> KeyPoint:
    return KeyPoint(point.label, None, None, "outside")


def _random_point(name: str, image: ImageTruth, random: Random) -> KeyPoint:
    visibility = random.choice(tuple(SWAPPED))
    return _placed(name, visibility, random.uniform(0, image.width), random.uniform(0, image.height), image)


def _placed(name: str, visibility: str, x: float, y: float, image: ImageTruth) -> KeyPoint:
    return KeyPoint(name, min(max(round(x), 0), image.width), min(max(round(y), 0), image.height), visibility)
