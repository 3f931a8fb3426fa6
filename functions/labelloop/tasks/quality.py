"""How good labels are: intersection over union, per-image label quality, and COCO average precision.

Boxes are left/top/width/height in canonical pixels; every result lies in 0..1.
Average precision follows the COCO evaluation (cocodataset.org/#detection-eval: 101 recall points, at most 100
detections per image and class) and agrees with pycocotools to 1e-9; without truth there is no figure: None.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.tasks.average_precision import COCO_THRESHOLDS, ByClass, Compared, images_by_class, mean_over_classes

MOST_DETECTIONS = 100


class Truth(Protocol):
    """Anything that says what is in an image: an Annotation, for example."""

    @property
    def source_ref(self) -> str: ...

    @property
    def marks(self) -> Sequence[Any]: ...


def map50(predictions: Predictions, truths: Iterable[Truth]) -> float | None:
    return mean_average_precision(predictions, truths, (0.5,))


def map50_95(predictions: Predictions, truths: Iterable[Truth]) -> float | None:
    return mean_average_precision(predictions, truths, COCO_THRESHOLDS)


def mean_average_precision(
    predictions: Predictions, truths: Iterable[Truth], iou_thresholds: Sequence[float] = (0.5,)
) -> float | None:
    """The mean over thresholds and over the classes that have truth; None when no class has any.

    Images are those of `truths`: a prediction for another image is ignored, an image without an accepted prediction
    counts as one where the model saw nothing. Two truths for one image raise InvalidInputError.
    """
    return mean_over_classes(compared_boxes(predictions, truths), iou_thresholds)


def compared_boxes(predictions: Predictions, truths: Iterable[Truth]) -> ByClass:
    """What average precision, also of resampled images, counts. Raises as `mean_average_precision` does."""
    listed = predictions.values() if isinstance(predictions, Mapping) else predictions
    found = {each.source_ref: _by_label(each.boxes) for each in listed if each.status == "ok"}
    true = [(truth.source_ref, _by_label(boxes_of(truth))) for truth in truths]
    by_class = images_by_class(found, true)
    return {
        label: [(place, _compared(predicted, true)) for place, predicted, true in images]
        for label, images in by_class.items()
    }


def boxes_of(truth: Truth) -> list[Box]:
    """None where the label is of another task."""
    return [mark for mark in truth.marks if isinstance(mark, Box)]


def image_quality(predicted: Sequence[Box], truth: Sequence[Box]) -> float:
    """How well one image is labelled: the overlaps of matched boxes, summed, over the larger number of boxes.

    1 for a perfect label (also: nothing there and nothing labelled), 0 for a useless one; a missed box, an invented
    box and a wrong class each cost as much as a box that overlaps nothing. Symmetric, and independent of box order.
    """
    if not predicted and not truth:
        return 1.0
    overlaps = (overlap for overlap, _, _ in match_boxes(predicted, truth))
    return sum(overlaps) / max(len(predicted), len(truth))


def qualities_of_parts(
    predicted: Sequence[Box], truth: Sequence[Box], parts: Iterable[Collection[int]]
) -> Iterator[float]:
    """The `image_quality` of each part of the predicted boxes, given by their places; overlaps are computed once."""
    pairs = _overlapping(predicted, truth)
    for part in parts:
        if not part and not truth:
            yield 1.0
            continue
        overlaps = (overlap for overlap, _, _ in _matched(pair for pair in pairs if pair[2] in part))
        yield sum(overlaps) / max(len(part), len(truth))


def match_boxes(predicted: Sequence[Box], truth: Sequence[Box]) -> list[tuple[float, int, int]]:
    """One-to-one matches of boxes of the same class as (overlap, index of predicted, index of truth), best first.

    Greedy by descending overlap: what a person would pair, one pass, and at least half of the optimal assignment's
    sum (equal to it unless several boxes of a class crowd on one another). Ties are settled by the coordinates.
    """
    return list(_matched(_overlapping(predicted, truth)))


def surest_of_each(boxes: Sequence[Box], nms_iou: float) -> list[int]:
    """The places of the boxes that greedy non-maximum suppression leaves: those that no surer box of their class, which
    is left itself, overlaps by more than `nms_iou`. Ties are settled by the coordinates.

    Whether a box is left depends on surer boxes alone: so it may be asked before the faint ones are dropped.
    """
    left: list[int] = []
    for place in sorted(range(len(boxes)), key=lambda place: (by_confidence(boxes[place]), _corner(boxes[place]))):
        box = boxes[place]
        if not any(boxes[other].label == box.label and iou(boxes[other], box) > nms_iou for other in left):
            left.append(place)
    return sorted(left)


def iou(one: Box, other: Box) -> float:
    """Intersection over union, 0 where the boxes do not overlap or have no area; classes are not looked at."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    if width <= 0:
        return 0.0
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if height <= 0:
        return 0.0
    intersection = width * height
    union = one.width * one.height + other.width * other.height - intersection
    # Rounding can bring the union of two nearly equal boxes just below their intersection.
    return min(intersection / union, 1.0) if union > 0 else 0.0


Predictions = Mapping[str, Prediction] | Iterable[Prediction]
_Pair = tuple[float, list[tuple[float, float, float, float]], int, int]


def _overlapping(predicted: Sequence[Box], truth: Sequence[Box]) -> list[_Pair]:
    """(-overlap, corners, index of predicted, index of truth) of the pairs of one class that overlap, in the order in
    which they are matched.
    """
    pairs = []
    for i, box in enumerate(predicted):
        for j, other in enumerate(truth):
            if box.label == other.label and (overlap := iou(box, other)) > 0:
                pairs.append((-overlap, sorted((_corner(box), _corner(other))), i, j))
    return sorted(pairs)


def _matched(pairs: Iterable[_Pair]) -> Iterator[tuple[float, int, int]]:
    used_predicted: set[int] = set()
    used_truth: set[int] = set()
    for negative_overlap, _, i, j in pairs:
        if i not in used_predicted and j not in used_truth:
            used_predicted.add(i)
            used_truth.add(j)
            yield -negative_overlap, i, j


def _corner(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height


def by_confidence(box: Box) -> float:
    """Most confident first; a box without a confidence comes last."""
    return -(box.confidence or 0.0)


def _by_label(boxes: Iterable[Box]) -> list[tuple[str, Box]]:
    return [(box.label, box) for box in boxes]


def _compared(predicted: list[Box], true: list[Box]) -> Compared:
    ranked = sorted(predicted, key=by_confidence)[:MOST_DETECTIONS]
    overlaps = [[iou(box, other) for other in true] for box in ranked]
    return Compared([-by_confidence(box) for box in ranked], overlaps, len(true))
