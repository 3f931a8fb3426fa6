"""Wrong labels of people for honeypots, made from the truth. Canonical pixels; every choice is `random`'s."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import KeyPoint, Person
from labelloop.tasks.consolidation_key_points import same_place_tolerance

OVERLOOKED = 0.2  # share of the points, and of several people, that the proposal lacks
# How far a point is moved, in distances that still count as the same place.
A_LITTLE_OFF = (1.5, 3.0)
PLAINLY_WRONG = (5.0, 10.0)


def disturbed(image: Annotation, names: Sequence[str], random: Random) -> list[Person]:
    """As a model would see it: every point a little off, some missing; never exactly the truth. Boxes stay."""
    people = image.people or ()
    if not any(_placed(person) for person in people):
        return [*people, _phantom(image, names, random)]
    seen = [person for person in people if len(people) == 1 or random.random() >= OVERLOOKED]
    return [_disturbed(person, image, random) for person in seen]


def spoiled(image: Annotation, names: Sequence[str], random: Random) -> list[Person]:
    """Plainly wrong: one person lacks a point or has one far from its place; where nothing is placed, there is a person
    too many.
    """
    people = list(image.people or ())
    with_points = [place for place, person in enumerate(people) if _placed(person)]
    if not with_points:
        return [*people, _phantom(image, names, random)]
    place = random.choice(with_points)
    points = list(people[place].points)
    wrong = random.choice(_placed(people[place]))
    far = random.random() >= 0.5
    points[wrong] = _moved(points[wrong], image, random, PLAINLY_WRONG) if far else _outside(points[wrong])
    people[place] = replace(people[place], points=tuple(points))
    return people


def _placed(person: Person) -> list[int]:
    return [place for place, point in enumerate(person.points) if point.x is not None]


def _disturbed(person: Person, image: Annotation, random: Random) -> Person:
    points = (
        _outside(point) if random.random() < OVERLOOKED else _moved(point, image, random, A_LITTLE_OFF)
        for point in person.points
    )
    return replace(person, points=tuple(points))


def _outside(point: KeyPoint) -> KeyPoint:
    return KeyPoint(point.label, None, None, "outside")


def _moved(point: KeyPoint, image: Annotation, random: Random, tolerances: tuple[float, float]) -> KeyPoint:
    if point.x is None or point.y is None:
        return point
    distance = same_place_tolerance(image.width, image.height) * random.uniform(*tolerances)
    angle = random.uniform(0, 2 * math.pi)
    return replace(
        point,
        x=_within(point.x, distance * math.cos(angle), image.width),
        y=_within(point.y, distance * math.sin(angle), image.height),
    )


def _within(place: float, shift: float, limit: int) -> float:
    """Shifted to the other side where it would leave the image."""
    moved = place + shift if 0 <= place + shift <= limit else place - shift
    return min(max(moved, 0.0), float(limit))


def _phantom(image: Annotation, names: Sequence[str], random: Random) -> Person:
    """Somebody who is not there, of whom one point is seen."""
    seen = random.choice(list(names))
    place = random.uniform(0, image.width), random.uniform(0, image.height)
    points = tuple(
        KeyPoint(name, *place, "visible") if name == seen else KeyPoint(name, None, None, "outside") for name in names
    )
    box = derived_box(points, (image.width, image.height))
    assert box is not None, "a point is placed"
    return Person(box, points, derived=True)
