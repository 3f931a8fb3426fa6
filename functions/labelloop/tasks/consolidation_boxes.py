"""Boxes that several people drew in the same images -> one label per image.

Boxes are left/top/width/height in canonical pixels. What is kept, in words:
1. Boxes of different workers that overlap by at least half (intersection over union) are one object: the closest pairs
   first, those of the same class before others, at most one box per worker.
2. A worker's weight is the reliability known from elsewhere (honeypots) times the agreement with the others over all
   images at hand. An object is kept when those who drew it hold about half of the weight of all who looked, or more:
   with equal weights two of three, two of four, one of two. A tie is kept because people overlook more objects than
   they invent.
3. The class is Dawid and Skene's, each edge the weighted mean without outliers (fusion).
One worker's label is kept exactly. Nothing depends on the order of images, workers or boxes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, permutations

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.tasks import fusion
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY, dawid_skene
from labelloop.tasks.quality import iou

SAME_OBJECT_IOU = 0.5
ABOUT_HALF = 0.45
PRIOR_OBJECTS = 10.0
AGREEMENT_ROUNDS = 10
MOST_PAIRS = 100_000

Drawn = Mapping[str, Sequence[Box]]
Cluster = dict[str, Box]


@dataclass(frozen=True)
class FusedBox:
    """`box.confidence`: the share of the weight that drew it. `overlaps`: for each worker who drew it and named its
    class, how much of the worker's box and this one is common (intersection over union).
    """

    box: Box
    overlaps: Mapping[str, float]


def fuse_boxes(
    images: Sequence[Drawn], classes: Sequence[str], reliability: Mapping[str, float]
) -> list[list[FusedBox]]:
    """Per image, in the order given, the label of {worker: boxes}; an image's boxes come in the order of their place.

    `reliability`: of every worker who looked, in (0, 1].
    """
    clusters = [same_objects(drawn) for drawn in images]
    weights = _weights(images, clusters, reliability)
    votes = {
        (image, number): {worker: box.label for worker, box in cluster.items()}
        for image, listed in enumerate(clusters)
        for number, cluster in enumerate(listed)
        if len(cluster) > 1
    }
    consensus = dawid_skene(votes, sorted(classes), reliability)
    spread = fusion.spreads([edge for listed in clusters for cluster in listed for edge in _edges(cluster)])
    results = []
    for image, (drawn, listed) in enumerate(zip(images, clusters, strict=True)):
        looked = math.fsum(weights[worker] for worker in drawn)
        kept = []
        for number, cluster in enumerate(listed):
            share = math.fsum(weights[worker] for worker in cluster) / looked
            if share < ABOUT_HALF:
                continue
            if len(cluster) == 1:
                (box,) = cluster.values()
            else:
                box = _fuse(cluster, consensus.label((image, number)), spread, weights)
            overlaps = {w: iou(box, mark) for w, mark in cluster.items() if mark.label == box.label}
            kept.append(FusedBox(replace(box, confidence=share), overlaps))
        results.append(sorted(kept, key=lambda fused: order(fused.box)))
    return results


def same_objects(drawn: Drawn) -> list[Cluster]:
    """The boxes of one image that mean the same object, as {worker: box}; a box that only one drew is one too.

    Raises InvalidInputError for more overlapping boxes than people draw, before they can hold up everybody's answers.
    """
    marks = sorted(((worker, box) for worker, boxes in drawn.items() for box in boxes), key=_by_place)
    cluster_of = {index: [index] for index in range(len(marks))}
    pairs = list(islice(_pairs(marks), MOST_PAIRS + 1))
    if len(pairs) > MOST_PAIRS:
        raise InvalidInputError(f"boxes: field 'boundingBoxes': over {MOST_PAIRS:,} pairs of boxes overlap by half")
    for *_, i, j in sorted(pairs):
        one, other = cluster_of[i], cluster_of[j]
        # All of a cluster overlap, so that no mixture of their edges turns a box inside out.
        if one is not other and all(
            marks[k][0] != marks[m][0] and iou(marks[k][1], marks[m][1]) > 0 for k in one for m in other
        ):
            one.extend(other)
            cluster_of.update((k, one) for k in other)
    distinct = {id(cluster): cluster for cluster in cluster_of.values()}
    return [{marks[k][0]: marks[k][1] for k in cluster} for cluster in distinct.values()]


def order(box: Box) -> tuple[float, float, float, float, str]:
    return box.left, box.top, box.width, box.height, box.label


def _pairs(marks: Sequence[tuple[str, Box]]) -> Iterator[tuple[bool, float, int, int]]:
    """(another class, -overlap, index, index) of the boxes of different workers that may be one object."""
    tops = [(box.top, box.top + box.height) for _, box in marks]
    for i, (worker, box) in enumerate(marks):
        farthest, (top, bottom) = box.left + box.width * (1 - SAME_OBJECT_IOU), tops[i]
        for j in range(i + 1, len(marks)):
            other_worker, other = marks[j]
            if other.left > farthest:
                break  # marks are sorted by `left`: no later one overlaps enough
            other_top, other_bottom = tops[j]
            if other_top >= bottom or top >= other_bottom or worker == other_worker:
                continue
            if (overlap := iou(box, other)) >= SAME_OBJECT_IOU:
                yield box.label != other.label, -overlap, i, j


def _by_place(mark: tuple[str, Box]) -> tuple[tuple[float, float, float, float, str], str]:
    worker, box = mark
    return order(box), worker


def _weights(
    images: Sequence[Drawn], clusters: Sequence[Sequence[Cluster]], reliability: Mapping[str, float]
) -> dict[str, float]:
    """Reliability times agreement: of the objects that a worker or a fellow drew, the share that both drew.

    Fellows count by their own weight, so the agreement is estimated in rounds; it starts from a stranger's, which
    counts as PRIOR_OBJECTS objects.
    """
    both, either = _counts(images, clusters)
    workers = {worker for drawn in images for worker in drawn}
    weights = {worker: reliability[worker] * UNKNOWN_RELIABILITY for worker in workers}
    for _ in range(AGREEMENT_ROUNDS):
        agreements = {}
        for worker in workers:
            fellows = either[worker]
            agreed = math.fsum(weights[fellow] * both[worker][fellow] for fellow in fellows)
            asked = math.fsum(weights[fellow] * number for fellow, number in fellows.items())
            agreements[worker] = (PRIOR_OBJECTS * UNKNOWN_RELIABILITY + agreed) / (PRIOR_OBJECTS + asked)
        weights = {worker: reliability[worker] * agreements[worker] for worker in workers}
    return weights


def _counts(
    images: Sequence[Drawn], clusters: Sequence[Sequence[Cluster]]
) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """worker -> fellow -> how many objects both drew, and how many one of the two or both."""
    both: dict[str, Counter[str]] = defaultdict(Counter)
    either: dict[str, Counter[str]] = defaultdict(Counter)
    for drawn, listed in zip(images, clusters, strict=True):
        for worker, fellow in permutations(drawn, 2):
            both[worker][fellow] += sum(worker in cluster and fellow in cluster for cluster in listed)
            either[worker][fellow] += sum(worker in cluster or fellow in cluster for cluster in listed)
    return both, either


def _edges(cluster: Cluster) -> list[dict[str, fusion.Position]]:
    """left, top, right, bottom, each by worker."""
    return [
        {worker: (box.left,) for worker, box in cluster.items()},
        {worker: (box.top,) for worker, box in cluster.items()},
        {worker: (box.left + box.width,) for worker, box in cluster.items()},
        {worker: (box.top + box.height,) for worker, box in cluster.items()},
    ]


def _fuse(cluster: Cluster, label: str, spread: Mapping[str, float], weights: Mapping[str, float]) -> Box:
    left, top, right, bottom = (round(fusion.fuse(edge, spread, weights)[0], 2) for edge in _edges(cluster))
    return Box(label, left, top, round(right - left, 2), round(bottom - top, 2))
