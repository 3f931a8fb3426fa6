"""What one person submitted in a worker page -> a checked answer, or an InvalidInputError that names the field.

The shapes are those of the crowd HTML elements (developer guide: sms-ui-template-crowd-bounding-box, -crowd-keypoint,
-crowd-image-classifier, -crowd-checkbox); the elements' names are the templates' choice and mean nothing here, but
those of the checkboxes and of the note do. What an element holds is read by the task whose marks those are. Unknown
members are ignored, so a template may ask for more.
Pixels are canonical pixels, origin at the top left corner. Up to one pixel outside, which rounding in the page makes,
is moved to the image's edge; anything further outside is refused, never repaired: nobody knows what was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop import tasks
from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import Task

MOST_BYTES = 1_000_000
MOST_MARKS = 2_000
DEEPEST = 32
VERDICTS = ("accept", "reject")
VERDICT = "label"  # what an element with one of them holds


@dataclass(frozen=True)
class Marked:
    """All that the task marks in the image, none when nothing is there; width and height are the image's as the page
    saw it.
    """

    task: str
    marks: tuple[Any, ...]
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """One category for the whole image: the verdict of a verification."""

    label: str
    note: str = ""


@dataclass(frozen=True)
class CannotJudge:
    """The worker looked and gives no label, whatever else the form holds."""

    note: str = ""


Answer = Marked | Choice | CannotJudge


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
    if kind == VERDICT:
        return Choice(fields.choice(element, VERDICT, "answer", tuple(categories)), note)
    marks = fields.sequence(element, kind, "answer")
    if len(marks) > MOST_MARKS:
        raise fields.refuse("answer", kind, f"a list of at most {MOST_MARKS:,}", marks)
    size = fields.mapping(element.get("inputImageProperties"), "answer", "inputImageProperties")
    width, height = (fields.integer(size, side, "answer, inputImageProperties", 1) for side in ("width", "height"))
    if nothing_here and marks:
        raise InvalidInputError(f"answer: field 'nothing-here' is ticked, but '{kind}' holds {len(marks)}")
    task = _drawn_with()[kind]
    found = task.answered(marks, (width, height), nothing_here, classes, skeleton)
    return Marked(task.name, found, width, height, note)


def _drawn_with() -> dict[str, Task]:
    """What an element that answers holds, and whose marks those are."""
    return {task.element: task for task in tasks.KNOWN.values()}


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
    drawn = tuple(_drawn_with())
    found = [
        (kind, value)
        for value in form.values()
        if isinstance(value, dict)
        for kind in (*drawn, VERDICT)
        if kind in value
    ]
    if len(found) != 1:
        names = ", ".join(f"'{kind}'" for kind in drawn)
        raise InvalidInputError(
            f"answer: one of the fields {names} and '{VERDICT}' must occur once, but {len(found)} are there"
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
