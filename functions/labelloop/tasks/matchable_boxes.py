"""The boxes by which people of one label are told to be those of another. Canonical pixels; pure.

A drawn box is round the whole person, a derived one a square round the points: of one upright person they hardly
overlap. So where nobody drew the box of somebody in the image, everybody's squares are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labelloop.contracts.in_image import Size
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson

AnyPerson = Person | SeenPerson
IN_VIEW = 0.5  # of what a model sees the points that are more likely in the picture than not


def of(*labels: Sequence[AnyPerson]) -> list[list[Box]]:
    """Of the people of each of these labels of one image, in their order, with class and confidence of their boxes."""
    everybody = [person for label in labels for person in label]
    if not any(map(is_derived, everybody)):
        return [[person.box for person in label] for label in labels]
    size = (
        max(round(person.box.left + person.box.width) for person in everybody),
        max(round(person.box.top + person.box.height) for person in everybody),
    )
    return [[square(person, size) for person in label] for label in labels]


def is_derived(person: AnyPerson) -> bool:
    return isinstance(person, Person) and person.derived


def square(person: AnyPerson, size: Size) -> Box:
    """Round the placed points, in an image of this (width, height); the person's box where no point is placed."""
    if isinstance(person, Person):
        points = person.points
    else:
        points = tuple(KeyPoint(at.label, at.x, at.y, "visible") for at in person.points if at.main >= IN_VIEW)
    around = derived_box(points, size)
    return replace(around, label=person.box.label, confidence=person.box.confidence) if around else person.box
