"""Several annotators' boxes -> one label (the post-annotation step of a Ground Truth custom task).

Boxes are left/top/width/height in canonical pixels. The result depends neither on the order of the workers nor on
the order in which a worker drew. "Nothing here" from a person who looked is an answer, and an empty label is a label.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

from labelloop import fields
from labelloop.augmented import label_value
from labelloop.errors import InvalidInputError
from labelloop.quality import iou
from labelloop.records import Box

SAME_OBJECT_IOU = 0.5
MOST_ANSWER_CHARACTERS = 1_000_000
OUTSIDE_TOLERANCE_PIXELS = 1.0


@dataclass(frozen=True)
class Answer:
    """One worker's boxes and the image size the worker's page saw, in pixels."""

    boxes: tuple[Box, ...]
    width: int
    height: int


def consolidate_payload(
    payload: Any, attribute: str, classes: Sequence[str], read_uri: Callable[[str], str] | None = None
) -> list[dict[str, Any]]:
    """The response to a consolidation request's payload: one label per dataset object, in the payload's order.

    The label value is Ground Truth's bounding-box value plus what a custom task's metadata lacks: `objects`
    (confidences), `class-map` and `workers` (how many answered usably). A malformed answer costs that answer; where
    none is left the value is {"error": why}, which `manifests.read_labeled` reads as failed.
    `read_uri` fetches answers that the payload only points to. Raises InvalidInputError when the payload itself is
    malformed. Contract: sms-custom-templates-step3-lambda-requirements, post-annotation.
    """
    if not isinstance(payload, list):
        raise fields.refuse("consolidation payload", "(the payload)", "a list", payload)
    response = []
    for index, element in enumerate(payload):
        item = fields.mapping(element, "consolidation payload", f"[{index}]")
        object_id = fields.text(item, "datasetObjectId", f"consolidation payload, [{index}]")
        annotations = fields.sequence(item, "annotations", f"dataset object {object_id}")
        value = _label(annotations, object_id, classes, read_uri)
        response.append({"datasetObjectId": object_id, "consolidatedAnnotation": {"content": {attribute: value}}})
    return response


def consolidate(answers: Sequence[Sequence[Box]]) -> list[Box]:
    """One label from the boxes of every worker who answered; empty answers count as answers.

    Boxes of different workers that overlap by at least half form a cluster, the closest pairs first and those of the
    same class before others, at most one box per worker. A cluster is kept when a strict majority of the workers
    drew it: one worker's label is kept whole, two workers must agree, of three two. Each edge is the median, which
    one careless worker cannot move; the class is the vote's, on a tie the alphabetically first; the confidence is
    the share of the workers who drew the box.
    """
    # Workers are numbered by what they drew, so that the order in which their answers came cannot break a tie.
    ranked = sorted((sorted(boxes, key=_order) for boxes in answers), key=lambda boxes: [_order(box) for box in boxes])
    drawn = sorted(
        ((worker, box) for worker, boxes in enumerate(ranked) for box in boxes), key=lambda drawn: _order(drawn[1])
    )
    kept = []
    for cluster in _clusters(drawn):
        if 2 * len(cluster) > len(answers):
            kept.append(_fuse(cluster, len(cluster) / len(answers)))
    return sorted(kept, key=_order)


def parse_answer(content: str | Mapping[str, Any], classes: Sequence[str] | None = None) -> list[Box]:
    """The boxes of one crowd-bounding-box answer; see `read_answer`."""
    return list(read_answer(content, classes).boxes)


def read_answer(content: str | Mapping[str, Any], classes: Sequence[str] | None = None) -> Answer:
    """One answer as the crowd-bounding-box element gives it, under whatever name the template chose.

    InvalidInputError names the field for everything an annotator's browser should never send: not JSON, over 1 MB,
    nested too deeply, not a number, a negative or empty size, a box outside the image, a class not in `classes`.
    Edges up to one pixel outside, which rounding in the page makes, are moved to the image's edge.
    """
    form = _form(content)
    elements = [value for value in form.values() if isinstance(value, dict) and "boundingBoxes" in value]
    if len(elements) != 1:
        raise InvalidInputError(f"answer: field 'boundingBoxes' must occur in one element, not in {len(elements)}")
    size = fields.mapping(elements[0].get("inputImageProperties"), "answer", "inputImageProperties")
    width, height = (fields.integer(size, side, "answer, inputImageProperties", 1) for side in ("width", "height"))
    boxes = tuple(
        _box(box, f"answer, boundingBoxes[{index}]", width, height, classes)
        for index, box in enumerate(fields.sequence(elements[0], "boundingBoxes", "answer"))
    )
    return Answer(boxes, width, height)


def _label(
    annotations: Sequence[Any], object_id: str, classes: Sequence[str], read_uri: Callable[[str], str] | None
) -> dict[str, Any]:
    # A worker has one answer: of several under one id, which a resubmission makes, the last one counts.
    by_worker: dict[str, Answer] = {}
    problems = []
    for index, annotation in enumerate(annotations):
        try:
            annotation = fields.mapping(annotation, f"dataset object {object_id}", f"annotations[{index}]")
            worker = fields.optional_text(annotation, "workerId", f"annotations[{index}]") or f"unnamed {index}"
            by_worker[worker] = read_answer(_content(annotation, index, read_uri), classes)
        except InvalidInputError as error:
            problems.append(str(error))
    if not by_worker:
        return {
            "error": f"no usable answer among {len(annotations)}: " + ("; ".join(problems[:3]) or "nobody answered")
        }
    sizes = Counter((answer.width, answer.height) for answer in by_worker.values())
    width, height = min(sizes, key=lambda size: (-sizes[size], size))
    answers = [answer.boxes for answer in by_worker.values() if (answer.width, answer.height) == (width, height)]
    boxes = consolidate(answers)
    return {
        **label_value(width, height, boxes, classes),
        "objects": [{"confidence": round(box.confidence or 0.0, 4)} for box in boxes],
        "class-map": {str(index): name for index, name in enumerate(classes)},
        "workers": len(answers),
    }


def _content(
    annotation: Mapping[str, Any], index: int, read_uri: Callable[[str], str] | None
) -> str | Mapping[str, Any]:
    data = fields.mapping(annotation.get("annotationData"), f"annotations[{index}]", "annotationData")
    if "content" not in data and "s3Uri" in data and read_uri is not None:
        return read_uri(fields.text(data, "s3Uri", f"annotations[{index}]"))
    content = data.get("content")
    if not isinstance(content, str | dict):
        raise fields.refuse(f"annotations[{index}]", "content", "a JSON string", content)
    return content


def _form(content: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = content if isinstance(content, str) else json.dumps(content)
    except (RecursionError, ValueError, TypeError):
        raise InvalidInputError("answer: field 'content' is nested too deeply or no JSON") from None
    if len(text) > MOST_ANSWER_CHARACTERS:
        raise InvalidInputError(f"answer: field 'content' has {len(text)} characters, more than 1 MB")
    return fields.mapping(fields.parse_json(text, "answer, field 'content'"), "answer", "content")


def _box(value: Any, context: str, width: int, height: int, classes: Sequence[str] | None) -> Box:
    record = fields.mapping(value, context, "boundingBoxes")
    label = (
        fields.text(record, "label", context)
        if classes is None
        else fields.choice(record, "label", context, tuple(classes))
    )
    left, box_width = _span(record, "left", "width", width, context)
    top, box_height = _span(record, "top", "height", height, context)
    return Box(label, left, top, box_width, box_height)


def _span(record: Mapping[str, Any], start: str, extent: str, limit: int, context: str) -> tuple[float, float]:
    """(start, extent) of the box along one axis, clipped to 0..limit."""
    first = fields.number(record, start, context, -OUTSIDE_TOLERANCE_PIXELS, limit)
    last = first + fields.number(record, extent, context, 0)
    if last > limit + OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, extent, f"a box inside the image, which ends at {limit}", last)
    clipped = max(first, 0.0)
    size = min(last, float(limit)) - clipped
    if size <= 0:
        raise fields.refuse(context, extent, "a positive number of pixels inside the image", record.get(extent))
    return clipped, size


def _clusters(drawn: Sequence[tuple[int, Box]]) -> list[list[Box]]:
    """Boxes that mean the same object; `drawn` is (worker, box) in box order."""
    pairs = []
    for (i, (worker, box)), (j, (other_worker, other)) in combinations(enumerate(drawn), 2):
        if worker != other_worker and (overlap := iou(box, other)) >= SAME_OBJECT_IOU:
            pairs.append((box.label != other.label, -overlap, _order(box), _order(other), i, j))
    cluster_of = {index: [index] for index in range(len(drawn))}
    for *_, i, j in sorted(pairs):
        one, other_cluster = cluster_of[i], cluster_of[j]
        if one is not other_cluster and not {drawn[k][0] for k in one} & {drawn[k][0] for k in other_cluster}:
            one.extend(other_cluster)
            cluster_of.update((k, one) for k in other_cluster)
    distinct = {id(cluster): cluster for cluster in cluster_of.values()}
    return [[drawn[k][1] for k in sorted(cluster)] for cluster in distinct.values()]


def _fuse(cluster: Sequence[Box], confidence: float) -> Box:
    votes = Counter(box.label for box in cluster)
    label = min(votes, key=lambda name: (-votes[name], name))
    left, top = median(box.left for box in cluster), median(box.top for box in cluster)
    right, bottom = median(box.left + box.width for box in cluster), median(box.top + box.height for box in cluster)
    return Box(label, round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2), confidence)


def _order(box: Box) -> tuple[float, float, float, float, str]:
    return box.left, box.top, box.width, box.height, box.label
