"""The classes of a COCO file. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.supplied import INVISIBLE

from local.demo.coco.entries import CocoError, Ids, Notes, loose_id, place_of, plain_id, short


@dataclass(frozen=True)
class Category:
    label: str
    points: tuple[str, ...]


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
        category = Category(label, tuple(points))
        before = ids.add(entry.get("id"), f"{where}: {place}", category)
        if before is not None and before.label != label:
            raise CocoError(
                f"{where}: {place} {label!r} has the id of {before.label!r}: give every category its own id."
            )
        if before is None:
            if label in [known.label for _, known in by_place.values()]:
                notes.add("Categories of one name are one class", f"{place} {label!r}")
            by_place[index] = (entry["id"], category)
    ordered = sorted(by_place.values(), key=lambda pair: _order(pair[0]))
    return {plain_id(value): category for value, category in ordered}


def _label(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", INVISIBLE.sub("", name)).split())


def _order(value: object) -> tuple[bool, float, str]:
    loose = loose_id(plain_id(value))
    return (False, float(loose), "") if isinstance(loose, int) else (True, 0.0, str(loose))
