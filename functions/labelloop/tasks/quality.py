"""How good labels are: intersection over union, per-image label quality, and COCO average precision.

Boxes are left/top/width/height in canonical pixels; every result lies in 0..1.
Average precision follows the COCO evaluation (cocodataset.org/#detection-eval: 101 recall points, at most 100
detections per image and class) and agrees with pycocotools to 1e-9; without truth there is no figure: None.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, Prediction

# The two grids are computed the way COCO's evaluation computes them, because a last-digit difference moves a recall
# or an overlap that lies exactly on a grid point to the other side.
RECALL_POINTS = (*(index * 0.01 for index in range(100)), 1.0)
COCO_IOU_THRESHOLDS = (*(index * ((0.95 - 0.5) / 9) + 0.5 for index in range(9)), 0.95)
MOST_DETECTIONS = 100


class Truth(Protocol):
    """Anything that says what is in an image: an Annotation, for example."""

    @property
    def source_ref(self) -> str: ...

    @property
    def boxes(self) -> Sequence[Box]: ...


def map50(predictions: Predictions, truths: Iterable[Truth]) -> float | None:
    return mean_average_precision(predictions, truths, (0.5,))


def map50_95(predictions: Predictions, truths: Iterable[Truth]) -> float | None:
    return mean_average_precision(predictions, truths, COCO_IOU_THRESHOLDS)


def mean_average_precision(
    predictions: Predictions, truths: Iterable[Truth], iou_thresholds: Sequence[float] = (0.5,)
) -> float | None:
    """The mean over thresholds and over the classes that have truth; None when no class has any.

    Images are those of `truths`: a prediction for another image is ignored, an image without an accepted prediction
    counts as one where the model saw nothing. Two truths for one image raise InvalidInputError.
    """
    by_class = _images_by_class(predictions, truths)
    values = [
        value
        for label in sorted(by_class)
        for value in _average_precisions(by_class[label], iou_thresholds)
        if value is not None
    ]
    return sum(values) / len(values) if values else None


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
_ImageOfClass = tuple[list[Box], list[Box]]
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


def _images_by_class(predictions: Predictions, truths: Iterable[Truth]) -> dict[str, list[_ImageOfClass]]:
    """Per class, the (predicted, true) boxes of the images that have either, in the order of the source-refs."""
    listed = predictions.values() if isinstance(predictions, Mapping) else predictions
    predicted = {prediction.source_ref: prediction.boxes for prediction in listed if prediction.status == "ok"}
    by_class: dict[str, list[_ImageOfClass]] = defaultdict(list)
    previous = None
    for truth in sorted(truths, key=lambda truth: truth.source_ref):
        if truth.source_ref == previous:
            raise InvalidInputError(f"two truths for {previous}: field 'source-ref' must be unique")
        previous = truth.source_ref
        image: dict[str, _ImageOfClass] = defaultdict(lambda: ([], []))
        for box in predicted.get(truth.source_ref, ()):
            image[box.label][0].append(box)
        for box in truth.boxes:
            image[box.label][1].append(box)
        for label, boxes in image.items():
            by_class[label].append(boxes)
    return by_class


def _average_precisions(images: list[_ImageOfClass], iou_thresholds: Sequence[float]) -> list[float | None]:
    """The average precision of one class at each threshold."""
    true_boxes = sum(len(truth) for _, truth in images)
    if not true_boxes:
        return [None] * len(iou_thresholds)
    ranked = [(sorted(predicted, key=by_confidence)[:MOST_DETECTIONS], truth) for predicted, truth in images]
    overlaps = [[[iou(box, true) for true in truth] for box in predicted] for predicted, truth in ranked]
    confidences = [by_confidence(box) for predicted, _ in ranked for box in predicted]
    order = sorted(range(len(confidences)), key=confidences.__getitem__)
    averages: list[float | None] = []
    for threshold in iou_thresholds:
        of_images = [hit for image in overlaps for hit in hits(image, threshold)]
        averages.append(_average_precision([of_images[index] for index in order], true_boxes))
    return averages


def by_confidence(box: Box) -> float:
    """Most confident first; a box without a confidence comes last."""
    return -(box.confidence or 0.0)


def hits(overlaps: list[list[float]], threshold: float) -> list[bool]:
    """Which of an image's detections, most confident first, find a true box that no earlier one has taken."""
    taken: set[int] = set()
    found = []
    for row in overlaps:
        best, best_overlap = -1, min(threshold, 1 - 1e-10)
        for index, overlap in enumerate(row):
            if overlap >= best_overlap and index not in taken:
                best, best_overlap = index, overlap
        found.append(best >= 0)
        if best >= 0:
            taken.add(best)
    return found


def _average_precision(ranked: list[bool], true_boxes: int) -> float:
    recalls, precisions, found = [], [], 0
    for rank, hit in enumerate(ranked, start=1):
        found += hit
        recalls.append(found / true_boxes)
        precisions.append(found / rank)
    return interpolated(recalls, precisions)


def interpolated(recalls: list[float], precisions: list[float]) -> float:
    """The mean over 101 recalls of the best precision at that recall or a higher one; changes `precisions`."""
    for index in range(len(precisions) - 2, -1, -1):
        precisions[index] = max(precisions[index], precisions[index + 1])
    positions = (bisect_left(recalls, recall) for recall in RECALL_POINTS)
    return sum(precisions[position] for position in positions if position < len(precisions)) / len(RECALL_POINTS)
