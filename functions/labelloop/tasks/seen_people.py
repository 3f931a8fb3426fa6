"""What a model of key points says of an image: the label that a rule makes of it, and how far that is to be trusted.

Canonical pixels; qualities, confidences and scores lie in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import Skeleton
from labelloop.contracts.visibility_rules import VisibilityRule
from labelloop.tasks import kept_marks, visibility
from labelloop.tasks.people_quality import people_quality
from labelloop.tasks.port import JudgeImages, Trust
from labelloop.tasks.visibility import Judged


def label(prediction: Prediction, rule: LabelRule) -> tuple[Person, ...]:
    """The people who are sure enough, in their order; of each point its visibility by the rule, and its place unless it
    is outside. A point's confidence is that of its visibility.
    """
    people = prediction.people or ()
    (places,) = kept_marks.kept([person.box for person in people], [rule])
    return tuple(_person(people[place], _visibility(rule)) for place in places)


def qualities(
    prediction: Prediction, truth: Sequence[Person], rules: Sequence[LabelRule], skeleton: Skeleton | None
) -> list[float]:
    """Of the label by each of the rules. Many rules make the same label, which is measured once."""
    people = prediction.people or ()
    chosen = kept_marks.kept([person.box for person in people], rules)
    known: dict[tuple[tuple[int, ...], int], float] = {}
    found = []
    for places, rule in zip(chosen, rules, strict=True):
        same = tuple(places), id(rule.visibility)
        if same not in known:
            labelled = [_person(people[place], _visibility(rule)) for place in places]
            known[same] = people_quality(labelled, truth, skeleton)
        found.append(known[same])
    return found


def trusts(prediction: Prediction, rules: Sequence[LabelRule]) -> list[Trust]:
    """`kept_marks.trusts`, where a person is worth the confidence of the box times the mean of those of the points."""
    people = prediction.people or ()

    def worth(place: int, rule: LabelRule) -> float:
        person = people[place]
        return kept_marks.sure(person.box) * fmean(sureness(point, _visibility(rule)) for point in person.points)

    return kept_marks.trusts([person.box for person in people], rules, worth)


def sureness(point: SeenPoint, rule: VisibilityRule) -> float:
    """How sure both models are, together, of what the rule says: that the point is in view and visible, that it is in
    view and not visible, or that it is outside.
    """
    said = rule.visibility(point.label, point.main, point.additional)
    if said == "outside":
        return 1 - point.main
    return point.main * (point.additional if said == "visible" else 1 - point.additional)


def taught(judge_images: JudgeImages, rule: LabelRule) -> LabelRule:
    """The rule with thresholds of visibility that are fitted on these images, to the people whom it keeps."""
    return replace(rule, visibility=visibility.fit(_judged(judge_images, rule)))


def cross_taught(judge_images: JudgeImages, rule: LabelRule) -> list[LabelRule]:
    """For each of these images the rule with thresholds that are fitted on the other folds."""
    fitted = visibility.by_fold(_judged(judge_images, rule), visibility.fit)
    return [replace(rule, visibility=fitted[truth.source_ref]) for _, truth in judge_images]


def figures(judge_images: JudgeImages, rule: LabelRule) -> dict[str, Any]:
    """How well visibility is told: of thresholds that did not see the image which they are judged by."""
    return visibility.cross_fitted(_judged(judge_images, rule)).to_json()


def kept(prediction: Prediction, rule: LabelRule) -> Prediction:
    """Without the people whom the rule does not keep."""
    people = prediction.people or ()
    (places,) = kept_marks.kept([person.box for person in people], [rule])
    return replace(prediction, marks=tuple(people[place] for place in places))


def _judged(judge_images: JudgeImages, rule: LabelRule) -> Judged:
    labelled = [kept(prediction, rule) for prediction, _ in judge_images]
    return visibility.judged_points(labelled, [truth for _, truth in judge_images])


def _person(seen: SeenPerson, rule: VisibilityRule) -> Person:
    return Person(seen.box, tuple(_point(point, rule) for point in seen.points))


def _point(seen: SeenPoint, rule: VisibilityRule) -> KeyPoint:
    said, confidence = rule.visibility(seen.label, seen.main, seen.additional), sureness(seen, rule)
    x, y = (None, None) if said == "outside" else (seen.x, seen.y)
    return KeyPoint(seen.label, x, y, said, confidence)


def _visibility(rule: LabelRule) -> VisibilityRule:
    return rule.visibility or VisibilityRule()
