"""The answers in a consolidation request's payload, checked: per dataset object who said what, and who was refused.

A malformed answer costs that answer. Contract: sms-custom-templates-step3-lambda-requirements, post-annotation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from labelloop import tasks
from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.skeletons import Skeleton
from labelloop.people.answers import Answer, CannotJudge, Choice, Marked, read_answer
from labelloop.tasks import Task
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY

MOST_NOTES = 10
LONGEST_NOTE = 500
LONGEST_REASON = 300
NOBODY_ANSWERED = "nobody answered"
ReadUri = Callable[[str], str]
FindSize = Callable[[str], Size | None]


@dataclass
class DatasetObject:
    """One object of the payload. `image`: its URI, "" where the payload does not tell; `answers`: those that count, by
    worker; `error`: why there is no label, "" so far.
    """

    id: str
    image: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    cannot_judge: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    def refuse(self, worker: str, reason: str) -> None:
        self.refused.append({"worker": worker, "reason": reason[:LONGEST_REASON]})


def worker_ids(payload: Any) -> list[str]:
    """Everyone who answered, sorted; whatever is malformed is passed over."""
    elements = payload if isinstance(payload, list) else []
    listed = [element.get("annotations") for element in elements if isinstance(element, dict)]
    annotations = [entry for entries in listed if isinstance(entries, list) for entry in entries]
    found = [entry.get("workerId") for entry in annotations if isinstance(entry, dict)]
    return sorted({worker for worker in found if _is_id(worker)})


def read_objects(
    payload: Sequence[Any],
    asked: Task | None,
    classes: Sequence[str],
    skeleton: Skeleton | None,
    read_uri: ReadUri | None,
    reliability: Mapping[str, float],
    find_size: FindSize | None = None,
) -> list[DatasetObject]:
    """The objects in the payload's order with their answers, which must be what was `asked` for: the task's marks, or a
    verdict (None). An element without an id is left out.
    """
    elements = [element for element in payload if isinstance(element, dict) and _is_id(element.get("datasetObjectId"))]
    objects = [_read_object(element, asked, classes, skeleton, read_uri) for element in elements]
    for item in objects:
        if asked is not None:
            _keep_one_size(item, reliability, find_size)
        item.error = item.error or _no_label(item)
        item.refused.sort(key=lambda entry: (entry["worker"], entry["reason"]))
    return objects


def _read_object(
    element: Mapping[str, Any],
    asked: Task | None,
    classes: Sequence[str],
    skeleton: Skeleton | None,
    read_uri: ReadUri | None,
) -> DatasetObject:
    item = DatasetObject(element["datasetObjectId"], _image(element))
    try:
        annotations = fields.sequence(element, "annotations", f"dataset object {item.id}")
    except InvalidInputError as error:
        item.error = str(error)
        return item
    read: list[tuple[str, str, Answer]] = []
    for annotation in annotations:
        worker = annotation.get("workerId") if isinstance(annotation, dict) else None
        name = str(worker) if _is_id(worker) else ""
        try:
            answer = read_answer(_content(annotation, read_uri), classes, skeleton)
            if not isinstance(answer, CannotJudge) and _task(answer) is not asked:
                raise InvalidInputError(f"answer: {_called(_task(answer))}, but the job asks for {_called(asked)}")
            read.append((_submitted(annotation), name, answer))
        except InvalidInputError as error:
            item.refuse(name or "unnamed", str(error))
    read.sort(key=lambda one: (one[0], _canonical(one[2])))
    # A worker has one answer: of several under one id, which a resubmission makes, the one submitted last counts. What
    # the order in the payload means is documented nowhere, so without times any of them does, but always the same.
    by_worker = {worker: answer for _, worker, answer in read if worker}
    unnamed = [answer for _, worker, answer in read if not worker]
    by_worker.update({f"unnamed {number}": answer for number, answer in enumerate(unnamed, start=1)})
    item.notes = sorted({answer.note[:LONGEST_NOTE] for answer in by_worker.values() if answer.note})[:MOST_NOTES]
    item.cannot_judge = sum(isinstance(answer, CannotJudge) for answer in by_worker.values())
    item.answers = {worker: answer for worker, answer in by_worker.items() if not isinstance(answer, CannotJudge)}
    return item


def _task(answer: Marked | Choice) -> Task | None:
    return tasks.of(answer.task) if isinstance(answer, Marked) else None


def _called(asked: Task | None) -> str:
    return "a verdict" if asked is None else asked.name.replace("-", " ")


def _image(element: Mapping[str, Any]) -> str:
    shown = element.get("dataObject")
    reference = shown.get("s3Uri") if isinstance(shown, dict) else None
    return reference if isinstance(reference, str) else ""


def _submitted(annotation: Mapping[str, Any]) -> str:
    """When, as worker responses write it, of one form so that the text compares as the time; "" where nothing tells."""
    time = annotation.get("submissionTime")
    return time if isinstance(time, str) else ""


def _canonical(answer: Answer) -> str:
    """The same for answers that differ in the order of their marks only."""
    return repr(replace(answer, marks=tuple(sorted(answer.marks, key=repr))) if isinstance(answer, Marked) else answer)


def _content(annotation: Any, read_uri: ReadUri | None) -> str | Mapping[str, Any]:
    data = fields.mapping(
        fields.mapping(annotation, "annotation", "annotations").get("annotationData"), "annotation", "annotationData"
    )
    if "content" not in data and "s3Uri" in data and read_uri is not None:
        return read_uri(fields.text(data, "s3Uri", "annotation"))
    content = data.get("content")
    if not isinstance(content, str | dict):
        raise fields.refuse("annotation", "content", "a JSON string", content)
    return content


def _keep_one_size(item: DatasetObject, reliability: Mapping[str, float], find_size: FindSize | None) -> None:
    """An answer about an image of another size is about another image. Where they differ, the image's own size decides.
    Where that is not known most decide, as many against as many the more reliable ones, then the larger size: a page
    that has not loaded its image states too small a one.
    """
    stated: dict[Size, list[str]] = defaultdict(list)
    for worker, answer in item.answers.items():
        stated[answer.width, answer.height].append(worker)
    if len(stated) < 2:
        return

    def weight(size: Size) -> tuple[int, float, Size]:
        trust = math.fsum(reliability.get(worker, UNKNOWN_RELIABILITY) for worker in stated[size])
        return len(stated[size]), trust, size

    own = find_size(item.image) if find_size else None
    kept = own or max(stated, key=weight)
    who = "the image has" if own else "the answers that count say"
    for size in stated.keys() - {kept}:
        for worker in stated[size]:
            said = f"answer: field 'inputImageProperties' says {size[0]} x {size[1]} pixels"
            item.refuse(worker, f"{said}, {who} {kept[0]} x {kept[1]}")
            del item.answers[worker]


def _no_label(item: DatasetObject) -> str:
    """Why the object gets no label; empty where it gets one."""
    judged = len(item.answers)
    if item.cannot_judge > judged:
        return f"{item.cannot_judge} of {item.cannot_judge + judged} people cannot judge the image"
    if judged:
        return ""
    if not item.refused:
        return NOBODY_ANSWERED
    reasons = sorted(entry["reason"] for entry in item.refused)[:3]
    return f"no usable answer among {len(item.refused)}: {'; '.join(reasons)}"


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and fields.is_storable(value)
