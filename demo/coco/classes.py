"""The classes of a COCO file. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.people.image_names import INVISIBLE

from demo.coco.entries import CocoError, Ids, Notes, loose_id, number_of, place_of, plain_id, short


@dataclass(frozen=True)
class Category:
    """`points`: names of key points; `bones`: which of them a line joins."""

    label: str
    points: tuple[str, ...]
    group: str = ""
    bones: tuple[tuple[str, str], ...] = ()


def classes_of(entries: Sequence[Mapping[str, Any]], where: str, notes: Notes) -> dict[object, Category]:
    """Category by id, in the order of ids; those with one name are one class."""
    ids = Ids("categories")
    by_place: dict[int, tuple[object, Category]] = {}
    for index, entry in enumerate(entries):
        place = place_of("categories", index, entry)
        name = entry.get("name")
        if not isinstance(name, str | int | float) or isinstance(name, bool):
            raise CocoError(f"{where}: {place} has no name ({short(name)}): give it one.")
        label = _label(str(name))
        if label != name:
            notes.add(
                "Category names were written without blanks around them and in one Unicode form", f"{place} {name!r}"
            )
        points = entry.get("keypoints") or []
        if not isinstance(points, list) or not all(isinstance(point, str) for point in points):
            raise CocoError(f"{where}: the key points of {place} are {short(points)}, and must be a list of names.")
        twice = next((point for point in points if points.count(point) > 1), None)
        if twice is not None:
            raise CocoError(f"{where}: {place} has the key point {twice!r} twice: rename one.")
        bones = _bones(entry.get("skeleton"), points, place, notes)
        category = Category(label, tuple(points), str(entry.get("supercategory") or ""), bones)
        before = ids.add(entry.get("id"), f"{where}: {place}", category)
        if before is not None and before.label != label:
            raise CocoError(
                f"{where}: {place} {label!r} has the id of {before.label!r}: give every category its own id."
            )
        if before is None:
            if label in [known.label for _, known in by_place.values()]:
                notes.add("Categories of one name are one class", f"{place} {label!r}")
            by_place[index] = (entry["id"], category)
    _tell_twins([category.label for _, category in by_place.values()], notes)
    ordered = sorted(by_place.values(), key=lambda pair: _order(pair[0]))
    return {plain_id(value): category for value, category in ordered}


def without_group(
    categories: Mapping[object, Category], annotations: Sequence[Mapping[str, Any]], where: str, notes: Notes
) -> dict[object, Category]:
    """Roboflow lists the name of the project first, as a category that groups the others and that nothing is of."""
    (first, group), *others = list(categories.items()) or [(None, Category("", ()))]
    grouping = others and all(_label(each.group) == group.label for _, each in others)
    if not grouping or any(loose_id(plain_id(each.get("category_id"))) == loose_id(first) for each in annotations):
        return dict(categories)
    notes.add(
        f"A category of {where} that groups the others, and that nothing is of, is not a class", repr(group.label)
    )
    return dict(others)


def _bones(listed: Any, points: Sequence[str], place: str, notes: Notes) -> tuple[tuple[str, str], ...]:
    """COCO counts points from 1."""
    found = []
    for pair in listed if isinstance(listed, list) else []:
        ends = [number_of(end) for end in pair] if isinstance(pair, list) and len(pair) == 2 else []
        known = [points[int(end) - 1] for end in ends if end and end.is_integer() and 1 <= end <= len(points)]
        if len(set(known)) == 2:
            found.append((known[0], known[1]))
        else:
            notes.add("Bones of the skeleton that do not join two key points were left out", f"{place}, {short(pair)}")
    return tuple(found)


def _tell_twins(labels: Sequence[str], notes: Notes) -> None:
    alike: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        plain = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", label).casefold())
        other = alike.setdefault(plain, label)
        if other != label:
            notes.add(
                "Names that differ only in how they are written are classes of their own", f"{other!r}, {label!r}"
            )


def _label(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", INVISIBLE.sub("", name)).split())


def _order(value: object) -> tuple[bool, float, str]:
    loose = loose_id(plain_id(value))
    return (False, float(loose), "") if isinstance(loose, int) else (True, 0.0, str(loose))
