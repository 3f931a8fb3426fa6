"""The task `key-points`: a box and named points of every person. People place them; no model is trained for it yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.people_values import people_value
from labelloop.contracts.records import Person
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import disturbed_key_points, pages, people_labels
from labelloop.tasks.consolidation_key_points import same_point
from labelloop.tasks.consolidation_people import FusedPerson, fuse_people
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.people_quality import people_quality
from labelloop.tasks.port import Answer, Form, Page
from labelloop.tasks.proposals import key_point_proposal_line


class KeyPoints:
    name = "key-points"
    answer = "human-key-points"
    trained = False
    separable = False

    def holding(self, marks: Iterable[Person]) -> dict[str, Any]:
        return {"boxes": (), "people": tuple(marks)}

    def quality(self, marks: Sequence[Any], truth: Sequence[Any], skeleton: Skeleton | None = None) -> float:
        """`people_quality`."""
        if not all(isinstance(mark, Person) for mark in (*marks, *truth)):
            return 0.0
        return people_quality(marks, truth, skeleton)

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
                "verified-key-points",
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

    def page(self, record: Mapping[str, Any], settings: Settings, context: str) -> Page:
        """It has labels for MostPeople people, or for as many as a model proposes."""
        names = settings.key_points.names
        drawn = {key: settings.key_points.to_json()[key] for key in ("bones", "box_factor")}
        people = pages.proposed_people(record, names, context)
        labels = people_labels.offered(names, max(settings.most_people, len(people)))
        initial = [mark for number, person in enumerate(people, 1) for mark in people_labels.marks(person, number)]
        overlay, overlay_labels = pages.people_overlay(people, names)
        header = "Place the points of every person: " + naming.listed(names)
        return Page(labels, initial, header, overlay, overlay_labels, drawn)


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
