"""Judge images with people, and what a model of key points, of a known skill, sees in them."""

from dataclasses import replace
from random import Random

from labelloop.contracts import skeletons
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson, SeenPoint

SKELETON = skeletons.skeleton("head")
VISIBLE_SHARE, OUTSIDE_SHARE = 0.6, 0.1


def truth(number: int, people: int = 1) -> Annotation:
    random = Random(f"truth {number}")
    everybody = tuple(_person(random, 100.0 * place) for place in range(people))
    ref = f"s3://data-bucket/incoming/p/{number:04d}.png"
    return Annotation(
        ref, None, 640, 480, everybody, True, "2026-01-01T00:00:00", "j", {"role": "judge"}, task="key-points"
    )


def seen(annotation: Annotation, off: float = 1.0, told: float = 0.9, version: str = "m") -> Prediction:
    """`off`: pixels by which points are misplaced, to either side; `told`: how sure the networks are of what is true of
    a point (0.5: they cannot tell).
    """
    random = Random(f"{annotation.source_ref} {off} {told}")
    people = tuple(_seen(person, off, told, random) for person in annotation.people or ())
    return Prediction(
        annotation.source_ref, "ok", annotation.width, annotation.height, version, marks=people, task="key-points"
    )


def _person(random: Random, left: float) -> Person:
    points = []
    for name in SKELETON.names:
        draw = random.random()
        said = "outside" if draw < OUTSIDE_SHARE else "visible" if draw < OUTSIDE_SHARE + VISIBLE_SHARE else "occluded"
        place = (None, None) if said == "outside" else (left + random.uniform(10, 70), random.uniform(110, 170))
        points.append(KeyPoint(name, *place, said))
    return Person(Box("person", left, 100, 80, 80), tuple(points))


def _seen(person: Person, off: float, told: float, random: Random) -> SeenPerson:
    points = []
    for point in person.points:
        x = person.box.left + 40 if point.x is None else point.x + random.choice([-off, off])
        y = 140.0 if point.y is None else point.y + random.choice([-off, off])
        main = 1 - told if point.visibility == "outside" else told
        points.append(SeenPoint(point.label, x, y, main, told if point.visibility == "visible" else 1 - told))
    return SeenPerson(replace(person.box, confidence=0.9), tuple(points))
