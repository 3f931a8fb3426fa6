"""Which key points are visible, occluded or outside the view: how well the confidences of two models tell it, and the
thresholds that tell it best.

A main model places all points, an additional one was trained on visible points only; `VisibilityRule` says how their
confidences decide. People of prediction and truth are those of a class whose boxes overlap by one half or more, best
first. What a model says of a person who is not there is no answer to any question asked here; the points of a person
whom it missed count as said `outside`; points that nobody labelled are left out. Confidences and shares lie in 0..1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from labelloop.contracts.naming import digest
from labelloop.contracts.records import VISIBILITIES, Person, SeenPerson, SeenPoint
from labelloop.contracts.visibility_rules import USUAL, VisibilityRule
from labelloop.tasks import matchable_boxes
from labelloop.tasks.oks import PeopleTruth, people_of
from labelloop.tasks.quality import Predictions, match_boxes

SAME_PERSON_IOU = 0.5
GRID = tuple(step / 20 for step in range(1, 20))
# Points of one name that weigh as much as the usual thresholds do. A judge set of 15 to 60 images has 20 to 100 of
# them, from which plain fitting gains nothing: it follows chance.
USUAL_POINTS = 200
FOLDS = 5


@dataclass(frozen=True)
class JudgedPoint:
    """A labelled point of the truth, and the model's of the same person; None where it missed the person."""

    label: str
    truth: str
    seen: SeenPoint | None


# By the source-ref of the image.
Judged = Mapping[str, Sequence[JudgedPoint]]


class TellsVisibility(Protocol):
    """A VisibilityRule, or another that is compared with it."""

    def visibility(self, name: str, main: float, additional: float) -> str: ...


Rule = TypeVar("Rule", bound=TellsVisibility)


@dataclass(frozen=True)
class VisibilityFigures:
    """`confusion`: how many points that are of one kind were said to be of another: a row for each true kind, a column
    for each said one, in the order of VISIBILITIES. Shares are None where there is no point.
    """

    confusion: tuple[tuple[int, ...], ...]

    @property
    def points(self) -> int:
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float | None:
        right = sum(row[place] for place, row in enumerate(self.confusion))
        return right / self.points if self.points else None

    @property
    def balanced(self) -> float | None:
        """The mean over the kinds that occur of the share that is right."""
        recalls = [row[place] / sum(row) for place, row in enumerate(self.confusion) if sum(row)]
        return sum(recalls) / len(recalls) if recalls else None

    @property
    def always_visible(self) -> float | None:
        """The accuracy of saying `visible` of every point."""
        return sum(self.confusion[VISIBILITIES.index("visible")]) / self.points if self.points else None

    def to_json(self) -> dict[str, Any]:
        return {
            "visibility_accuracy": self.accuracy,
            "visibility_balanced": self.balanced,
            "visibility_always_visible": self.always_visible,
            "visibility_points": self.points,
            "visibility_confusion": {
                true: dict(zip(VISIBILITIES, row, strict=True))
                for true, row in zip(VISIBILITIES, self.confusion, strict=True)
            },
        }


def judged_points(predictions: Predictions, truths: Iterable[PeopleTruth]) -> dict[str, list[JudgedPoint]]:
    """The labelled points of each image with the model's beside them. The people of a prediction are all asked: leave
    out those that would be no label.
    """
    listed = predictions.values() if isinstance(predictions, Mapping) else predictions
    found = {each.source_ref: each.people for each in listed if each.status == "ok" and each.people is not None}
    return {truth.source_ref: _judged(found.get(truth.source_ref, ()), people_of(truth)) for truth in truths}


def fit(judged: Judged) -> VisibilityRule:
    """For each name the thresholds of a grid that are right most often, drawn towards the usual ones:

        t = usual + n / (n + 200) * (best - usual)

    where n is the number of its points that are labelled and whose people were found. Of equally good thresholds those
    nearest to the usual ones are the best.
    """
    by_name: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for points in judged.values():
        for point in points:
            if point.seen is not None:
                by_name[point.label].append((point.seen.additional, point.seen.main, point.truth))
    fitted = {name: _drawn_to_usual(_best(points), len(points)) for name, points in sorted(by_name.items())}
    return VisibilityRule(
        {name: first for name, (first, _) in fitted.items()}, {name: second for name, (_, second) in fitted.items()}
    )


def figures(judged: Judged, rule: TellsVisibility) -> VisibilityFigures:
    counts = {(true, said): 0 for true in VISIBILITIES for said in VISIBILITIES}
    for points in judged.values():
        for point in points:
            counts[point.truth, _said(point.seen, rule)] += 1
    return VisibilityFigures(tuple(tuple(counts[true, said] for said in VISIBILITIES) for true in VISIBILITIES))


def cross_fitted(judged: Judged, fitting: Callable[[Judged], TellsVisibility] = fit) -> VisibilityFigures:
    """The figures of rules of which each was fitted on the images of the other folds only: no image is judged by
    thresholds that it helped to fit.
    """
    fitted = by_fold(judged, fitting)
    total = [[0] * len(VISIBILITIES) for _ in VISIBILITIES]
    for ref, points in judged.items():
        for row, found in zip(total, figures({ref: points}, fitted[ref]).confusion, strict=True):
            row[:] = (one + other for one, other in zip(row, found, strict=True))
    return VisibilityFigures(tuple(map(tuple, total)))


def by_fold(judged: Judged, fitting: Callable[[Judged], Rule]) -> dict[str, Rule]:
    """For each image, by its source-ref, the rule that is fitted on the images of the other folds. An image's fold is a
    matter of its source-ref alone.
    """
    folds = {ref: int(digest(ref), 16) % FOLDS for ref in judged}
    of_fold = {
        fold: fitting({ref: points for ref, points in judged.items() if folds[ref] != fold})
        for fold in sorted(set(folds.values()))
    }
    return {ref: of_fold[fold] for ref, fold in folds.items()}


def _judged(seen: Sequence[SeenPerson], people: Sequence[Person]) -> list[JudgedPoint]:
    matches = match_boxes(*matchable_boxes.of(seen, people))
    partners = {index: seen[place] for overlap, place, index in matches if overlap >= SAME_PERSON_IOU}
    judged = []
    for index, person in enumerate(people):
        partner = {point.label: point for point in partners[index].points} if index in partners else {}
        judged += [
            JudgedPoint(point.label, point.visibility, partner.get(point.label))
            for point in person.points
            if point.visibility in VISIBILITIES
        ]
    return judged


def _said(seen: SeenPoint | None, rule: TellsVisibility) -> str:
    return "outside" if seen is None else rule.visibility(seen.label, seen.main, seen.additional)


def _best(points: Iterable[tuple[float, float, str]]) -> tuple[float, float]:
    """Of (additional, main, truth) of points of one name."""
    ordered = sorted(points)
    found = []
    for first in GRID:
        outside = sum(truth == "outside" for _, main, truth in ordered if main <= first)
        visible, occluded = (
            [additional for additional, main, truth in ordered if main > first and truth == kind]
            for kind in ("visible", "occluded")
        )
        for second in GRID:
            right = outside + len(visible) - bisect_right(visible, second) + bisect_right(occluded, second)
            found.append((-right, round(abs(first - USUAL) + abs(second - USUAL), 6), first, second))
    _, _, first, second = min(found)
    return first, second


def _drawn_to_usual(best: tuple[float, float], points: int) -> tuple[float, float]:
    weight = points / (points + USUAL_POINTS)
    first, second = (round(USUAL + weight * (threshold - USUAL), 6) for threshold in best)
    return first, second
