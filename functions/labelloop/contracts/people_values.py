"""The value of a key-point attribute: the people of one image, each with a box and named points.

SageMaker has no format for key points. Theirs is the bounding-box value with x, y and visibility in the place of the
sides; `person` says whose a point is, from 0, and `people` lists the boxes:

    {"image_size": [...],
     "annotations": [{"class_id": 0, "x": 3, "y": 4, "visibility": "visible", "person": 0}, ...],
     "people": [{"left": 1, "top": 2, "width": 30, "height": 40}, ...]}

A value without `people` is of one person, as earlier versions wrote it; that person's box is derived. All pixels are
canonical pixels. Errors: InvalidInputError naming the field.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.augmented import MOST_MARKS, annotations_of, class_id_of, image_size, whole_or_fraction
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import UNLABELLED, VISIBILITIES, Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON

PEOPLE = "people"
WITHOUT_PLACE = ("outside", UNLABELLED)
_SIDES = ("left", "top", "width", "height")


def people_value(width: int, height: int, people: Sequence[Person], names: Sequence[str]) -> dict[str, Any]:
    """Raises InvalidInputError for a point whose name is not in `names` or that a person has twice, and for one with a
    place outside the view or without one inside it.
    """
    annotations = []
    for number, person in enumerate(people):
        for point in person.points:
            class_id = class_id_of(point.label, names, "key point")
            place = {axis: value for axis, value in (("x", point.x), ("y", point.y)) if value is not None}
            if len(place) != (0 if point.visibility in WITHOUT_PLACE else 2):
                raise InvalidInputError(
                    f"key point '{point.label}': fields 'x', 'y' must be null exactly when it is outside"
                )
            pixels = {axis: whole_or_fraction(value) for axis, value in place.items()}
            annotations.append({"class_id": class_id, **pixels, "visibility": point.visibility, "person": number})
        _refuse_repeated(person.points, "key points")
    return {
        "image_size": [{"width": width, "height": height, "depth": 3}],
        "annotations": annotations,
        PEOPLE: [_box_value(person) for person in people],
    }


def read_people(
    value: Mapping[str, Any], metadata: Mapping[str, Any], names: Sequence[str], context: str
) -> tuple[Person, ...]:
    points: dict[int, list[KeyPoint]] = defaultdict(list)
    for annotation, label, confidence, where in annotations_of(value, metadata, names, context):
        number = fields.optional_integer(annotation, "person", where) or 0
        points[number].append(_point(annotation, label, confidence, where))
    for each in points.values():
        _refuse_repeated(each, context)
    if value.get(PEOPLE) is None:
        if set(points) - {0}:
            raise fields.refuse(context, PEOPLE, "a list of boxes, because there are points of several", None)
        size = image_size(value, context)
        width, height = (fields.integer(size, side, f"{context}.image_size", minimum=1) for side in _SIDES[2:])
        return one_person(points[0], (width, height))
    listed = fields.sequence(value, PEOPLE, context)
    if len(listed) > MOST_MARKS:
        raise fields.refuse(context, PEOPLE, f"a list of at most {MOST_MARKS:,}", listed)
    if strange := set(points) - set(range(len(listed))):
        raise InvalidInputError(
            f"{context}: field 'person' is {min(strange)}, but field '{PEOPLE}' lists {len(listed)} boxes"
        )
    return tuple(
        _person(each, tuple(points[number]), f"{context}.{PEOPLE}[{number}]") for number, each in enumerate(listed)
    )


def _box_value(person: Person) -> dict[str, Any]:
    box = person.box
    return {
        **{side: whole_or_fraction(getattr(box, side)) for side in _SIDES},
        **({} if box.label == PERSON else {"class": box.label}),
        **({"derived": True} if person.derived else {}),
        **({} if person.area is None else {"area": whole_or_fraction(person.area)}),
        **({} if box.confidence is None else {"confidence": whole_or_fraction(box.confidence)}),
    }


def _person(entry: object, points: tuple[KeyPoint, ...], context: str) -> Person:
    record = fields.mapping(entry, context, PEOPLE)
    derived = "derived" in record and fields.boolean(record, "derived", context)
    area = fields.optional_number(record, "area", context, 0)
    return Person(Box.from_json({"class": PERSON, **record}, context), points, derived, area)


def _point(annotation: Mapping[str, Any], label: str, confidence: float | None, where: str) -> KeyPoint:
    visibility = fields.choice(annotation, "visibility", where, (*VISIBILITIES, UNLABELLED))
    if visibility not in WITHOUT_PLACE:
        x, y = (fields.number(annotation, axis, where) for axis in ("x", "y"))
        return KeyPoint(label, x, y, visibility, confidence)
    for axis in ("x", "y"):
        if annotation.get(axis) is not None:
            raise fields.refuse(where, axis, f"absent, because the point is {visibility}", annotation[axis])
    return KeyPoint(label, None, None, visibility, confidence)


def _refuse_repeated(points: Sequence[KeyPoint], context: str) -> None:
    often = Counter(point.label for point in points)
    for label in often:
        if often[label] > 1:
            raise InvalidInputError(
                f"{context}: field 'class_id' names {fields.shown(label)} twice for one person, who has it once"
            )
