"""People whom several workers marked in the same images -> one label per image.

Canonical pixels. What is kept, in words:
1. People of different workers are one as boxes are (clustering): by the overlap of their boxes, whatever their class,
   or of squares round their points where somebody drew no box (matchable_boxes); and kept when those who marked the
   person hold about half of the weight of all who looked.
2. The box is the weighted mean, without outliers, of those that somebody drew; of derived ones where nobody did.
3. The points are those of consolidation_key_points, of the workers who marked the person; who took left for right in
   every pair is turned round (swapped_sides).
One worker's label is kept exactly. Nothing depends on the order of images, workers or people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labelloop.contracts.in_image import Size
from labelloop.contracts.records import Box, Person
from labelloop.tasks import clustering, fusion, matchable_boxes
from labelloop.tasks.clustering import Cluster, Drawn, order
from labelloop.tasks.consolidation_boxes import edges, fuse_edges
from labelloop.tasks.consolidation_key_points import FusedKeyPoint, fuse_key_points
from labelloop.tasks.swapped_sides import righted


@dataclass(frozen=True)
class FusedPerson:
    """`person.box.confidence`: the share of the weight that marked the person. `points`: the person's, with how many of
    the `workers` said the same; what each of those marked.
    """

    person: Person
    points: Sequence[FusedKeyPoint]
    workers: Mapping[str, Person]


def fuse_people(
    images: Sequence[Drawn[Person]], sizes: Sequence[Size], names: Sequence[str], reliability: Mapping[str, float]
) -> list[list[FusedPerson]]:
    """Per image, in the order given, the label of {worker: people}; an image's people come in the order of their boxes.

    `sizes`: width and height of each image. `reliability`: of every worker who looked, in (0, 1]. A person's points are
    one for each of `names`, in that order.
    """
    clusters = [clustering.same_objects(drawn, _box_of(drawn, size)) for drawn, size in zip(images, sizes, strict=True)]
    weights = clustering.weights_of(images, clusters, reliability)
    left = [
        (image, cluster, share)
        for image, (drawn, listed) in enumerate(zip(images, clusters, strict=True))
        for _, cluster, share in clustering.kept(drawn, listed, weights)
    ]
    boxes = [_boxes(cluster) for _, cluster, _ in left]
    spread = fusion.spreads([edge for drawn in boxes for edge in edges(drawn)])
    placed = [righted({worker: person.points for worker, person in cluster.items()}) for _, cluster, _ in left]
    points = fuse_key_points(placed, [sizes[image] for image, *_ in left], names, reliability)
    results: list[list[FusedPerson]] = [[] for _ in images]
    for (image, cluster, share), drawn, fused in zip(left, boxes, points, strict=True):
        person = _person(cluster, drawn, fused, spread, weights)
        person = replace(person, box=replace(person.box, confidence=share))
        results[image].append(FusedPerson(person, fused, cluster))
    return [sorted(listed, key=lambda each: (order(each.person.box), repr(each.person))) for listed in results]


def _box_of(drawn: Drawn[Person], size: Size) -> Callable[[Person], Box]:
    """By which people are clustered: whatever their class, and by squares where somebody drew no box."""
    some_derived = any(person.derived for people in drawn.values() for person in people)

    def of(person: Person) -> Box:
        box = matchable_boxes.square(person, size) if some_derived else person.box
        return replace(box, label="", confidence=None)

    return of


def _boxes(cluster: Cluster[Person]) -> Cluster[Box]:
    drawn = {worker: person.box for worker, person in cluster.items() if not person.derived}
    return drawn or {worker: person.box for worker, person in cluster.items()}


def _person(
    cluster: Cluster[Person],
    boxes: Cluster[Box],
    points: Sequence[FusedKeyPoint],
    spread: Mapping[str, float],
    weights: Mapping[str, float],
) -> Person:
    derived = all(person.derived for person in cluster.values())
    if len(boxes) == 1:
        (box,) = boxes.values()
    else:
        often = Counter(box.label for box in boxes.values())
        box = fuse_edges(boxes, max(sorted(often), key=often.__getitem__), spread, weights)
    return Person(box, tuple(each.point for each in points), derived)
