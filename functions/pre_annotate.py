"""Pre Annotate: turns one manifest line into what the worker template shows. Contract: Ground Truth pre-annotation
Lambda, 2018-10-16.
"""

from typing import Any

from labelloop.observability import entry
from labelloop.settings import settings
from labelloop.task_input import task_input


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"taskInput": task_input(event.get("dataObject"), settings()), "isHumanAnnotationRequired": True}
