"""The task `boxes`: every object of the image in one box, which a model is trained to draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.augmented import label_value
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Size
from labelloop.contracts.records import Box, Prediction
from labelloop.tasks import disturbed_boxes, pages
from labelloop.tasks.consolidation_boxes import FusedBox, fuse_boxes
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.port import Answer, Form, Page
from labelloop.tasks.proposals import proposal_line
from labelloop.tasks.quality import Truth, image_quality, iou, map50, match_boxes

ANSWER_ATTRIBUTE = "human-boxes"
SAME_OBJECT_IOU = 0.5
FOUND_IOU = 0.5
NOTHING_SEEN = 0.5


class Boxes:
    name = "boxes"
    answer = ANSWER_ATTRIBUTE
    trained = True
    separable = True

    def holding(self, marks: Iterable[Box]) -> dict[str, Any]:
        return {"boxes": tuple(marks), "key_points": None}

    def quality(self, marks: Sequence[Box], truth: Sequence[Any], size: Size) -> float:
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

    def page(self, record: Mapping[str, Any], names: Sequence[str], context: str) -> Page:
        shown = [pages.box_mark(box) for box in pages.proposed_boxes(record, names, context)]
        # The header says what to draw, and what to accept.
        return Page(list(names), shown, shown, "One tight box around every " + naming.listed(names))

    def label(self, prediction: Prediction, rule: LabelRule) -> tuple[Box, ...]:
        """The boxes that are at least as confident as the rule asks, in their order."""
        return tuple(box for box in prediction.boxes if (box.confidence or 0.0) >= rule.keep_confidence)

    def score(self, prediction: Prediction, rule: LabelRule) -> float:
        """
            score = (mean + minimum of the kept confidences) / 2 * (1 - strongest dropped candidate)

        The mean speaks for the label as a whole, the minimum for its weakest box (one wrong box spoils a label), the
        last factor for an object the label may have missed. With no box kept the label says "nothing here": nothing
        vouches for that, so it is trusted half (trusted fully, everything a weak model overlooks would be accepted
        first). A dropped candidate on top of a kept box of its class is a second opinion on the same object and not a
        missed one, so it does not count. The score only ranks; a rule's threshold, fitted on judge images, gives
        it a meaning.
        """
        kept = self.label(prediction, rule)
        missed = max(
            (
                box.confidence or 0.0
                for box in prediction.boxes
                if (box.confidence or 0.0) < rule.keep_confidence and not _repeats(box, kept)
            ),
            default=0.0,
        )
        confidences = [box.confidence or 0.0 for box in kept]
        # fsum, because its result does not depend on the order of the boxes.
        trust = (math.fsum(confidences) / len(confidences) + min(confidences)) / 2 if confidences else NOTHING_SEEN
        return round(trust * (1 - missed), 6)

    def gate_metric(self, predictions: Iterable[Prediction], truths: Iterable[Truth]) -> float | None:
        """COCO's mean average precision at an overlap of one half."""
        return map50(predictions, truths)

    def found(self, marks: Sequence[Box], truth: Sequence[Box]) -> set[int]:
        return {index for overlap, _, index in match_boxes(marks, truth) if overlap >= FOUND_IOU}


def _repeats(box: Box, kept: Iterable[Box]) -> bool:
    return any(box.label == other.label and iou(box, other) >= SAME_OBJECT_IOU for other in kept)


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
