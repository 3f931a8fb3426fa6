"""Average precision as COCO's evaluation has it (cocodataset.org/#detection-eval), whatever overlaps are measured by.

Boxes overlap by intersection over union (quality.py), people by object key-point similarity (oks.py); overlaps,
thresholds and confidences lie in 0..1. Precision is read at 101 recalls. Agrees with pycocotools to 1e-9.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from labelloop.contracts.errors import InvalidInputError

# The two grids are computed the way COCO's evaluation computes them, because a last-digit difference moves a recall
# or an overlap that lies exactly on a grid point to the other side.
RECALL_POINTS = (*(index * 0.01 for index in range(100)), 1.0)
COCO_THRESHOLDS = (*(index * ((0.95 - 0.5) / 9) + 0.5 for index in range(9)), 0.95)


@dataclass(frozen=True)
class Compared:
    """The detections of one class in one image, most confident first, and how far each overlaps each true object.

    `excused`: likewise with each object that need not be found: a detection that finds no other does not count.
    `crowds`: the places among these that any number of detections may find.
    """

    confidences: Sequence[float]
    overlaps: Sequence[Sequence[float]]
    true: int
    excused: Sequence[Sequence[float]] = ()
    crowds: Collection[int] = ()

    def outcomes(self, threshold: float) -> list[tuple[float, bool]]:
        """(confidence, whether it found an object) of each detection that counts, most confident first."""
        found = hits(self.overlaps, threshold)
        counting = list(range(len(found)))
        if self.excused:
            missed = [place for place in counting if not found[place]]
            forgiven = hits([self.excused[place] for place in missed], threshold, self.crowds)
            left_out = {place for place, hit in zip(missed, forgiven, strict=True) if hit}
            counting = [place for place in counting if place not in left_out]
        return [(self.confidences[place], found[place]) for place in counting]


# Per class, the place of each image that has something of it, among all images, and what was compared there.
ByClass = Mapping[str, Sequence[tuple[int, Compared]]]


def images_by_class(
    predicted: Mapping[str, Iterable[tuple[str, Any]]], truths: Iterable[tuple[str, Iterable[tuple[str, Any]]]]
) -> dict[str, list[tuple[int, list[Any], list[Any]]]]:
    """Per class (place of the image, what is predicted, what is true) of the images that have either; their places are
    those of the source-refs in their order.

    Given are source-refs with (class, mark) pairs. A prediction for an image without truth is ignored, an image without
    a prediction is one where the model saw nothing. Two truths for one image raise InvalidInputError.
    """
    by_class: dict[str, list[tuple[int, list[Any], list[Any]]]] = defaultdict(list)
    previous = None
    for place, (source_ref, true) in enumerate(sorted(truths, key=itemgetter(0))):
        if source_ref == previous:
            raise InvalidInputError(f"two truths for {previous}: field 'source-ref' must be unique")
        previous = source_ref
        image: dict[str, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
        for label, mark in predicted.get(source_ref, ()):
            image[label][0].append(mark)
        for label, mark in true:
            image[label][1].append(mark)
        for label, (seen, there) in image.items():
            by_class[label].append((place, seen, there))
    return by_class


def mean_over_classes(by_class: ByClass, thresholds: Sequence[float]) -> float | None:
    """The mean over thresholds and over the classes that have a true object; None when no class has any."""
    values = [
        average_precision([hit for _, hit in ranking(by_class[label], threshold)], true)
        for label in sorted(by_class)
        if (true := sum(image.true for _, image in by_class[label]))
        for threshold in thresholds
    ]
    return sum(values) / len(values) if values else None


def ranking(images: Iterable[tuple[int, Compared]], threshold: float) -> list[tuple[int, bool]]:
    """(place of its image, whether it found an object) of each detection that counts, most confident first; equal
    confidences in the order of the images.
    """
    outcomes = [(sure, place, hit) for place, image in images for sure, hit in image.outcomes(threshold)]
    return [(place, hit) for _, place, hit in sorted(outcomes, key=lambda outcome: -outcome[0])]


def hits(overlaps: Iterable[Sequence[float]], threshold: float, shared: Collection[int] = ()) -> list[bool]:
    """Which of an image's detections, most confident first, find an object that no earlier one has taken; those whose
    places are `shared` are never taken.
    """
    taken: set[int] = set()
    found = []
    for row in overlaps:
        best, best_overlap = -1, min(threshold, 1 - 1e-10)
        for index, overlap in enumerate(row):
            if overlap >= best_overlap and index not in taken:
                best, best_overlap = index, overlap
        found.append(best >= 0)
        if best >= 0 and best not in shared:
            taken.add(best)
    return found


def average_precision(ranked: Iterable[bool], true: int) -> float:
    """Of one class with `true` objects; `ranked` tells of its detections, most confident first, which are right."""
    recalls, precisions, found = [], [], 0
    for rank, hit in enumerate(ranked, start=1):
        found += hit
        recalls.append(found / true)
        precisions.append(found / rank)
    return interpolated(recalls, precisions)


def interpolated(recalls: list[float], precisions: list[float]) -> float:
    """The mean over 101 recalls of the best precision at that recall or a higher one; changes `precisions`."""
    for index in range(len(precisions) - 2, -1, -1):
        precisions[index] = max(precisions[index], precisions[index + 1])
    positions = (bisect_left(recalls, recall) for recall in RECALL_POINTS)
    return sum(precisions[position] for position in positions if position < len(precisions)) / len(RECALL_POINTS)
