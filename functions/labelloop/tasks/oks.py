"""How near people's key points were placed: object key-point similarity, and COCO's mean average precision over it.

Both follow the COCO evaluation (cocodataset.org/#keypoints-eval: at most 20 detections per image and class) and agree
with pycocotools to 1e-9, with any sigmas. Places are canonical pixels, areas square pixels; every result lies in 0..1.
A point counts where the truth has a place for it, visible or occluded; COCO calls both labelled. One that is outside
the view or unlabelled has none, and does not count wherever a model puts it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks.average_precision import COCO_THRESHOLDS, ByClass, Compared, images_by_class, mean_over_classes
from labelloop.tasks.quality import Predictions, by_confidence

MOST_DETECTIONS = 20
# Of a box a person fills about so much; ultralytics has the same share in its loss and its evaluation.
AREA_OF_BOX = 0.53
# COCO adds the smallest step above 1 to an area, so that one of 0 can be divided by.
SMALLEST_AREA = sys.float_info.epsilon

Crowds = Mapping[str, Sequence[Person]]
AnyPerson = TypeVar("AnyPerson", Person, SeenPerson)


class PeopleTruth(Protocol):
    """Anything that says who is in an image: an Annotation, for example."""

    @property
    def source_ref(self) -> str: ...

    @property
    def marks(self) -> Sequence[Any]: ...


def oks_map50(
    predictions: Predictions, truths: Iterable[PeopleTruth], skeleton: Skeleton, crowds: Crowds | None = None
) -> float | None:
    return mean_over_classes(compared_people(predictions, truths, skeleton, crowds), (0.5,))


def oks_map50_95(
    predictions: Predictions, truths: Iterable[PeopleTruth], skeleton: Skeleton, crowds: Crowds | None = None
) -> float | None:
    return mean_over_classes(compared_people(predictions, truths, skeleton, crowds), COCO_THRESHOLDS)


def compared_people(
    predictions: Predictions, truths: Iterable[PeopleTruth], skeleton: Skeleton, crowds: Crowds | None = None
) -> ByClass:
    """What average precision counts: `mean_over_classes` here, `ResampledPrecision` of images that are drawn again.

    Images are those of `truths`, as for boxes; classes are those of the boxes. People without a labelled point need not
    be found, and neither need the `crowds` of an image, by its source-ref: each may be found by any number of
    detections. COCO matches them as if they came after the people in their file. Raises InvalidInputError for two
    truths of one image, and for points that are not the skeleton's.
    """
    listed = predictions.values() if isinstance(predictions, Mapping) else predictions
    found = {
        each.source_ref: [(person.box.label, _checked(person, skeleton, each.source_ref)) for person in each.people]
        for each in listed
        if each.status == "ok" and each.people is not None
    }
    true = [(truth.source_ref, _there(truth, skeleton, (crowds or {}).get(truth.source_ref, ()))) for truth in truths]
    return {
        label: [(place, _compared(seen, there, skeleton)) for place, seen, there in images]
        for label, images in images_by_class(found, true).items()
    }


def similarity(seen: SeenPerson, person: Person, skeleton: Skeleton) -> float:
    """The mean closeness of the labelled points; of a person who has none, of all points to the person's box, grown by
    its own size to every side, as COCO has it.
    """
    squared = _squared_distances(seen.points, person.points) or _beyond(seen.points, person)
    size, total = area(person), 0.0
    for place, distance in squared:
        total += closeness(distance, size, skeleton.sigmas[place])
    return total / len(squared)


def closeness(squared_distance: float, size: float, sigma: float) -> float:
    """1 where a point is in its place, e^(-1/2) where it is off by 2 `sigma` times the root of the person's area."""
    return math.exp(-squared_distance / (2 * sigma) ** 2 / (size + SMALLEST_AREA) / 2)


def area(person: Person) -> float:
    """That of the file the person came from, else a share of the box's."""
    return person.box.width * person.box.height * AREA_OF_BOX if person.area is None else person.area


def labelled(point: KeyPoint) -> bool:
    return point.x is not None


def _squared_distances(seen: Sequence[SeenPoint], true: Sequence[KeyPoint]) -> list[tuple[int, float]]:
    """(place in the skeleton, squared distance) of each labelled point."""
    found = []
    for place, (point, other) in enumerate(zip(seen, true, strict=True)):
        if other.x is not None and other.y is not None:
            x, y = point.x - other.x, point.y - other.y
            found.append((place, x * x + y * y))
    return found


def _beyond(seen: Sequence[SeenPoint], person: Person) -> list[tuple[int, float]]:
    box, found = person.box, []
    for place, point in enumerate(seen):
        x = max(0.0, box.left - box.width - point.x) + max(0.0, point.x - (box.left + box.width * 2))
        y = max(0.0, box.top - box.height - point.y) + max(0.0, point.y - (box.top + box.height * 2))
        found.append((place, x * x + y * y))
    return found


def people_of(truth: PeopleTruth) -> list[Person]:
    """Nobody where the label is of another task."""
    return [mark for mark in truth.marks if isinstance(mark, Person)]


def _there(truth: PeopleTruth, skeleton: Skeleton, crowds: Sequence[Person]) -> list[tuple[str, tuple[Person, bool]]]:
    """(class, (person, whether it is a crowd))"""
    everybody = [*((person, False) for person in people_of(truth)), *((crowd, True) for crowd in crowds)]
    return [(person.box.label, (_checked(person, skeleton, truth.source_ref), crowd)) for person, crowd in everybody]


def _compared(seen: list[SeenPerson], there: list[tuple[Person, bool]], skeleton: Skeleton) -> Compared:
    ranked = sorted(seen, key=lambda person: by_confidence(person.box))[:MOST_DETECTIONS]
    people = [person for person, crowd in there if not crowd and any(map(labelled, person.points))]
    excused = [(person, crowd) for person, crowd in there if crowd or not any(map(labelled, person.points))]
    return Compared(
        [-by_confidence(person.box) for person in ranked],
        [[similarity(person, other, skeleton) for other in people] for person in ranked],
        len(people),
        [[similarity(person, other, skeleton) for other, _ in excused] for person in ranked] if excused else (),
        {place for place, (_, crowd) in enumerate(excused) if crowd},
    )


def _checked(person: AnyPerson, skeleton: Skeleton, source_ref: str) -> AnyPerson:
    names = [point.label for point in person.points]
    if names != list(skeleton.names):
        raise InvalidInputError(
            f"{source_ref}: field 'points' must hold {', '.join(skeleton.names)} in this order, as the skeleton does, "
            f"but holds {', '.join(names) or 'none'}: label it again, or go back to the key points it was labelled with"
        )
    return person
