"""The answers in a consolidation request's payload, checked: per dataset object who said what, and who was refused.

A malformed answer costs that answer. Contract: sms-custom-templates-step3-lambda-requirements, post-annotation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from labelloop import fields
from labelloop.answers import Answer, BoxAnswer, CannotJudge, Choice, KeyPointAnswer, read_answer
from labelloop.errors import InvalidInputError

MOST_NOTES = 10
LONGEST_NOTE = 500
LONGEST_REASON = 300
TASKS: tuple[type[Answer], ...] = (BoxAnswer, KeyPointAnswer, Choice)
ReadUri = Callable[[str], str]


@dataclass
class DatasetObject:
    """One object of the payload. `answers`: those that count, by worker; `error`: why there is no label, "" so far."""

    id: str
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
    payload: Sequence[Any], classes: Sequence[str], key_points: Sequence[str], read_uri: ReadUri | None
) -> tuple[list[DatasetObject], type[Answer]]:
    """(the objects in the payload's order, what their answers are); an element without an id is left out."""
    elements = [element for element in payload if isinstance(element, dict) and _is_id(element.get("datasetObjectId"))]
    objects = [_read_object(element, classes, key_points, read_uri) for element in elements]
    task = _keep_one_task(objects)
    for item in objects:
        if task is not Choice:
            _keep_one_size(item)
        item.error = item.error or _no_label(item)
        item.refused.sort(key=lambda entry: (entry["worker"], entry["reason"]))
    return objects, task


def _read_object(
    element: Mapping[str, Any],
    classes: Sequence[str],
    key_points: Sequence[str],
    read_uri: ReadUri | None,
) -> DatasetObject:
    item = DatasetObject(element["datasetObjectId"])
    try:
        annotations = fields.sequence(element, "annotations", f"dataset object {item.id}")
    except InvalidInputError as error:
        item.error = str(error)
        return item
    read: list[tuple[str, Answer]] = []
    for annotation in annotations:
        worker = annotation.get("workerId") if isinstance(annotation, dict) else None
        name = str(worker) if _is_id(worker) else ""
        try:
            read.append((name, read_answer(_content(annotation, read_uri), classes, key_points)))
        except InvalidInputError as error:
            item.refuse(name or "unnamed", str(error))
    # A worker has one answer: of several under one id, which a resubmission makes, the last one counts.
    by_worker = {worker: answer for worker, answer in read if worker}
    unnamed = sorted((answer for worker, answer in read if not worker), key=repr)
    by_worker.update({f"unnamed {number}": answer for number, answer in enumerate(unnamed, start=1)})
    item.notes = sorted({answer.note[:LONGEST_NOTE] for answer in by_worker.values() if answer.note})[:MOST_NOTES]
    item.cannot_judge = sum(isinstance(answer, CannotJudge) for answer in by_worker.values())
    item.answers = {worker: answer for worker, answer in by_worker.items() if not isinstance(answer, CannotJudge)}
    return item


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


def _keep_one_task(objects: Sequence[DatasetObject]) -> type[Answer]:
    """A job has one task: the one that most answers are about. The others are refused."""
    counts = Counter(type(answer) for item in objects for answer in item.answers.values())
    task = max(TASKS, key=lambda kind: counts[kind])
    for item in objects:
        for worker, answer in sorted(item.answers.items()):
            if type(answer) is not task:
                item.refuse(worker, f"answer: a {type(answer).__name__} where the others gave a {task.__name__}")
                del item.answers[worker]
    return task


def _keep_one_size(item: DatasetObject) -> None:
    """An answer about an image of another size is about another image; most decide, the smallest among equals."""
    sizes = {worker: (answer.width, answer.height) for worker, answer in item.answers.items()}
    counts = Counter(sizes.values())
    usual = min(counts, key=lambda size: (-counts[size], size), default=(0, 0))
    for worker, (width, height) in sorted(sizes.items()):
        if (width, height) != usual:
            said = f"answer: field 'inputImageProperties' says {width} x {height} pixels"
            item.refuse(worker, f"{said}, most say {usual[0]} x {usual[1]}")
            del item.answers[worker]


def _no_label(item: DatasetObject) -> str:
    """Why the object gets no label; empty where it gets one."""
    judged = len(item.answers)
    if item.cannot_judge > judged:
        return f"{item.cannot_judge} of {item.cannot_judge + judged} people cannot judge the image"
    if judged:
        return ""
    reasons = sorted(entry["reason"] for entry in item.refused)[:3]
    return f"no usable answer among {len(item.refused)}: " + ("; ".join(reasons) or "nobody answered")


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and fields.is_storable(value)
