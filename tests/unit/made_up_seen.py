"""What made-up models saw in made-up pictures, as bench/zoo.py keeps it of trained ones."""

import random
from dataclasses import replace

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box

from bench.zoo import Model, Seen

WIDTH, HEIGHT = 640, 480


def truths(count: int) -> tuple[Annotation, ...]:
    """One to six cells, and in every third picture a plate; the same for every model."""
    made = []
    for number in range(count):
        chance = random.Random(f"picture {number}")
        boxes = [_box("cell", chance) for _ in range(chance.randint(1, 6))]
        boxes += [_box("plate", chance)] if number % 3 == 0 else []
        made.append(
            Annotation(f"s3://zoo/{number:03d}.jpg", None, WIDTH, HEIGHT, tuple(boxes), True, "2026-11-27", "truth")
        )
    return tuple(made)


def seen(name: str, count: int, sharpness: float) -> Seen:
    """A model that finds so large a share of the objects, nearly in their places; what it is sure of is more often
    right.
    """
    start, images, order = name.split("-")
    predictions = []
    for truth in truths(count):
        chance = random.Random(f"{name} {sharpness} {truth.source_ref}")
        boxes = [
            replace(box, left=box.left + chance.gauss(0, 8 * (1 - sharpness)), confidence=_between(chance, 0.4, 1.0))
            for box in truth.boxes
            if chance.random() < sharpness
        ]
        boxes += [replace(_box("cell", chance), confidence=_between(chance, 0.05, 0.6)) for _ in range(2)]
        predictions.append(Prediction(truth.source_ref, "ok", WIDTH, HEIGHT, name, tuple(boxes)))
    return Seen(Model(start, int(images), int(order)), tuple(predictions), truths(count), {"map50": sharpness})


def _box(label: str, chance: random.Random) -> Box:
    return Box(label, chance.uniform(0, 560), chance.uniform(0, 400), 70, 70)


def _between(chance: random.Random, least: float, most: float) -> float:
    return round(chance.uniform(least, most), 4)
