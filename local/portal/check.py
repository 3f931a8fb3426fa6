"""Would consolidation take this answer? Asked before it is stored, while the person can still correct it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelloop import consolidation
from labelloop.errors import InvalidInputError


def refusal(template: str, task_input: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Why consolidation would refuse the answer, naming the field; None when it would take it."""
    labels = [str(label) for label in task_input.get("labels", ())]
    try:
        if "<crowd-bounding-box" in template:
            consolidation.read_answer(content, labels)
    except InvalidInputError as error:
        return str(error)
    return None
