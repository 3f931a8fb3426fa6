"""Would consolidation take this answer? Asked before it is stored, while the person can still correct it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelloop import tasks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import USUAL_SIGMA, Skeleton
from labelloop.people.answers import Answer, Choice, Marked, read_answer
from labelloop.tasks import people_labels


def refusal(template: str, task_input: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Why consolidation would refuse the answer, naming the field; None when it would take it."""
    labels = [str(label) for label in task_input.get("labels", ())]
    try:
        given = read_answer(content, labels, _skeleton(labels))
    except InvalidInputError as error:
        return str(error)
    return None if _marker(given) in template else "answer: this is the answer to another form"


def _marker(answer: Answer) -> str:
    """What a form has that asks for such an answer."""
    if isinstance(answer, Marked):
        return f"<{tasks.of(answer.task).widget}"
    return "<crowd-image-classifier" if isinstance(answer, Choice) else "cannot-judge"


def _skeleton(labels: Sequence[str]) -> Skeleton:
    """Whose names these labels are; where a box is derived does not matter for whether an answer is taken."""
    names = people_labels.names_of(labels)
    return Skeleton(names, (), (), (USUAL_SIGMA,) * len(names))
