"""The task `key-points`: a box and named points of every person, each visible, occluded or outside the view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.in_image import Size
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.people_values import people_value
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Person
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import (
    answered_people,
    disturbed_key_points,
    matchable_boxes,
    oks,
    pages,
    people_labels,
    seen_people,
)
from labelloop.tasks.changes import compare_people
from labelloop.tasks.consolidation_key_points import same_point
from labelloop.tasks.consolidation_people import FusedPerson, fuse_people
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.people_quality import people_quality
from labelloop.tasks.port import Answer, Form, JudgeImages, Page, Trust, Truth
from labelloop.tasks.proposals import key_point_proposal_line
from labelloop.tasks.quality import match_boxes
from labelloop.tasks.resampled_precision import ResampledPrecision

FOUND_IOU = 0.5
NO_POINTS = Skeleton((), (), (), ())  # where none are asked for


class KeyPoints:
    name = "key-points"
    answer = "human-key-points"
    verdict = "verified-key-points"
    widget = "crowd-keypoint"
    element = "keypoints"
    separable = False

    def quality(self, marks: Sequence[Any], truth: Sequence[Any], skeleton: Skeleton | None = None) -> float:
        """`people_quality`."""
        if not all(isinstance(mark, Person) for mark in (*marks, *truth)):
            return 0.0
        return people_quality(marks, truth, skeleton)

    def answered(
        self,
        listed: Sequence[Any],
        size: Size,
        nothing_here: bool,
        classes: Sequence[str],
        skeleton: Skeleton | None,
    ) -> tuple[Person, ...]:
        """`answered_people.people`."""
        return answered_people.people(listed, size, skeleton or NO_POINTS, nothing_here)

    def fuse(
        self, images: Sequence[Mapping[str, Answer]], names: Sequence[str], reliability: Mapping[str, float]
    ) -> list[dict[str, Any]]:
        marked = [{worker: answer.marks for worker, answer in answers.items()} for answers in images]
        some = [next(iter(answers.values())) for answers in images]
        sizes = [(answer.width, answer.height) for answer in some]
        return [
            _value(answers, fused, names, size)
            for answers, fused, size in zip(images, fuse_people(marked, sizes, names, reliability), sizes, strict=True)
        ]

    def propose(
        self,
        source_ref: str,
        width: int,
        height: int,
        marks: Sequence[Person] | None,
        names: Sequence[str],
        model: str,
        original_ref: str | None = None,
    ) -> dict[str, Any]:
        return key_point_proposal_line(source_ref, width, height, marks, names, model, original_ref)

    def disturb(self, image: Annotation, names: Sequence[str], random: Random) -> list[Person]:
        return disturbed_key_points.disturbed(image, names, random)

    def spoil(self, image: Annotation, names: Sequence[str], random: Random) -> list[Person]:
        return disturbed_key_points.spoiled(image, names, random)

    def form(self, kind: str, names: Sequence[str], listed: str) -> Form:
        if kind == "verify":
            return Form(
                self.verdict,
                "verify-key-points.liquid.html",
                ("accept", "reject"),
                f"Accept or reject the key points of every person: {listed}",
                "Accept the label when every person has a box and every point is in its place, else reject it.",
                "verification",
            )
        placed = "Place" if kind == "annotate" else "Correct"
        return Form(
            self.answer,
            "key-points.liquid.html",
            tuple(names),
            f"{placed} the key points of every person: {listed}",
            "Place every key point you can see or infer; leave out what is outside the view."
            if kind == "annotate"
            else "Correct the proposed points and boxes until every person is right; outside the view is no point.",
            "key point",
        )

    def label(self, prediction: Prediction, rule: LabelRule) -> tuple[Person, ...]:
        """`seen_people.label`."""
        return seen_people.label(prediction, rule)

    def qualities(
        self,
        prediction: Prediction,
        truth: Sequence[Person],
        rules: Sequence[LabelRule],
        skeleton: Skeleton | None = None,
    ) -> list[float]:
        return seen_people.qualities(prediction, truth, rules, skeleton)

    def trusts(self, prediction: Prediction, rules: Sequence[LabelRule]) -> list[Trust]:
        """`seen_people.trusts`."""
        return seen_people.trusts(prediction, rules)

    def taught(self, judge_images: JudgeImages, rule: LabelRule) -> LabelRule:
        """`seen_people.taught`."""
        return seen_people.taught(judge_images, rule)

    def cross_taught(self, judge_images: JudgeImages, rule: LabelRule) -> list[LabelRule]:
        return seen_people.cross_taught(judge_images, rule)

    def figures(self, judge_images: JudgeImages, rule: LabelRule) -> dict[str, Any]:
        """`visibility.VisibilityFigures`, cross-fitted."""
        return seen_people.figures(judge_images, rule)

    def gate_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> float | None:
        """COCO's mean average precision at an object key-point similarity of one half."""
        return oks.oks_map50(predictions, truths, _known(skeleton))

    def class_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> Callable[[Sequence[int]], dict[str, float]]:
        return ResampledPrecision(oks.compared_people(predictions, truths, _known(skeleton)))

    def found(self, marks: Sequence[Person], truth: Sequence[Person]) -> set[int]:
        matches = match_boxes(*matchable_boxes.of(marks, truth))
        return {index for overlap, _, index in matches if overlap >= FOUND_IOU}

    def changes(self, before: Sequence[Person], after: Sequence[Person]) -> Adjustment:
        """`changes.compare_people`."""
        return compare_people(before, after)

    def page(self, record: Mapping[str, Any], settings: Settings, context: str) -> Page:
        """It has labels for MostPeople people, or for as many as a model proposes."""
        names = settings.key_points.names
        drawn = {key: settings.key_points.to_json()[key] for key in ("bones", "box_factor")}
        people = pages.proposed_people(record, names, context)
        labels = people_labels.offered(names, max(settings.most_people, len(people)))
        initial = [mark for number, person in enumerate(people, 1) for mark in people_labels.marks(person, number)]
        overlay, overlay_labels = pages.people_overlay(people, names)
        header = "The points of every person: " + naming.listed(names)
        return Page(labels, initial, header, overlay, overlay_labels, drawn)


def _known(skeleton: Skeleton | None) -> Skeleton:
    if skeleton is None:
        raise ValueError("how near a point has to be is a matter of the skeleton: give the stack's")
    return skeleton


def _value(
    answers: Mapping[str, Answer], fused: Sequence[FusedPerson], names: Sequence[str], size: tuple[int, int]
) -> dict[str, Any]:
    agreement = fmean(_agreement(worker, answer, fused, size) for worker, answer in answers.items())
    objects = [
        (each.point.confidence, each.agreement * len(person.workers) / len(answers))
        for person in fused
        for each in person.points
    ]
    return {
        **people_value(*size, [each.person for each in fused], names),
        **consolidated(objects, names, len(answers), agreement),
    }


def _agreement(worker: str, answer: Answer, fused: Sequence[FusedPerson], size: tuple[int, int]) -> float:
    """Of the people whom the worker marked, or of the fused ones where those are more, the share that is the same,
    point by point.
    """
    if not answer.marks and not fused:
        return 1.0
    shares = [
        fmean(
            same_point(one, other, *size)
            for one, other in zip(each.workers[worker].points, each.person.points, strict=True)
        )
        for each in fused
        if worker in each.workers
    ]
    return sum(shares) / max(len(answer.marks), len(fused))
