"""The task `boxes`: every object of the image in one box, which a model is trained to draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.augmented import label_value
from labelloop.contracts.label_rules import NO_SUPPRESSION, LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, Prediction
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import disturbed_boxes, pages
from labelloop.tasks.consolidation_boxes import FusedBox, fuse_boxes
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.port import Answer, Form, Page, Trust
from labelloop.tasks.proposals import proposal_line
from labelloop.tasks.quality import (
    Truth,
    compared_boxes,
    image_quality,
    iou,
    map50,
    match_boxes,
    qualities_of_parts,
    surest_of_each,
)
from labelloop.tasks.resampled_precision import ResampledPrecision

ANSWER_ATTRIBUTE = "human-boxes"
SAME_OBJECT_IOU = 0.5
FOUND_IOU = 0.5


class Boxes:
    name = "boxes"
    answer = ANSWER_ATTRIBUTE
    trained = True
    separable = True

    def holding(self, marks: Iterable[Box]) -> dict[str, Any]:
        return {"boxes": tuple(marks), "people": None}

    def quality(self, marks: Sequence[Box], truth: Sequence[Any], skeleton: Skeleton | None = None) -> float:
        """The one-to-one overlap of the boxes: `image_quality`."""
        known = [mark for mark in truth if isinstance(mark, Box)]
        return image_quality(marks, known) if len(known) == len(truth) else 0.0

    def fuse(
        self, images: Sequence[Mapping[str, Answer]], names: Sequence[str], reliability: Mapping[str, float]
    ) -> list[dict[str, Any]]:
        drawn = [{worker: answer.marks for worker, answer in answers.items()} for answers in images]
        return [
            _value(answers, fused, names)
            for answers, fused in zip(images, fuse_boxes(drawn, names, reliability), strict=True)
        ]

    def propose(
        self,
        source_ref: str,
        width: int,
        height: int,
        marks: Sequence[Box] | None,
        names: Sequence[str],
        model: str,
        original_ref: str | None = None,
    ) -> dict[str, Any]:
        return proposal_line(source_ref, width, height, marks, names, model, original_ref)

    def disturb(self, image: Annotation, names: Sequence[str], random: Random) -> list[Box]:
        return disturbed_boxes.disturbed(image, names, random)

    def spoil(self, image: Annotation, names: Sequence[str], random: Random) -> list[Box]:
        return disturbed_boxes.spoiled(image, names, random)

    def form(self, kind: str, names: Sequence[str], listed: str) -> Form:
        if kind == "verify":
            return Form(
                "verified-boxes",
                "verify-boxes.liquid.html",
                ("accept", "reject"),
                f"Accept or reject the boxes around every {listed}",
                "Accept the label when every object has one tight box of the right class, else reject it.",
                "verification",
            )
        drawn = "Draw a box" if kind == "annotate" else "Correct the boxes"
        return Form(
            ANSWER_ATTRIBUTE,
            "boxes.liquid.html",
            tuple(names),
            f"{drawn} around every {listed}",
            "Draw one tight box around every object."
            if kind == "annotate"
            else "Correct the proposed boxes until every object has one tight box.",
            "bounding box",
        )

    def page(self, record: Mapping[str, Any], settings: Settings, context: str) -> Page:
        names = list(settings.classes)
        shown = [pages.box_mark(box) for box in pages.proposed_boxes(record, names, context)]
        # The header says what to draw, and what to accept.
        return Page(names, shown, "One tight box around every " + naming.listed(names), shown, names)

    def label(self, prediction: Prediction, rule: LabelRule) -> tuple[Box, ...]:
        """The boxes that are confident enough and that are not dropped for a surer one, in their order."""
        return tuple(prediction.boxes[place] for place in _kept(_left(prediction, rule.nms_iou), prediction, rule))

    def qualities(self, prediction: Prediction, truth: Sequence[Box], rules: Sequence[LabelRule]) -> list[float]:
        left = {nms_iou: _left(prediction, nms_iou) for nms_iou in {rule.nms_iou for rule in rules}}
        parts = [frozenset(_kept(left[rule.nms_iou], prediction, rule)) for rule in rules]
        return list(qualities_of_parts(prediction.boxes, truth, parts))

    def trusts(self, prediction: Prediction, rules: Sequence[LabelRule]) -> list[Trust]:
        """
            score = S / max(kept, S + D) * (1 - m / 2)

        S is the sum of the kept confidences: the boxes that one may expect to be right of `kept`. D is that of the
        dropped candidates: the objects that one may expect to be missing; m is the largest of them. A candidate on top
        of a kept box of its class is a second opinion on the same object and not a missed one, so it does not count.
        With no box kept the label says "nothing here", and that is trusted as far as it proved right on judge images:
        `LabelRule.empty_score * (1 - m / 2)`. Compared with other formulas: docs/measurements.md, "The score".
        The score only ranks; a policy that is fitted on judge images gives it a meaning.
        """
        boxes, found = prediction.boxes, []
        left = {nms_iou: _left(prediction, nms_iou) for nms_iou in {rule.nms_iou for rule in rules}}
        repeats = {nms_iou: _repeats(boxes, places) for nms_iou, places in left.items()}
        for rule in rules:
            kept = frozenset(_kept(left[rule.nms_iou], prediction, rule))
            others = [place for place in range(len(boxes)) if place not in kept]
            dropped = [_sure(boxes[place]) for place in others if repeats[rule.nms_iou][place] < rule.keep_confidence]
            # fsum, because its result does not depend on the order of the boxes.
            sure, missing = math.fsum(_sure(boxes[place]) for place in kept), math.fsum(dropped)
            trust = sure / max(len(kept), sure + missing) if kept else 1.0
            found.append(Trust(trust * (1 - max(dropped, default=0.0) / 2), empty=not kept))
        return found

    def gate_metric(self, predictions: Iterable[Prediction], truths: Iterable[Truth]) -> float | None:
        """COCO's mean average precision at an overlap of one half."""
        return map50(predictions, truths)

    def class_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth]
    ) -> Callable[[Sequence[int]], dict[str, float]]:
        return ResampledPrecision(compared_boxes(predictions, truths))

    def found(self, marks: Sequence[Box], truth: Sequence[Box]) -> set[int]:
        return {index for overlap, _, index in match_boxes(marks, truth) if overlap >= FOUND_IOU}


