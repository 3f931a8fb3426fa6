"""COCO files that people bring along (cocodataset.org/#format-data), as lines of the manifest that supplied reads.

Pure. Each image that the file lists is a line, also one of which it says nothing: there is nothing in it. Regions that
are marked as crowds are no boxes and nobody's points. COCO's v is 2 for visible, 1 for occluded and 0 for unlabelled.
Pixels are those of the file, which must be canonical ones.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.augmented import BOXES, CUSTOM, KEY_POINTS, OBJECT_DETECTION, label_metadata
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.people_values import people_value
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import UNLABELLED, Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, USUAL_BOX_FACTOR, Skeleton
from labelloop.people.supplied import Refused, kind_of

LISTS = ("images", "annotations", "categories")
VISIBILITY = {0: UNLABELLED, 1: "occluded", 2: "visible"}
LARGEST = 1e12
SLACK = 1.0  # pixels that a point may lie over the edge
_SIDES = ("left", "top", "width", "height")
Entry = Mapping[str, Any]
Lines = list[tuple[int, str]]


@dataclass(frozen=True)
class _File:
    """`names`: of the categories in the order of the file, `places`: in it, by id; `points`: of the people, whose
    categories are `pointed`; `box_factor`: of the skeleton.
    """

    names: tuple[str, ...]
    places: Mapping[Any, int]
    pointed: frozenset[Any]
    points: tuple[str, ...]
    box_factor: float


def unfolded(lines: Lines, task: str, skeleton: Skeleton | None = None) -> tuple[Lines, list[Refused]]:
    """The lines of a manifest as they are; of a COCO file one for each image, numbered in its order from 1, and the
    images that were refused. `task`: boxes | key-points; `skeleton`: of the people.

    Raises InvalidInputError where the file as a whole cannot be meant.
    """
    document = _document(lines)
    if document is None:
        return lines, []
    factor = skeleton.box_factor if skeleton else USUAL_BOX_FACTOR
    file = _categories(document["categories"], factor)
    make = _MADE.get(task)
    if make is None:
        raise InvalidInputError(f"COCO files hold no {task}, which the parameter Task asks for: bring a manifest along")
    by_image: dict[Any, list[tuple[str, Entry]]] = defaultdict(list)
    for place, entry in enumerate(document["annotations"]):
        by_image[_id(entry, "image_id", f"annotations[{place}]")].append((f"annotations[{place}]", entry))
    made, refused = [], []
    for number, image in enumerate(document["images"], 1):
        try:
            own = by_image.pop(_id(image, "id", f"images[{number - 1}]"), [])
            made.append((number, make(image, own, file)))
        except InvalidInputError as refusal:
            refused.append(Refused(number, str(refusal), kind_of(str(refusal))))
    strange = [where for listed in by_image.values() for where, _ in listed]
    if strange:
        error = f"{len(strange):,} annotations are of images that the file does not list, first {strange[0]}"
        refused.append(Refused(0, error, kind_of(error)))
    return made, refused


def _document(lines: Lines) -> Mapping[str, list[Entry]] | None:
    if len(lines) != 1 or not all(f'"{name}"' in lines[0][1] for name in LISTS):
        return None
    try:
        document = json.loads(lines[0][1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not set(LISTS) <= set(document):
        return None
    for name in LISTS:
        for place, entry in enumerate(fields.sequence(document, name, "COCO file")):
            fields.mapping(entry, "COCO file", f"{name}[{place}]")
    return document


def _categories(entries: Sequence[Entry], box_factor: float) -> _File:
    places: dict[Any, int] = {}
    kinds: dict[Any, tuple[str, ...]] = {}
    for place, entry in enumerate(entries):
        where = f"categories[{place}]"
        key = _id(entry, "id", where)
        if key in places:
            raise InvalidInputError(f"COCO file, {where}: field 'id' is that of categories[{places[key]}], too")
        places[key] = place
        listed = entry.get("keypoints") or []
        if not isinstance(listed, list):
            raise fields.refuse(f"COCO file, {where}", "keypoints", "a list of names", listed)
        if listed:
            kinds[key] = tuple(fields.text({"keypoints": name}, "keypoints", where) for name in listed)
    if len(set(kinds.values())) > 1:
        raise InvalidInputError(
            "COCO file: categories have different key points, and a stack labels people of one kind: leave one kind"
        )
    names = tuple(fields.text(entry, "name", f"categories[{place}]") for place, entry in enumerate(entries))
    return _File(names, places, frozenset(kinds), next(iter(kinds.values()), ()), box_factor)


def _boxes(image: Entry, own: Sequence[tuple[str, Entry]], file: _File) -> str:
    marked = []
    for where, entry in _marks(own):
        category = _category(entry, where, file)
        listed = entry.get("bbox")
        sides = listed if isinstance(listed, list) and len(listed) == 4 else [None] * 4
        marked.append({"class_id": file.places[category], **dict(zip(_SIDES, sides, strict=True))})
    value = {"image_size": [{**_size(image), "depth": 3}], "annotations": marked}
    return _line(image, BOXES, value, label_metadata(file.names, [1] * len(marked), True, "", "", OBJECT_DETECTION))


def _people(image: Entry, own: Sequence[tuple[str, Entry]], file: _File) -> str:
    if not file.points:
        raise InvalidInputError("no category of the file has key points, which the parameter Task asks for")
    size = _size(image)
    people = []
    for where, entry in _marks(own):
        if _category(entry, where, file) in file.pointed:
            people.append(_person(entry, where, file, (size["width"], size["height"])))
    there = [person for person in people if person is not None]
    left_out = any(_is_crowd(entry) or entry.get("ignore") for _, entry in own)
    if not there and (people or left_out):
        raise InvalidInputError(
            "the file marks people, but says of nobody where in the picture: crowds, or no box and no point"
        )
    value = people_value(size["width"], size["height"], there, file.points)
    confidences = [1] * len(value["annotations"])
    return _line(image, KEY_POINTS, value, label_metadata(file.points, confidences, True, "", "", CUSTOM))


_MADE: Mapping[str, Callable[[Entry, Sequence[tuple[str, Entry]], _File], str]] = {
    "boxes": _boxes,
    "key-points": _people,
}


def _person(entry: Entry, where: str, file: _File, size: tuple[int, int]) -> Person | None:
    """None where neither box nor point says where somebody is."""
    points = _points(entry, where, file.points, size)
    box = _box(entry, size)
    area: Any = entry.get("area")
    told = float(area) if _is_number(area) and area > 0 else None
    around = box or derived_box(points, size, file.box_factor)
    return Person(around, points, box is None, told) if around else None


def _points(entry: Entry, where: str, names: Sequence[str], size: tuple[int, int]) -> tuple[KeyPoint, ...]:
    flat = entry.get("keypoints") or [0] * (3 * len(names))
    if not isinstance(flat, list) or len(flat) != 3 * len(names) or not all(map(_is_number, flat)):
        raise InvalidInputError(f"{where}: field 'keypoints' must be three numbers for each of {len(names)} names")
    points = []
    for place, name in enumerate(names):
        x, y, flag = flat[3 * place : 3 * place + 3]
        if flag not in VISIBILITY:
            raise InvalidInputError(f"{where}: field 'keypoints' has the visibility {flag}, which is none of 0, 1, 2")
        inside = all(-SLACK <= at <= limit + SLACK for at, limit in zip((x, y), size, strict=True))
        said = VISIBILITY[flag] if inside or not flag else "outside"
        placed = said in ("visible", "occluded")
        points.append(KeyPoint(name, x if placed else None, y if placed else None, said))
    return tuple(points)


def _box(entry: Entry, size: tuple[int, int]) -> Box | None:
    """The part of it inside the image; None where there is none."""
    listed = entry.get("bbox")
    if not isinstance(listed, list) or len(listed) != 4 or not all(map(_is_number, listed)):
        return None
    left, top = max(listed[0], 0.0), max(listed[1], 0.0)
    width, height = min(listed[0] + listed[2], size[0]) - left, min(listed[1] + listed[3], size[1]) - top
    return Box(PERSON, left, top, width, height) if min(width, height) > 0 else None


def _marks(own: Sequence[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    return [(where, entry) for where, entry in own if not _is_crowd(entry) and not entry.get("ignore")]


def _is_crowd(entry: Entry) -> bool:
    return bool(entry.get("iscrowd"))


def _category(entry: Entry, where: str, file: _File) -> Any:
    category = _id(entry, "category_id", where)
    if category not in file.places:
        raise InvalidInputError(f"{where}: field 'category_id' is {fields.shown(category)}, which 'categories' lacks")
    return category


def _id(entry: Entry, name: str, where: str) -> Any:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise fields.refuse(f"COCO file, {where}", name, "a whole number or text", value)
    return value


def _size(image: Entry) -> dict[str, int]:
    return {side: fields.integer(image, side, "image", minimum=1) for side in ("width", "height")}


def _line(image: Entry, attribute: str, value: Entry, metadata: Entry) -> str:
    record = {"source-ref": fields.text(image, "file_name", "image"), attribute: value}
    return json.dumps({**record, f"{attribute}-metadata": metadata}, ensure_ascii=False)


def _is_number(value: Any) -> bool:
    """Within what pictures can have: whole numbers of any length are no floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
