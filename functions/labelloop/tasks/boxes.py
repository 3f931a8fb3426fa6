"""The task `boxes`: every object of the image in one box, which a model is trained to draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.augmented import label_value
from labelloop.contracts.in_image import Size
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import answered_boxes, disturbed_boxes, kept_marks, pages
from labelloop.tasks.changes import compare_boxes
from labelloop.tasks.consolidation_boxes import FusedBox, fuse_boxes
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.port import Answer, Form, JudgeImages, Page, Trust, Truth
from labelloop.tasks.proposals import proposal_line
from labelloop.tasks.quality import compared_boxes, image_quality, map50, match_boxes, qualities_of_parts
from labelloop.tasks.resampled_precision import ResampledPrecision

ANSWER_ATTRIBUTE = "human-boxes"
FOUND_IOU = 0.5


class Boxes:
    name = "boxes"
    answer = ANSWER_ATTRIBUTE
    verdict = "verified-boxes"
    widget = "crowd-bounding-box"
    element = "boundingBoxes"
    separable = True

    def quality(self, marks: Sequence[Box], truth: Sequence[Any], skeleton: Skeleton | None = None) -> float:
        """The one-to-one overlap of the boxes: `image_quality`."""
        known = [mark for mark in truth if isinstance(mark, Box)]
        return image_quality(marks, known) if len(known) == len(truth) else 0.0

    def answered(
        self,
        listed: Sequence[Any],
        size: Size,
        nothing_here: bool,
        classes: Sequence[str],
        skeleton: Skeleton | None,
    ) -> tuple[Box, ...]:
        """`answered_boxes.boxes`; no box is an answer, too."""
        return answered_boxes.boxes(listed, size, classes)

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
                self.verdict,
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
        """The boxes that the rule keeps, in their order."""
        (places,) = kept_marks.kept(prediction.boxes, [rule])
        return tuple(prediction.boxes[place] for place in places)

    def qualities(
        self,
        prediction: Prediction,
        truth: Sequence[Box],
        rules: Sequence[LabelRule],
        skeleton: Skeleton | None = None,
    ) -> list[float]:
        parts = map(frozenset, kept_marks.kept(prediction.boxes, rules))
        return list(qualities_of_parts(prediction.boxes, truth, parts))

    def trusts(self, prediction: Prediction, rules: Sequence[LabelRule]) -> list[Trust]:
        """`kept_marks.trusts`."""
        return kept_marks.trusts(prediction.boxes, rules)

    def taught(self, judge_images: JudgeImages, rule: LabelRule) -> LabelRule:
        """Boxes have nothing else to be fitted."""
        return rule

    def cross_taught(self, judge_images: JudgeImages, rule: LabelRule) -> list[LabelRule]:
        return [rule] * len(judge_images)

    def figures(self, judge_images: JudgeImages, rule: LabelRule) -> dict[str, Any]:
        return {}

    def gate_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> float | None:
        """COCO's mean average precision at an overlap of one half."""
        return map50(predictions, truths)

    def class_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> Callable[[Sequence[int]], dict[str, float]]:
        return ResampledPrecision(compared_boxes(predictions, truths))

    def found(self, marks: Sequence[Box], truth: Sequence[Box]) -> set[int]:
        return {index for overlap, _, index in match_boxes(marks, truth) if overlap >= FOUND_IOU}

    def changes(self, before: Sequence[Box], after: Sequence[Box]) -> Adjustment:
        """`changes.compare_boxes`."""
        return compare_boxes(before, after)


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
