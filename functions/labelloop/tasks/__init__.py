"""What differs between boxes and key points: one module for each task, and the look-up by name. Pure."""

from __future__ import annotations

from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.tasks.boxes import Boxes
from labelloop.tasks.key_points import KeyPoints
from labelloop.tasks.port import Form as Form
from labelloop.tasks.port import Label as Label
from labelloop.tasks.port import Mark as Mark
from labelloop.tasks.port import Task as Task
from labelloop.tasks.port import Truth as Truth

KNOWN: dict[str, Task] = {task.name: task for task in (Boxes(), KeyPoints())}


def of(name: str) -> Task:
    """The task of this name. Raises InvalidInputError for one that this version of the stack does not know."""
    if name not in KNOWN:
        raise InvalidInputError(f"task '{name}' is none of {', '.join(KNOWN)}: a newer version of the stack wrote it")
    return KNOWN[name]


def of_answer(attribute: str) -> Task | None:
    """The task whose labels stand under this attribute of a labelling job's output; None where none do."""
    return next((task for task in KNOWN.values() if task.answer == attribute), None)


def changes(before: Label, after: Label) -> Adjustment:
    """What became of the pre-label `before` in the answer `after`. Raises InvalidInputError where they are of two
    tasks.
    """
    if before.task != after.task:
        raise InvalidInputError(
            f"adjustment: {before.task} and {after.task} cannot be compared; both labels must be of one kind"
        )
    return of(after.task).changes(before.marks, after.marks)
