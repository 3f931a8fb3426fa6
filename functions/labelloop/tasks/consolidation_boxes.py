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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from labelloop.contracts.records import Box
from labelloop.tasks import clustering, fusion
from labelloop.tasks.clustering import Cluster, Drawn, order
from labelloop.tasks.dawid_skene import dawid_skene
from labelloop.tasks.quality import iou


@dataclass(frozen=True)
class FusedBox:
    """`box.confidence`: the share of the weight that drew it. `overlaps`: for each worker who drew it and named its
    class, how much of the worker's box and this one is common (intersection over union).
    """

    box: Box
    overlaps: Mapping[str, float]


def fuse_boxes(
    images: Sequence[Drawn[Box]], classes: Sequence[str], reliability: Mapping[str, float]
) -> list[list[FusedBox]]:
    """Per image, in the order given, the label of {worker: boxes}; an image's boxes come in the order of their place.

    `reliability`: of every worker who looked, in (0, 1].
    """
    clusters = [clustering.same_objects(drawn, lambda box: box) for drawn in images]
    weights = clustering.weights_of(images, clusters, reliability)
    votes = {
        (image, number): {worker: box.label for worker, box in cluster.items()}
        for image, listed in enumerate(clusters)
        for number, cluster in enumerate(listed)
        if len(cluster) > 1
    }
    consensus = dawid_skene(votes, sorted(classes), reliability)
    spread = fusion.spreads([edge for listed in clusters for cluster in listed for edge in edges(cluster)])
    results = []
    for image, (drawn, listed) in enumerate(zip(images, clusters, strict=True)):
        fused = []
        for number, cluster, share in clustering.kept(drawn, listed, weights):
            if len(cluster) == 1:
                (box,) = cluster.values()
            else:
                box = fuse_edges(cluster, consensus.label((image, number)), spread, weights)
            overlaps = {w: iou(box, mark) for w, mark in cluster.items() if mark.label == box.label}
            fused.append(FusedBox(replace(box, confidence=share), overlaps))
        results.append(sorted(fused, key=lambda each: order(each.box)))
    return results


def edges(cluster: Cluster[Box]) -> list[dict[str, fusion.Position]]:
    """left, top, right, bottom, each by worker."""
    return [
        {worker: (box.left,) for worker, box in cluster.items()},
        {worker: (box.top,) for worker, box in cluster.items()},
        {worker: (box.left + box.width,) for worker, box in cluster.items()},
        {worker: (box.top + box.height,) for worker, box in cluster.items()},
    ]


def fuse_edges(cluster: Cluster[Box], label: str, spread: Mapping[str, float], weights: Mapping[str, float]) -> Box:
    left, top, right, bottom = (round(fusion.fuse(edge, spread, weights)[0], 2) for edge in edges(cluster))
    return Box(label, left, top, round(right - left, 2), round(bottom - top, 2))
