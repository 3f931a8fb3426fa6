"""Boxes and people of a COCO file, in pixels of the upright picture. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.coco.classes import Category
from demo.coco.entries import CocoError, Ids, LeftOut, Notes, number_of, place_of, refuse_blurred, short
from demo.coco.files import Shown
from demo.coco.outlines import Box, box_of_outline

VISIBILITY = {0: "unlabelled", 1: "occluded", 2: "visible"}  # what COCO's v says

SMALLEST_SIDE = 1.0  # pixels of a box
SLACK = 1.0  # pixels that a box may reach over the edge without a word
FEWEST_FOR_CORNERS = 3
CORNERS_SHARE = 0.95  # of the boxes must fit as corners
CORNERS_SLACK = 0.01  # of a side that corners may reach over the edge
SAME_AREA = 0.02
Point = tuple[float, float]


@dataclass(frozen=True)
class _Raw:
    """A box as the file gives it, the size of its picture, and the area that the file states; 0 for none."""

    left: float
    top: float
    third: float
    fourth: float
    width: int
    height: int
    area: float

    @property
    def reaches_out(self) -> bool:
        return self.left + self.third > self.width + SLACK or self.top + self.fourth > self.height + SLACK

    @property
    def fits_as_corners(self) -> bool:
        inside = self.third <= self.width * (1 + CORNERS_SLACK) + SLACK
        inside = inside and self.fourth <= self.height * (1 + CORNERS_SLACK) + SLACK
        return inside and self.left < self.third and self.top < self.fourth

    @property
    def has_area_of_corners(self) -> bool:
        return _same_area(self.area, (self.third - self.left) * (self.fourth - self.top))

    @property
    def area_tells(self) -> bool:
        """Polygons have other areas than their boxes, too: only where those of box and corners differ."""
        box, corners = self.third * self.fourth, (self.third - self.left) * (self.fourth - self.top)
        return self.area > 0 and not _same_area(box, corners)


def mark(
    entries: Sequence[Mapping[str, Any]],
    where: str,
    images: Ids,
    known: Mapping[str, Shown],
    categories: Mapping[object, Category],
    notes: Notes,
) -> None:
    """Puts boxes and people onto the pictures: an annotation whose category has key points is a person.

    Raises CocoError for a category that does not exist, and where of all annotations none can be used.
    """
    by_id = Ids("categories")
    for value, category in categories.items():
        by_id.add(value, "", category)
    raw: list[_Raw] = []
    tried, used = 0, False
    seen: set[tuple[object, ...]] = set()
    for index, entry in enumerate(entries):
        place = place_of("annotations", index, entry)
        for named in ("image_id", "category_id"):
            refuse_blurred(entry.get(named), f"{where}: {place}")
        name = images.find(entry.get("image_id"))
        if name is None:
            notes.add(
                "Annotations of pictures that are not listed were left out",
                f"{place}, image_id {short(entry.get('image_id'))}",
            )
            continue
        if name not in known:
            continue
        picture, tried = known[name], tried + 1
        category = _category(entry, place, where, by_id, categories, notes)
        if _says_yes(entry.get("iscrowd")):
            notes.add("Crowd regions are not boxes and were left out", place)
            continue
        if _says_yes(entry.get("ignore")):
            notes.add("Annotations that are marked to be ignored were left out", place)
            continue
        try:
            box = _box(entry, picture.labelled_size, place, notes)
            raw.append(_Raw(*box, *picture.labelled_size, number_of(entry.get("area")) or 0.0))
            box = _inside(_upright(box, picture), picture, place, notes)
        except LeftOut as why:
            notes.add(f"Annotations were left out, because {why}", f"{place} of {name!r}")
            box = None
        points = _points(entry, category.points, picture, place, notes)
        if box is not None:
            left, top, width, height = box
            mark = {"class": category.label, "left": left, "top": top, "width": width, "height": height}
            same = (name, *mark.values(), str(points))
            if same in seen:
                notes.add("Annotations that repeat another count once", f"{place} of {name!r}")
                continue
            seen.add(same)
            picture.boxes.append(mark)
        used = used or box is not None or bool(points)
        if points or (category.points and box is not None):
            picture.people.append(_person(box, points, category.points, number_of(entry.get("area"))))
    _refuse_corners(raw, where)
    if (tried or not entries) and not used:
        raise CocoError(
            f"{where} marks nothing in the pictures: no annotation can be used. {' '.join(notes.sentences())}"
        )


def _category(
    entry: Mapping[str, Any], place: str, where: str, by_id: Ids, categories: Mapping[object, Category], notes: Notes
) -> Category:
    value = entry.get("category_id")
    found = by_id.find(value)
    if found is None and value is None and len({category.label for category in categories.values()}) == 1:
        notes.add("Annotations without category_id are of the only class", place)
        return next(iter(categories.values()))
    if found is None:
        listed = ", ".join(map(str, list(categories)[:8])) or "none"
        raise CocoError(
            f"{where}: {place} has the category_id {short(value)}, and 'categories' lists {listed}: add it there, or "
            "take the annotation out."
        )
    assert isinstance(found, Category)
    return found


def _box(entry: Mapping[str, Any], labelled_size: tuple[int, int], place: str, notes: Notes) -> Box:
    """Left, top, width, height as the file says them, or of the outline where it has no such box. Raises LeftOut."""
    try:
        return _around(_given(entry.get("bbox"), place, notes), entry, place, notes)
    except LeftOut as why:
        if not entry.get("segmentation"):
            raise
        try:
            box = box_of_outline(entry["segmentation"], labelled_size)
        except LeftOut as further:
            raise LeftOut(f"{why}, and {further}") from further
    notes.add("Boxes were made from outlines", place)
    return box


def _says_yes(value: object) -> bool:
    """Tools write 1, true, "1", "true"; whatever else is not empty and not a no is meant as yes."""
    no = isinstance(value, str) and value.strip().casefold() in ("", "0", "0.0", "false", "no", "none", "null")
    return bool(value) and not no


def _around(box: Box, entry: Mapping[str, Any], place: str, notes: Notes) -> Box:
    """CVAT writes a rotated box as it was before, and its angle in degrees: the upright box around it is meant."""
    attributes = entry.get("attributes")
    angle = (number_of(attributes.get("rotation")) if isinstance(attributes, Mapping) else None) or 0.0
    if angle % 180 == 0:
        return box
    notes.add("Boxes that are rotated became the upright boxes around them", place)
    left, top, width, height = box
    across, down = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    wide, high = width * across + height * down, width * down + height * across
    return left + (width - wide) / 2, top + (height - high) / 2, wide, high


def _given(box: Any, place: str, notes: Notes) -> Box:
    """Raises LeftOut for what is not a box with an area."""
    written = isinstance(box, str)
    given = re.split(r"[,;\s]+", box.strip("[]() \t\r\n")) if written else box
    if given is None or given in ([], [""]):
        raise LeftOut("they have neither box nor outline")
    if not isinstance(given, list) or len(given) != 4:
        raise LeftOut("a box has four numbers")
    numbers = [number for number in map(number_of, given) if number is not None]
    if len(numbers) != 4:
        raise LeftOut("a number of their box is none, or not finite")
    left, top, width, height = numbers
    if width == 0 or height == 0:
        raise LeftOut("their box has no area")
    if written or not all(isinstance(each, int | float) for each in given):
        notes.add("Boxes written as text were read", place)
    if width < 0 or height < 0:
        notes.add("Boxes with a negative side were turned round", place)
    return min(left, left + width), min(top, top + height), abs(width), abs(height)


def _upright(box: Box, picture: Shown) -> Box:
    if not picture.turned:
        return box
    left, top, width, height = box
    corners = [_turn(point, picture) for point in ((left, top), (left + width, top + height))]
    (x0, x1), (y0, y1) = (sorted(axis) for axis in zip(*corners, strict=True))
    return x0, y0, x1 - x0, y1 - y0


def _turn(point: Point, picture: Shown) -> Point:
    """A point of the stored pixels in the upright picture."""
    assert picture.size is not None  # turned
    (x, y), (width, height) = point, (picture.size.width, picture.size.height)
    return {
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }[picture.size.orientation]


def _inside(box: Box, picture: Shown, place: str, notes: Notes) -> Box:
    """The part inside the picture. Raises LeftOut where there is none."""
    left, top, width, height = box
    x0, x1 = max(left, 0.0), min(left + width, float(picture.width))
    y0, y1 = max(top, 0.0), min(top + height, float(picture.height))
    if x1 <= x0 or y1 <= y0:
        raise LeftOut("their box lies outside the picture")
    over = max(x0 - left, left + width - x1, y0 - top, top + height - y1)
    if over > SLACK:
        notes.add("Boxes were cut at the edge of their picture", place)
    if x1 - x0 < SMALLEST_SIDE or y1 - y0 < SMALLEST_SIDE:
        raise LeftOut("their box is smaller than a pixel")
    return (x0, y0, x1 - x0, y1 - y0) if over > 0 else box


def _points(
    entry: Mapping[str, Any], names: Sequence[str], picture: Shown, place: str, notes: Notes
) -> list[dict[str, Any]]:
    """COCO's flat x, y, v triples as named points; no triples: no points."""
    flat = entry.get("keypoints") or []
    if not flat:
        return []
    numbers = [number_of(each) for each in flat] if isinstance(flat, list) else []
    if len(numbers) != 3 * len(names) or any(number is None for number in numbers):
        notes.add(
            f"Key points were left out, because there are not three numbers for each of {len(names)} names", place
        )
        return []
    found = []
    for at, name in enumerate(names):
        x, y, flag = (number or 0.0 for number in numbers[3 * at : 3 * at + 3])
        if flag not in VISIBILITY:
            notes.add("Key points were left out, because a visibility is none of 0, 1 and 2", place)
            return []
        visibility = VISIBILITY[int(flag)]
        x, y = _turn((x, y), picture) if picture.turned and flag else (x, y)
        if flag and not (-SLACK <= x <= picture.width + SLACK and -SLACK <= y <= picture.height + SLACK):
            notes.add("Key points outside the picture are 'outside'", f"{place} {name!r}")
            x, y, visibility = 0.0, 0.0, "outside"
        found.append({"name": name, "x": x, "y": y, "visibility": visibility})
    return found


