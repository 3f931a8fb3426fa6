"""Labels as a COCO file, of boxes or of key points (cocodataset.org/#format-data). Pure; canonical pixels.

COCO's v is 2 for visible and 1 for occluded. Its 0 is all of which no place is known: points outside the view, and
those that nobody labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, Vocabulary
from labelloop.tasks import oks

VISIBILITY = {"visible": 2, "occluded": 1}


def document(labels: Sequence[Annotation], names: Sequence[str], vocabulary: Vocabulary, told: str) -> dict[str, Any]:
    """`names`: the file name of each label's image. Ids count from 1: images as given, categories as the stack has
    them, annotations in the order of their images. `told` is the file's description.

    The area of a box is its own; of a person that of the file the label came from, else .53 of the box.
    """
    categories = categories_of(labels, vocabulary)
    numbers = {category["name"]: category["id"] for category in categories}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (label, name) in enumerate(zip(labels, names, strict=True), 1):
        images.append({"id": image_id, "file_name": name, "width": label.width, "height": label.height})
        for mark in label.marks:
            box = mark if isinstance(mark, Box) else mark.box
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": numbers[box.label]}
            annotations.append({**ids, **_annotation(mark)})
    return {"info": {"description": told}, "images": images, "annotations": annotations, "categories": categories}


def categories_of(labels: Sequence[Annotation], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """The stack's classes; or people's, each with the skeleton, whose bones count points from 1."""
    if vocabulary.skeleton is None:
        return [{"id": number, "name": name} for number, name in enumerate(vocabulary.names, 1)]
    places = {name: place for place, name in enumerate(vocabulary.names, 1)}
    bones = [[places[one], places[other]] for one, other in vocabulary.skeleton.bones]
    points = {"keypoints": list(vocabulary.names), "skeleton": bones}
    return [{"id": number, "name": name, **points} for number, name in enumerate(people_classes(labels), 1)]


def people_classes(labels: Sequence[Annotation]) -> list[str]:
    """What boxes of people are called in these labels: usually PERSON alone, which comes first."""
    used = {person.box.label for label in labels for person in label.people or ()}
    return [PERSON, *sorted(used - {PERSON})]


def _annotation(mark: Box | Person) -> dict[str, Any]:
    if isinstance(mark, Person):
        flat = [value for point in mark.points for value in _triple(point)]
        placed = sum(point.x is not None for point in mark.points)
        return {**_box(mark.box, oks.area(mark)), "num_keypoints": placed, "keypoints": flat}
    return _box(mark, mark.width * mark.height)


def _box(box: Box, area: float) -> dict[str, Any]:
    return {"bbox": [box.left, box.top, box.width, box.height], "area": area, "iscrowd": 0}


def _triple(point: KeyPoint) -> tuple[float, float, int]:
    if point.x is None or point.y is None:
        return 0, 0, 0
    return point.x, point.y, VISIBILITY[point.visibility]
