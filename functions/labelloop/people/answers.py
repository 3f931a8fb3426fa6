"""What one person submitted in a worker page -> a checked answer, or an InvalidInputError that names the field.

The shapes are those of the crowd HTML elements (developer guide: sms-ui-template-crowd-bounding-box, -crowd-keypoint,
-crowd-image-classifier, -crowd-checkbox); the elements' names are the templates' choice and mean nothing here, but
those of the checkboxes and of the note do. The labels of key points say whose they are (people_labels). Unknown members
are ignored, so a template may ask for more.
Pixels are canonical pixels, origin at the top left corner. Up to one pixel outside, which rounding in the page makes,
is moved to the image's edge; anything further outside is refused, never repaired: nobody knows what was meant.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import BOTTOM_RIGHT, PERSON, TOP_LEFT, Skeleton
from labelloop.tasks import people_labels

MOST_BYTES = 1_000_000
MOST_MARKS = 2_000
DEEPEST = 32
OUTSIDE_TOLERANCE_PIXELS = 1.0
SMALLEST_BOX_PIXELS = 1.0
VERDICTS = ("accept", "reject")
NO_POINTS = Skeleton((), (), (), ())  # where none are asked for


@dataclass(frozen=True)
class BoxAnswer:
    """All objects of the image, none when nothing is there; width and height are the image's as the page saw it."""

    task: ClassVar[str] = "boxes"
    boxes: tuple[Box, ...]
    width: int
    height: int
    note: str = ""

    @property
    def marks(self) -> tuple[Box, ...]:
        return self.boxes


@dataclass(frozen=True)
class KeyPointAnswer:
    """All people of the image, none when nobody is there; each has one point per configured name, in that order, which
    is `outside` where the worker placed none.
    """

    task: ClassVar[str] = "key-points"
    people: tuple[Person, ...]
    width: int
    height: int
    note: str = ""

    @property
    def marks(self) -> tuple[Person, ...]:
        return self.people


@dataclass(frozen=True)
class Choice:
    """One category for the whole image: the verdict of a verification."""

    label: str
    note: str = ""


@dataclass(frozen=True)
class CannotJudge:
    """The worker looked and gives no label, whatever else the form holds."""

    note: str = ""


Answer = BoxAnswer | KeyPointAnswer | Choice | CannotJudge


def read_answer(
    content: str | Mapping[str, Any],
    classes: Sequence[str],
    skeleton: Skeleton | None = None,
    categories: Sequence[str] = VERDICTS,
) -> Answer:
    """The answer in a form's content, as JSON text or already parsed; its elements tell which task it answers.

    Raises InvalidInputError, naming the field, for everything a page should never send: not JSON, over 1 MB, nested
    deeper than 32, NaN, a name twice or `__proto__`, several drawings or none, over 2,000 marks, wrong types, a mark
    outside the image, a box under 1 pixel, a label that is not asked for, one key point of a person twice, nobody
    without `nothing-here`, a point with it.
    """
    form = _form(content)
    note = fields.optional_text(form, "note", "answer") or ""
    nothing_here = _ticked(form, "nothing-here")
    if _ticked(form, "cannot-judge"):
        return CannotJudge(note)
    kind, element = _element(form)
    if kind == "label":
        return Choice(fields.choice(element, "label", "answer", tuple(categories)), note)
    marks = fields.sequence(element, kind, "answer")
    if len(marks) > MOST_MARKS:
        raise fields.refuse("answer", kind, f"a list of at most {MOST_MARKS:,}", marks)
    size = fields.mapping(element.get("inputImageProperties"), "answer", "inputImageProperties")
    width, height = (fields.integer(size, side, "answer, inputImageProperties", 1) for side in ("width", "height"))
    if nothing_here and marks:
        raise InvalidInputError(f"answer: field 'nothing-here' is ticked, but '{kind}' holds {len(marks)}")
    if kind == "boundingBoxes":
        return BoxAnswer(
            tuple(_box(mark, n, width, height, classes) for n, mark in enumerate(marks)), width, height, note
        )
    if not marks and not nothing_here:
        raise InvalidInputError("answer: field 'keypoints' is empty and 'nothing-here' is not ticked: no answer")
    people = _people(marks, width, height, skeleton or NO_POINTS)
    if not people and not nothing_here:
        raise InvalidInputError("answer: field 'keypoints' holds one corner of a box and no point: that is nobody")
    return KeyPointAnswer(people, width, height, note)


def _form(content: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError):
        raise InvalidInputError("answer: field 'content' is nested too deeply or no JSON") from None
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise InvalidInputError(f"answer: field 'content' has {size:,} bytes, more than 1 MB")
    form = fields.mapping(_parse(text), "answer", "content")
    _refuse_deep(form)
    return form


def _parse(text: str) -> Any:
    def refuse_constant(name: str) -> None:
        raise InvalidInputError(f"answer, field 'content': {name} is not JSON; write null or a finite number")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name, member in pairs:
            if name == "__proto__":
                raise InvalidInputError("answer: field '__proto__' is refused")
            if name in value:
                raise InvalidInputError(f"answer: field {fields.shown(name)} occurs twice in one object")
            value[name] = member
        return value

    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=members)
    except RecursionError:
        raise InvalidInputError("answer: field 'content' is nested too deeply") from None
    except ValueError as error:  # also integers of thousands of digits, which json refuses with a plain ValueError
        raise InvalidInputError(f"answer, field 'content': not JSON ({error})") from None


