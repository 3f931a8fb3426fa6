"""What differs between boxes and key points: one module for each task, and the look-up by name or by label. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Prediction
from labelloop.tasks.boxes import Boxes
from labelloop.tasks.key_points import KeyPoints
from labelloop.tasks.port import Form as Form
from labelloop.tasks.port import Label as Label
from labelloop.tasks.port import Mark as Mark
from labelloop.tasks.port import Task as Task
from labelloop.tasks.port import Truth as Truth

_BOXES: Task = Boxes()
_KEY_POINTS: Task = KeyPoints()
_KNOWN: dict[str, Task] = {task.name: task for task in (_BOXES, _KEY_POINTS)}


def of(name: str) -> Task:
    """The task of this name. Raises InvalidInputError for one that this version of the stack does not know."""
    if name not in _KNOWN:
        raise InvalidInputError(f"task '{name}' is none of {', '.join(_KNOWN)}: a newer version of the stack wrote it")
    return _KNOWN[name]


def of_label(label: Label) -> Task:
    return _BOXES if label.people is None else _KEY_POINTS


def of_prediction(prediction: Prediction) -> Task:
    """The task of the model that made it."""
    return _KNOWN[prediction.task]


def of_answer(attribute: str) -> Task | None:
    """The task whose labels stand under this attribute of a labelling job's output; None where none do."""
    return next((task for task in _KNOWN.values() if task.answer == attribute), None)


def marks(label: Label) -> tuple[Any, ...]:
    """What a label marks in its image, in its order."""
    return tuple(label.boxes if label.people is None else label.people)


def with_marks(label: Annotation, marks: Iterable[Any]) -> Annotation:
    return replace(label, **of_label(label).holding(marks))
