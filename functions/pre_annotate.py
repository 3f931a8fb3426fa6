"""Pre Annotate: turns one manifest line into what the worker template shows.

Contract: Ground Truth pre-annotation Lambda, 2018-10-16.
"""

from typing import Any

from labelloop.contracts.settings import settings
from labelloop.people.task_input import task_input
from labelloop.store.observability import entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"taskInput": task_input(event.get("dataObject"), settings()), "isHumanAnnotationRequired": True}
