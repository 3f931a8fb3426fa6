"""The task `key-points`: the named points of one object. People place them; no model is trained for it yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.augmented import whole_or_fraction
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Size
from labelloop.contracts.records import OCCLUDED, KeyPoint
from labelloop.tasks import disturbed_key_points, pages
from labelloop.tasks.consolidation_key_points import FusedKeyPoint, fuse_key_points, same_point
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.port import Answer, Form, Page
from labelloop.tasks.proposals import key_point_proposal_line


class KeyPoints:
    name = "key-points"
    answer = "human-key-points"
    trained = False
    separable = False

    def holding(self, marks: Iterable[KeyPoint]) -> dict[str, Any]:
        return {"boxes": (), "key_points": tuple(marks)}

    def quality(self, marks: Sequence[KeyPoint], truth: Sequence[Any], size: Size) -> float:
        """The share of the true points that are right (`same_point`)."""
        known = {mark.label: mark for mark in truth if isinstance(mark, KeyPoint)}
        pairs = [(point, known[point.label]) for point in marks if point.label in known]
        right = sum(same_point(one, other, *size) for one, other in pairs)
        return right / len(truth) if known else 0.0

    def fuse(
        self, images: Sequence[Mapping[str, Answer]], names: Sequence[str], reliability: Mapping[str, float]
    ) -> list[dict[str, Any]]:
        placed = [{worker: answer.marks for worker, answer in answers.items()} for answers in images]
        some = [next(iter(answers.values())) for answers in images]
        sizes = [(answer.width, answer.height) for answer in some]
        return [
            _value(fused, names, size, len(answers))
            for answers, fused, size in zip(
                images, fuse_key_points(placed, sizes, names, reliability), sizes, strict=True
            )
        ]

    def propose(
        self,
        source_ref: str,
        width: int,
        height: int,
        marks: Sequence[KeyPoint] | None,
        names: Sequence[str],
        model: str,
        original_ref: str | None = None,
    ) -> dict[str, Any]:
        return key_point_proposal_line(source_ref, width, height, marks, names, model, original_ref)

    def disturb(self, image: Annotation, names: Sequence[str], random: Random) -> list[KeyPoint]:
        return disturbed_key_points.disturbed(image, names, random)

    def spoil(self, image: Annotation, names: Sequence[str], random: Random) -> list[KeyPoint]:
        return disturbed_key_points.spoiled(image, names, random)

    def form(self, kind: str, names: Sequence[str], listed: str) -> Form:
        """The same for every kind: as no model proposes points, people place them."""
        return Form(
            self.answer,
            "key-points.liquid.html",
            tuple(names),
            f"Place the key points: {listed}",
            "Place every key point you can see or infer; leave out what is outside the view.",
            "key point",
        )

    def page(self, record: Mapping[str, Any], names: Sequence[str], context: str) -> Page:
        points = pages.proposed_key_points(record, names, context)
        labels = [label for name in names for label in (name, name + OCCLUDED)]
        initial = [pages.point_mark(point) for point in points if point.visibility != "outside"]
        return Page(labels, initial, [], "Place the points: " + naming.listed(names))


def _value(fused: Sequence[FusedKeyPoint], names: Sequence[str], size: tuple[int, int], workers: int) -> dict[str, Any]:
    annotations = []
    for index, entry in enumerate(fused):
        place = {"x": entry.point.x, "y": entry.point.y}
        known = {axis: whole_or_fraction(value) for axis, value in place.items() if value is not None}
        annotations.append({"class_id": index, **known, "visibility": entry.point.visibility})
    agreement = fmean(entry.agreement for entry in fused) if fused else 1.0
    return {
        "image_size": [{"width": size[0], "height": size[1], "depth": 3}],
        "annotations": annotations,
        **consolidated([(entry.point.confidence, entry.agreement) for entry in fused], names, workers, agreement),
    }