def _left(prediction: Prediction, nms_iou: float) -> Sequence[int]:
    """The places of the boxes that are dropped for no surer one."""
    if nms_iou >= NO_SUPPRESSION:
        return range(len(prediction.boxes))
    return surest_of_each(prediction.boxes, nms_iou)


def _kept(left: Iterable[int], prediction: Prediction, rule: LabelRule) -> list[int]:
    return [place for place in left if _sure(prediction.boxes[place]) >= rule.keep_confidence]


def _repeats(boxes: Sequence[Box], left: Iterable[int]) -> list[float]:
    """For each box the confidence of the surest one of its class, of those `left`, that it lies on top of; -1 where
    there is none.
    """
    found = [-1.0] * len(boxes)
    for other in left:
        for place, box in enumerate(boxes):
            surer = place != other and box.label == boxes[other].label and found[place] < _sure(boxes[other])
            if surer and iou(box, boxes[other]) >= SAME_OBJECT_IOU:
                found[place] = _sure(boxes[other])
    return found


def _sure(box: Box) -> float:
    return box.confidence or 0.0


def _value(answers: Mapping[str, Answer], fused: Sequence[FusedBox], classes: Sequence[str]) -> dict[str, Any]:
    boxes = [entry.box for entry in fused]
    some = next(iter(answers.values()))
    objects = [(entry.box.confidence, math.fsum(entry.overlaps.values()) / len(answers)) for entry in fused]
    agreement = fmean(_quality(worker, len(answer.marks), fused) for worker, answer in answers.items())
    return {
        **label_value(some.width, some.height, boxes, classes),
        **consolidated(objects, classes, len(answers), agreement),
    }


def _quality(worker: str, drawn: int, fused: Sequence[FusedBox]) -> float:
    """How good the worker's answer is if the fused boxes are the truth, measured as `quality.image_quality` does."""
    common = math.fsum(entry.overlaps.get(worker, 0.0) for entry in fused)
    return common / max(drawn, len(fused)) if drawn or fused else 1.0
