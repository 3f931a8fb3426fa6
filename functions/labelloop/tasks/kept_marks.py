"""Which of the marks that a model sees a label rule keeps, and how far a label of them is to be trusted.

A mark is here as its box, which has the model's confidence; places are those in the prediction. Scores and confidences
lie in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from labelloop.contracts.label_rules import NO_SUPPRESSION, LabelRule
from labelloop.contracts.records import Box
from labelloop.tasks.port import Trust
from labelloop.tasks.quality import iou, surest_of_each

SAME_OBJECT_IOU = 0.5


def kept(boxes: Sequence[Box], rules: Sequence[LabelRule]) -> list[list[int]]:
    """By each of the rules: the places of the marks that are confident enough and that are dropped for no surer one."""
    left = {nms_iou: _left(boxes, nms_iou) for nms_iou in {rule.nms_iou for rule in rules}}
    return [_kept(left[rule.nms_iou], boxes, rule) for rule in rules]


def trusts(
    boxes: Sequence[Box], rules: Sequence[LabelRule], worth: Callable[[int, LabelRule], float] | None = None
) -> list[Trust]:
    """By each of the rules:

        score = W / max(kept, S + D) * (1 - m / 2)

    S is the sum of the kept confidences: the marks that one may expect to be there of `kept`; W is the sum of their
    `worth`, which is the confidence where nothing else is said of a mark. D is that of the confidences of the dropped
    candidates: the objects that one may expect to be missing; m is the largest of them. A candidate on top of a kept
    box of its class is a second opinion on the same object and not a missed one, so it does not count. With no mark
    kept the label says "nothing here", and that is trusted as far as it proved right on judge images:
    `LabelRule.empty_score * (1 - m / 2)`. Compared with other formulas: docs/measurements.md, "The score". The score
    only ranks; a policy that is fitted on judge images gives it a meaning.
    """
    found = []
    left = {nms_iou: _left(boxes, nms_iou) for nms_iou in {rule.nms_iou for rule in rules}}
    repeats = {nms_iou: _repeats(boxes, places) for nms_iou, places in left.items()}
    for rule in rules:
        chosen = frozenset(_kept(left[rule.nms_iou], boxes, rule))
        others = [place for place in range(len(boxes)) if place not in chosen]
        dropped = [sure(boxes[place]) for place in others if repeats[rule.nms_iou][place] < rule.keep_confidence]
        # fsum, because its result does not depend on the order of the boxes.
        there, missing = math.fsum(sure(boxes[place]) for place in chosen), math.fsum(dropped)
        worths = there if worth is None else math.fsum(worth(place, rule) for place in chosen)
        trust = worths / max(len(chosen), there + missing) if chosen else 1.0
        found.append(Trust(trust * (1 - max(dropped, default=0.0) / 2), empty=not chosen))
    return found


def sure(box: Box) -> float:
    return box.confidence or 0.0


def _left(boxes: Sequence[Box], nms_iou: float) -> Sequence[int]:
    """The places of the boxes that are dropped for no surer one."""
    if nms_iou >= NO_SUPPRESSION:
        return range(len(boxes))
    return surest_of_each(boxes, nms_iou)


def _kept(left: Iterable[int], boxes: Sequence[Box], rule: LabelRule) -> list[int]:
    return [place for place in left if sure(boxes[place]) >= rule.keep_confidence]


def _repeats(boxes: Sequence[Box], left: Iterable[int]) -> list[float]:
    """For each box the confidence of the surest one of its class, of those `left`, that it lies on top of; -1 where
    there is none.
    """
    found = [-1.0] * len(boxes)
    for other in left:
        for place, box in enumerate(boxes):
            surer = place != other and box.label == boxes[other].label and found[place] < sure(boxes[other])
            if surer and iou(box, boxes[other]) >= SAME_OBJECT_IOU:
                found[place] = sure(boxes[other])
    return found
