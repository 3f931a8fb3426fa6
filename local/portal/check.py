"""Would consolidation take this answer? Asked before it is stored, while the person can still correct it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelloop.answers import OCCLUDED, read_answer
from labelloop.errors import InvalidInputError


def refusal(task_input: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Why consolidation would refuse the answer, naming the field; None when it would take it."""
    labels = [str(label) for label in task_input.get("labels", ())]
    try:
        read_answer(content, labels, [label for label in labels if not label.endswith(OCCLUDED)])
    except InvalidInputError as error:
        return str(error)
    return None