def _person(box: Box | None, points: list[dict[str, Any]], names: Sequence[str], area: float | None) -> dict[str, Any]:
    """As annotators.parse_truth takes it; of a person without points nobody said anything."""
    sides = dict(zip(("left", "top", "width", "height"), box, strict=True)) if box else {}
    nowhere = [{"name": name, "x": 0.0, "y": 0.0, "visibility": VISIBILITY[0]} for name in names]
    return {**sides, "area": area if area and area > 0 else None, "points": points or nowhere}


def _same_area(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_AREA * max(abs(one), abs(other))


def _refuse_corners(raw: Sequence[_Raw], where: str) -> None:
    """At least half of the boxes reach out of their pictures, or have areas that they should not, and nearly all fit as
    corners: they are not COCO boxes. What would be a line as corners says nothing.
    """
    judged = [each for each in raw if each.third != each.left and each.fourth != each.top]
    out = sum(each.reaches_out for each in judged)
    fit = sum(each.fits_as_corners for each in judged)
    meant = "a COCO bbox is [left, top, width, height]; yours seem to be [left, top, right, bottom]"
    if len(judged) >= FEWEST_FOR_CORNERS and 2 * out >= len(judged) and fit >= CORNERS_SHARE * len(judged):
        raise CocoError(
            f"{where}: {out} of {len(judged)} boxes reach out of their pictures, and {fit} fit as corners: {meant}."
        )
    telling = [each for each in judged if each.area_tells]
    areas = sum(each.fits_as_corners and each.has_area_of_corners for each in telling)
    if len(telling) >= FEWEST_FOR_CORNERS and areas >= CORNERS_SHARE * len(telling):
        raise CocoError(f"{where}: {areas} of {len(telling)} boxes have the area that they have as corners: {meant}.")
