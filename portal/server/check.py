"""Would consolidation take this answer? Asked before it is stored, while the person can still correct it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import USUAL_SIGMA, Skeleton
from labelloop.people.answers import BoxAnswer, CannotJudge, Choice, KeyPointAnswer, read_answer
from labelloop.tasks import people_labels

_ANSWERED_BY = {
    "<crowd-bounding-box": BoxAnswer,
    "<crowd-keypoint": KeyPointAnswer,
    "<crowd-image-classifier": Choice,
    "cannot-judge": CannotJudge,
}


def refusal(template: str, task_input: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Why consolidation would refuse the answer, naming the field; None when it would take it."""
    labels = [str(label) for label in task_input.get("labels", ())]
    try:
        given = read_answer(content, labels, _skeleton(labels))
    except InvalidInputError as error:
        return str(error)
    asked = tuple(kind for element, kind in _ANSWERED_BY.items() if element in template)
    return None if isinstance(given, asked) else "answer: this is the answer to another form"


def _skeleton(labels: Sequence[str]) -> Skeleton:
    """Whose names these labels are; where a box is derived does not matter for whether an answer is taken."""
    names = people_labels.names_of(labels)
    return Skeleton(names, (), (), (USUAL_SIGMA,) * len(names))
