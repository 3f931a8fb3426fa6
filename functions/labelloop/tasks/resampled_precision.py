"""Average precision at an overlap of one half of images that are drawn with replacement, as a bootstrap draws them.

What costs time, matching boxes, is done once; a resample only counts. With every image drawn once the figures are
those of `quality.map50`. Of an image that is drawn twice the detections follow one another in the ranking, where
`map50` on copies would settle the tie by the copies' names; precision is read after the last of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from labelloop.contracts.records import Box, Prediction
from labelloop.tasks.quality import MOST_DETECTIONS, Truth, by_confidence, hits, interpolated, iou

OVERLAP = 0.5


class ResampledPrecision:
    """Called with how often each image is drawn, in the order of the truths' source-refs, it gives the average
    precision of each class with a true box among the drawn images.
    """

    def __init__(self, predictions: Iterable[Prediction], truths: Iterable[Truth]) -> None:
        boxes = {each.source_ref: each.boxes for each in predictions if each.status == "ok"}
        true_boxes: dict[str, list[tuple[int, int]]] = defaultdict(list)
        found: dict[str, list[tuple[float, int, bool]]] = defaultdict(list)
        for image, truth in enumerate(sorted(truths, key=lambda truth: truth.source_ref)):
            predicted = _by_class(boxes.get(truth.source_ref, ()))
            true = _by_class(truth.boxes)
            for label, of_class in true.items():
                true_boxes[label].append((image, len(of_class)))
            for label, of_class in predicted.items():
                ranked = sorted(of_class, key=by_confidence)[:MOST_DETECTIONS]
                overlaps = [[iou(box, other) for other in true.get(label, ())] for box in ranked]
                found[label] += [
                    (by_confidence(box), image, hit) for box, hit in zip(ranked, hits(overlaps, OVERLAP), strict=True)
                ]
        self._true_boxes = dict(sorted(true_boxes.items()))
        # The sort is stable: equal confidences stay in the order of the images.
        self._ranking = {
            label: [(image, hit) for _, image, hit in sorted(found[label], key=lambda each: each[0])]
            for label in self._true_boxes
        }

    def __call__(self, drawn: Sequence[int]) -> dict[str, float]:
        counted = {
            label: sum(drawn[image] * number for image, number in images) for label, images in self._true_boxes.items()
        }
        return {label: self._precision(label, true, drawn) for label, true in counted.items() if true}

    def _precision(self, label: str, true: int, drawn: Sequence[int]) -> float:
        recalls, precisions, right, looked_at = [], [], 0, 0
        for image, hit in self._ranking[label]:
            if often := drawn[image]:
                looked_at += often
                right += often * hit
                recalls.append(right / true)
                precisions.append(right / looked_at)
        return interpolated(recalls, precisions)


def _by_class(boxes: Iterable[Box]) -> dict[str, list[Box]]:
    listed: dict[str, list[Box]] = defaultdict(list)
    for box in boxes:
        listed[box.label].append(box)
    return listed