def _refuse_deep(form: dict[str, Any]) -> None:
    layer: list[Any] = [form]
    for _ in range(DEEPEST):
        nested = (value.values() if isinstance(value, dict) else value for value in layer)
        layer = [member for members in nested for member in members if isinstance(member, dict | list)]
        if not layer:
            return
    raise InvalidInputError(f"answer: field 'content' is nested too deeply, more than {DEEPEST} levels")


def _element(form: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(what it holds, the element) of the one element that answers the task."""
    found = [
        (kind, value)
        for value in form.values()
        if isinstance(value, dict)
        for kind in ("boundingBoxes", "keypoints", "label")
        if kind in value
    ]
    if len(found) != 1:
        raise InvalidInputError(
            "answer: one of the fields 'boundingBoxes', 'keypoints' and 'label' must occur once, "
            f"but {len(found)} are there"
        )
    return found[0]


def _ticked(form: Mapping[str, Any], name: str) -> bool:
    """A checkbox: true or false, bare or as the only member of an object; unticked where it is missing."""
    match form.get(name):
        case None:
            return False
        case bool(ticked):
            return ticked
        case dict(members) if len(members) == 1 and isinstance(ticked := next(iter(members.values())), bool):
            return ticked
        case other:
            raise fields.refuse("answer", name, "a checkbox: true or false", other)


def _box(mark: Any, number: int, width: int, height: int, classes: Sequence[str]) -> Box:
    context = f"answer, boundingBoxes[{number}]"
    record = fields.mapping(mark, context, "boundingBoxes")
    label = fields.choice(record, "label", context, tuple(classes))
    left, box_width = _span(record, "left", "width", width, context)
    top, box_height = _span(record, "top", "height", height, context)
    return Box(label, left, top, box_width, box_height)


def _span(record: Mapping[str, Any], start: str, extent: str, limit: int, context: str) -> tuple[float, float]:
    """(start, extent) of the box along one axis, inside 0..limit."""
    first = fields.number(record, start, context, -OUTSIDE_TOLERANCE_PIXELS, limit)
    size = fields.number(record, extent, context, 0)
    last = first + size
    if last > limit + OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, extent, f"a box inside the image, which ends at {limit}", last)
    if first < 0 or last > limit:
        first, size = max(first, 0.0), min(last, float(limit)) - max(first, 0.0)
    if size < SMALLEST_BOX_PIXELS:
        raise fields.refuse(context, extent, "at least 1 pixel inside the image", record.get(extent))
    return first, size


def _people(marks: Sequence[Any], width: int, height: int, skeleton: Skeleton) -> tuple[Person, ...]:
    names = skeleton.names
    placed: dict[int, dict[str, KeyPoint]] = defaultdict(dict)
    for place, mark in enumerate(marks):
        context = f"answer, keypoints[{place}]"
        record = fields.mapping(mark, context, "keypoints")
        label = fields.text(record, "label", context)
        meant = people_labels.meaning(label, names)
        if meant is None:
            offered = ", ".join(people_labels.offered(names, 1))
            raise fields.refuse(context, "label", f"one of {offered}, or one of these of another person (#2)", label)
        number, name, visibility = meant
        if name in placed[number]:
            raise fields.refuse(context, "label", "a key point that is not marked yet", label)
        x, y = (_coordinate(record, axis, limit, context) for axis, limit in (("x", width), ("y", height)))
        placed[number][name] = KeyPoint(name, x, y, visibility)
    people = (_person(placed[number], number, skeleton, (width, height)) for number in sorted(placed))
    return tuple(person for person in people if person)


def _person(placed: Mapping[str, KeyPoint], number: int, skeleton: Skeleton, size: Size) -> Person | None:
    """The two corners are the box, whichever of them is where. None for one corner alone."""
    points = tuple(placed.get(name, KeyPoint(name, None, None, "outside")) for name in skeleton.names)
    corners = [placed[name] for name in (TOP_LEFT, BOTTOM_RIGHT) if name in placed]
    if len(corners) < 2:
        box = derived_box(points, size, skeleton.box_factor)
        return None if box is None else Person(box, points, derived=True)
    (left, right), (top, bottom) = (sorted(getattr(corner, axis) for corner in corners) for axis in ("x", "y"))
    if min(right - left, bottom - top) < SMALLEST_BOX_PIXELS:
        raise InvalidInputError(
            f"answer: field 'keypoints': the corners of person {number} are less than a pixel apart"
        )
    return Person(Box(PERSON, left, top, right - left, bottom - top), points)


def _coordinate(record: Mapping[str, Any], axis: str, limit: int, context: str) -> float:
    tolerance = OUTSIDE_TOLERANCE_PIXELS
    return min(max(fields.number(record, axis, context, -tolerance, limit + tolerance), 0.0), float(limit))
