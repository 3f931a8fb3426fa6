"""Wrong labels of boxes, made from the truth for honeypots. Canonical pixels; every choice is `random`'s."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box

LARGEST_EDGE_SHIFT = 0.25  # of the box's side: plainly more than a careful hand is off
OVERLOOKED = 0.2  # share of boxes that the proposal lacks


def disturbed(image: Annotation, names: Sequence[str], random: Random) -> list[Box]:
    """As a model sees it: every edge a little off, some boxes missing; never exactly the truth."""
    moved = [_shifted(box, image, random) for box in image.boxes if random.random() >= OVERLOOKED]
    return moved if moved or image.boxes else [_phantom(image, names, random)]


def spoiled(image: Annotation, names: Sequence[str], random: Random) -> list[Box]:
    """Plainly wrong: one box is missing, or beside its object; an empty image has a box."""
    if not image.boxes:
        return [_phantom(image, names, random)]
    wrong = random.randrange(len(image.boxes))
    rest = [box for place, box in enumerate(image.boxes) if place != wrong]
    beside = _beside(image.boxes[wrong], image)
    return rest if beside is None or random.random() < 0.5 else [*rest, beside]


def _shifted(box: Box, image: Annotation, random: Random) -> Box:
    """Every edge moves by at least one pixel and at most LARGEST_EDGE_SHIFT of its side, within the image."""

    def edge(place: float, side: float, limit: int) -> float:
        shift = max(1.0, random.uniform(0, LARGEST_EDGE_SHIFT) * side) * random.choice((-1, 1))
        return place + shift if 0 <= place + shift <= limit else place - shift

    left, right = edge(box.left, box.width, image.width), edge(box.left + box.width, box.width, image.width)
    top, bottom = edge(box.top, box.height, image.height), edge(box.top + box.height, box.height, image.height)
    return Box(box.label, left, top, max(1.0, right - left), max(1.0, bottom - top))


def _beside(box: Box, image: Annotation) -> Box | None:
    """The box moved by half its width to the side that has more room; None where there is no room."""
    step = box.width / 2
    left = box.left + step if box.left + box.width / 2 < image.width / 2 else box.left - step
    inside = left >= 0 and left + box.width <= image.width
    return Box(box.label, left, box.top, box.width, box.height) if inside else None


def _phantom(image: Annotation, names: Sequence[str], random: Random) -> Box:
    width, height = image.width * random.uniform(0.15, 0.4), image.height * random.uniform(0.15, 0.4)
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    return Box(random.choice(list(names)), left, top, width, height)
