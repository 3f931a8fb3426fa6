"""A task that the product does not have, of a kind of mark that it does not have: tags of a whole image, each of the
classes true or false. With it tests see that a further task needs nothing but its own modules and its registration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean
from typing import Any

import pytest
from labelloop import tasks
from labelloop.contracts import fields, marks
from labelloop.contracts.adjustments import ADJUSTED, UNADJUSTED, Adjustment
from labelloop.contracts.augmented import CUSTOM, annotations_of, class_id_of, label_metadata
from labelloop.contracts.predictions import Prediction
from labelloop.tasks.label_values import consolidated
from labelloop.tasks.port import Form, Page, Trust


@dataclass(frozen=True)
class Tag:
    label: str
    there: bool
    confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"class": self.label, "there": self.there, "confidence": self.confidence}


class TagMarks:
    task = seen = "tags"
    listed_in = "classes"
    type = CUSTOM

    def value(self, width: int, height: int, marks: Sequence[Tag], names: Sequence[str]) -> dict[str, Any]:
        listed = [{"class_id": class_id_of(tag.label, names, "tag"), "there": tag.there} for tag in marks]
        return {"image_size": [{"width": width, "height": height, "depth": 3}], "annotations": listed}

    def confidences(self, marks: Sequence[Tag]) -> list[float | None]:
        return [tag.confidence for tag in marks]

    def holds(self, value: Any, attribute: str) -> bool:
        listed = value.get("annotations") if isinstance(value, dict) else None
        return bool(listed) and isinstance(listed[0], dict) and "there" in listed[0]

    def read(self, value, metadata, names, context) -> tuple[Tag, ...]:
        return tuple(
            Tag(label, fields.boolean(annotation, "there", where), sure)
            for annotation, label, sure, where in annotations_of(value, metadata, names, context)
        )

    def kept(self, mark: Tag) -> dict[str, Any]:
        return marks.exact(mark)

    def of_kept(self, records, size) -> tuple[Tag, ...]:
        return tuple(Tag(**record) for record in records)

    def sure(self, mark: Tag, confidence) -> Tag:
        return replace(mark, confidence=confidence())

    def names(self, mark: Tag) -> set[str]:
        return {mark.label}

    def renamed(self, mark: Tag, name_of) -> Tag:
        return replace(mark, label=name_of(mark.label))

    def whole(self, mark: Tag, names) -> Tag:
        return mark

    def inside(self, mark: Tag, size, names, number) -> Tag:
        return mark

    def visible(self, mark: Tag, size) -> None:
        """A tag has no place."""

    def predicted(self, record: object, context: str) -> Tag:
        told = fields.mapping(record, context, self.seen)
        sure = fields.number(told, "confidence", context, 0, 1)
        return Tag(fields.text(told, "class", context), fields.boolean(told, "there", context), sure)

    def checked(self, seen: Tag, size, vocabulary, context: str) -> Tag:
        fields.choice({"class": seen.label}, "class", context, vocabulary.names)
        return seen


class Tags:
    name = element = "tags"
    answer, verdict, widget = "human-tags", "verified-tags", "crowd-tags"
    separable = False

    def answered(self, listed, size, nothing_here, classes, skeleton) -> tuple[Tag, ...]:
        """The form lists the names of those that are there."""
        said = {fields.choice({"tag": name}, "tag", "answer", tuple(classes)) for name in listed}
        return tuple(Tag(name, name in said) for name in classes)

    def quality(self, marks: Sequence[Any], truth: Sequence[Any], skeleton=None) -> float:
        """The share of tags that are right."""
        if not all(isinstance(mark, Tag) for mark in (*marks, *truth)):
            return 0.0
        said = {tag.label: tag.there for tag in marks}
        return fmean(said.get(tag.label) == tag.there for tag in truth) if truth else float(not marks)

    def fuse(self, images, names, reliability) -> list[dict[str, Any]]:
        return [self._fused(answers, names, reliability) for answers in images]

    def _fused(self, answers: Mapping[str, Any], names: Sequence[str], reliability: Mapping[str, float]):
        some, fused = next(iter(answers.values())), []
        for place, name in enumerate(names):
            votes = [(reliability[worker], answer.marks[place].there) for worker, answer in answers.items()]
            sure = sum(trust for trust, there in votes if there) / sum(trust for trust, _ in votes)
            fused.append(Tag(name, sure > 0.5, max(sure, 1 - sure)))
        agreement = fmean(self.quality(answer.marks, fused) for answer in answers.values())
        value = marks.of(self.name).value(some.width, some.height, fused, names)
        objects = [(tag.confidence, tag.confidence) for tag in fused]
        return {**value, **consolidated(objects, names, len(answers), agreement)}

    def propose(self, source_ref, width, height, listed, names, model, original_ref=None) -> dict[str, Any]:
        head = {"source-ref": source_ref, "image-size": {"width": width, "height": height}}
        if listed is None:
            return head
        told = label_metadata(names, [tag.confidence or 0 for tag in listed], False, "", model, CUSTOM)
        value = marks.of(self.name).value(width, height, listed, names)
        return {**head, "proposed-tags": value, "proposed-tags-metadata": told}

    def disturb(self, image, names, random: Random) -> list[Tag]:
        wrong = random.randrange(len(image.marks))
        return [replace(tag, there=tag.there ^ (place == wrong)) for place, tag in enumerate(image.marks)]

    def spoil(self, image, names, random: Random) -> list[Tag]:
        return [replace(tag, there=not tag.there) for tag in image.marks]

    def form(self, kind: str, names: Sequence[str], listed: str) -> Form:
        verdict = kind == "verify"
        template, asked = ("verify-boxes", ("accept", "reject")) if verdict else ("tags", tuple(names))
        attribute = self.verdict if verdict else self.answer
        return Form(attribute, f"{template}.liquid.html", asked, f"Which are there: {listed}", "Tick them.", "tag")

    def page(self, record, settings, context: str) -> Page:
        return Page(list(settings.classes), [], "What is there", [], list(settings.classes))

    def label(self, prediction: Prediction, rule) -> tuple[Tag, ...]:
        return tuple(replace(tag, there=(tag.confidence or 0) >= 0.5) for tag in prediction.marks)

    def trusts(self, prediction: Prediction, rules) -> list[Trust]:
        sure = fmean(max(tag.confidence, 1 - tag.confidence) for tag in prediction.marks) if prediction.marks else 0.0
        return [Trust(sure, empty=False) for _ in rules]

    def qualities(self, prediction: Prediction, truth, rules, skeleton=None) -> list[float]:
        return [self.quality(self.label(prediction, rule), truth) for rule in rules]

    def taught(self, judge_images, rule):
        return rule

    def cross_taught(self, judge_images, rule):
        return [rule] * len(judge_images)

    def figures(self, judge_images, rule) -> dict[str, Any]:
        return {}

    def gate_metric(self, predictions, truths, skeleton=None) -> float | None:
        """The mean over images of the share of tags that are right."""
        seen = {each.source_ref: self.label(each, None) for each in predictions if each.status == "ok"}
        right = [self.quality(seen.get(truth.source_ref, ()), truth.marks) for truth in truths]
        return fmean(right) if right else None

    def class_metric(self, predictions, truths, skeleton=None):
        seen = {each.source_ref: self.label(each, None) for each in predictions if each.status == "ok"}
        ordered = sorted(truths, key=lambda truth: truth.source_ref)
        right = [self.found(seen.get(truth.source_ref, ()), truth.marks) for truth in ordered]

        def of_drawn(drawn: Sequence[int]) -> dict[str, float]:
            names = [tag.label for tag in ordered[0].marks]
            total = sum(drawn)
            return {
                name: sum(often * (place in found) for often, found in zip(drawn, right, strict=True)) / total
                for place, name in enumerate(names)
            }

        return of_drawn

    def found(self, marks, truth) -> set[int]:
        said = {tag.label: tag.there for tag in marks}
        return {place for place, tag in enumerate(truth) if said.get(tag.label) == tag.there}

    def changes(self, before, after) -> Adjustment:
        turned = sum(one.there != other.there for one, other in zip(before, after, strict=True))
        counts = {"untouched": len(after) - turned, "relabelled": turned}
        return Adjustment(ADJUSTED if turned else UNADJUSTED, {name: n for name, n in counts.items() if n})


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the product has to be told."""
    monkeypatch.setitem(marks.KNOWN, TagMarks.task, TagMarks())
    monkeypatch.setitem(tasks.KNOWN, Tags.name, Tags())
