"""Which marks of several people mean the same object, and who of them drew it: for boxes, and for people by theirs.

Boxes are left/top/width/height in canonical pixels. Nothing depends on the order of images, workers or marks.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, permutations
from typing import Any, TypeVar

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY
from labelloop.tasks.quality import iou

SAME_OBJECT_IOU = 0.5
ABOUT_HALF = 0.45
PRIOR_OBJECTS = 10.0
AGREEMENT_ROUNDS = 10
MOST_PAIRS = 100_000

T = TypeVar("T")
Drawn = Mapping[str, Sequence[T]]
Cluster = dict[str, T]


def same_objects(drawn: Drawn[T], box_of: Callable[[T], Box]) -> list[Cluster[T]]:
    """The marks of one image that mean the same object, as {worker: mark}; one that only one drew is one too.

    Marks of different workers whose boxes overlap by at least half are one object: those of the same class first, then
    the closest pairs, at most one mark per worker. Raises InvalidInputError for more overlapping boxes than people
    draw, before they can hold up everybody's answers.
    """
    marks = sorted(((worker, box_of(mark), mark) for worker, listed in drawn.items() for mark in listed), key=_by_place)
    cluster_of = {index: [index] for index in range(len(marks))}
    boxes = [(worker, box) for worker, box, _ in marks]
    pairs = list(islice(_pairs(boxes), MOST_PAIRS + 1))
    if len(pairs) > MOST_PAIRS:
        raise InvalidInputError(f"boxes: field 'boundingBoxes': over {MOST_PAIRS:,} pairs of boxes overlap by half")
    for *_, i, j in sorted(pairs):
        one, other = cluster_of[i], cluster_of[j]
        # All of a cluster overlap, so that no mixture of their edges turns a box inside out.
        if one is not other and all(
            boxes[k][0] != boxes[m][0] and iou(boxes[k][1], boxes[m][1]) > 0 for k in one for m in other
        ):
            one.extend(other)
            cluster_of.update((k, one) for k in other)
    distinct = {id(cluster): cluster for cluster in cluster_of.values()}
    return [{marks[k][0]: marks[k][2] for k in cluster} for cluster in distinct.values()]


def order(box: Box) -> tuple[float, float, float, float, str]:
    return box.left, box.top, box.width, box.height, box.label


def weights_of(
    images: Sequence[Drawn[T]], clusters: Sequence[Sequence[Cluster[T]]], reliability: Mapping[str, float]
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


def kept(
    drawn: Drawn[T], clusters: Sequence[Cluster[T]], weights: Mapping[str, float]
) -> Iterator[tuple[int, Cluster[T], float]]:
    """(place, cluster, share of the weight of all who looked) of the objects that those of about half of it drew."""
    looked = math.fsum(weights[worker] for worker in drawn)
    for place, cluster in enumerate(clusters):
        share = math.fsum(weights[worker] for worker in cluster) / looked
        if share >= ABOUT_HALF:
            yield place, cluster, share


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


def _by_place(mark: tuple[str, Box, Any]) -> tuple[tuple[float, float, float, float, str], str, str]:
    worker, box, whole = mark
    return order(box), worker, repr(whole)


def _counts(
    images: Sequence[Drawn[T]], clusters: Sequence[Sequence[Cluster[T]]]
) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """worker -> fellow -> how many objects both drew, and how many one of the two or both."""
    both: dict[str, Counter[str]] = defaultdict(Counter)
    either: dict[str, Counter[str]] = defaultdict(Counter)
    for drawn, listed in zip(images, clusters, strict=True):
        for worker, fellow in permutations(drawn, 2):
            both[worker][fellow] += sum(worker in cluster and fellow in cluster for cluster in listed)
            either[worker][fellow] += sum(worker in cluster or fellow in cluster for cluster in listed)
    return both, either
