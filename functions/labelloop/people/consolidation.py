"""Several people's answers -> one label per image: the post-annotation step of a Ground Truth custom task.

What a label is made of: `fuse` of the task, and here the vote of a verification.
No result depends on the order of objects, workers or marks. "Nothing here" from a person who looked is an answer and
an empty label is a label; no answer is none: {"error": why}, which `manifests.read_labeled` reads as failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelloop import tasks
from labelloop.contracts import fields, marks
from labelloop.contracts.skeletons import Skeleton
from labelloop.people.answers import VERDICTS, Choice
from labelloop.people.consolidation_objects import LONGEST_REASON, DatasetObject, FindSize, ReadUri, read_objects
from labelloop.people.workers import LEAST_RELIABILITY
from labelloop.tasks import Task
from labelloop.tasks.clustering import ABOUT_HALF
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY

Value = dict[str, Any]


def consolidate_payload(
    payload: Any,
    attribute: str,
    classes: Sequence[str],
    read_uri: ReadUri | None = None,
    reliability: Mapping[str, float] | None = None,
    skeleton: Skeleton | None = None,
    find_size: FindSize | None = None,
) -> list[dict[str, Any]]:
    """The response to a consolidation request's payload: one label per dataset object, in the payload's order.

    The attribute tells the task; an answer to another one is refused. A label value is Ground Truth's plus what a
    custom task's metadata lacks: `objects` (confidence and agreement of each), `class-map`, `workers` (how many answers
    count), `agreement`, and, where there are any, `refused` (who and why) and `notes`. A malformed answer costs that
    answer, an object that cannot be consolidated costs that object; one without an id is left
    out, since it cannot be reported.

    `read_uri` fetches answers that the payload only points to; what it raises passes through, except InvalidInputError.
    `find_size` tells the (width, height) of the image at a URI, None where it is not known; it is asked only where the
    answers about an image state different sizes.
    `reliability`: what is known of a worker, in (0, 1]; a stranger counts UNKNOWN_RELIABILITY.
    Raises InvalidInputError when the payload is not a list, or the attribute is none that a labelling job has.
    Contract: sms-custom-templates-step3-lambda-requirements, post-annotation.
    """
    if not isinstance(payload, list):
        raise fields.refuse("consolidation payload", "(the payload)", "a list", payload)
    asked = _asked()
    if attribute not in asked:
        raise fields.refuse("consolidation request", "labelAttributeName", f"one of {', '.join(asked)}", attribute)
    known = reliability or {}
    objects = read_objects(payload, asked[attribute], classes, skeleton, read_uri, known, find_size)
    labelled = [item for item in objects if not item.error]
    names = {"classes": classes, "key_points": skeleton.names if skeleton else ()}
    values = iter(_values(labelled, asked[attribute], names, _trust(labelled, known)))
    return [
        {
            "datasetObjectId": item.id,
            "consolidatedAnnotation": {
                "content": {attribute: {**({"error": item.error} if item.error else next(values)), **_extras(item)}}
            },
        }
        for item in objects
    ]


def _asked() -> dict[str, Task | None]:
    """What the label attribute of a labelling job (jobs.form) asks people for: a task's marks, or a verdict (None)."""
    marked: dict[str, Task | None] = {task.answer: task for task in tasks.KNOWN.values()}
    return marked | dict.fromkeys(task.verdict for task in tasks.KNOWN.values())


def _trust(items: Sequence[DatasetObject], known: Mapping[str, float]) -> dict[str, float]:
    told = {worker: known.get(worker, UNKNOWN_RELIABILITY) for item in items for worker in item.answers}
    return {worker: min(max(value, LEAST_RELIABILITY), 1.0) for worker, value in told.items()}


def _extras(item: DatasetObject) -> Value:
    return {name: listed for name, listed in (("refused", item.refused), ("notes", item.notes)) if listed}


def _values(
    items: Sequence[DatasetObject],
    task: Task | None,
    names: Mapping[str, Sequence[str]],
    trust: Mapping[str, float],
) -> list[Value]:
    """`task` None: the answers are verdicts."""

    def consolidate(some: Sequence[DatasetObject]) -> list[Value]:
        if task is None:
            return [_verdict_value(item.answers, trust) for item in some]
        return task.fuse([item.answers for item in some], names[marks.of(task.name).listed_in], trust)

    try:
        return consolidate(items)
    except Exception:
        # One object must not cost the others their label: each alone, then, and the one at fault says so.
        return [_value_or_error(consolidate, item) for item in items]


def _value_or_error(consolidate: Callable[[Sequence[DatasetObject]], list[Value]], item: DatasetObject) -> Value:
    try:
        (value,) = consolidate([item])
        return value
    except Exception as error:
        return {"error": f"the answers could not be consolidated: {type(error).__name__}: {error}"[:LONGEST_REASON]}


def _verdict_value(answers: Mapping[str, Choice], trust: Mapping[str, float]) -> Value:
    """Rejected by workers of about half of the weight is rejected: a label that is doubted is looked at again."""
    accept, reject = VERDICTS
    against = math.fsum(trust[worker] for worker, answer in answers.items() if answer.label == reject)
    verdict = reject if against >= ABOUT_HALF * math.fsum(trust[worker] for worker in answers) else accept
    agreeing = sum(answer.label == verdict for answer in answers.values())
    return {"verdict": verdict, "workers": len(answers), "agreement": round(agreeing / len(answers), 4)}
