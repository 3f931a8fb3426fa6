"""How a page calls the points of several people, because crowd-keypoint knows labels and places only.

`nose` is the first person's, `nose (occluded)` the same hidden, `nose #2` and `nose #2 (occluded)` the second's, and so
on; numbers may have gaps. `top-left` and `bottom-right` (`top-left #2`) are the corners of the person's box. A point
that is not set is outside the view. Ground Truth's page and ours have the same labels. Canonical pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from labelloop.contracts.augmented import whole_or_fraction
from labelloop.contracts.records import OCCLUDED, Person
from labelloop.contracts.skeletons import BOTTOM_RIGHT, CORNERS, NUMBER, TOP_LEFT

Mark = dict[str, Any]
_LABEL = re.compile(
    rf"(?P<name>.+?)(?: {NUMBER}(?P<number>[2-9]|[1-9][0-9]))?(?P<occluded>{re.escape(OCCLUDED)})?", re.DOTALL
)


def label(name: str, number: int = 1, visibility: str = "visible") -> str:
    """Of a point or a corner of the person of this number, which counts from 1."""
    return name + (f" {NUMBER}{number}" if number > 1 else "") + (OCCLUDED if visibility == "occluded" else "")


def offered(names: Sequence[str], people: int) -> list[str]:
    """All labels of a page for so many people."""
    return [
        each
        for number in range(1, people + 1)
        for each in (
            *(label(name, number, seen) for name in names for seen in ("visible", "occluded")),
            *(label(corner, number) for corner in CORNERS),
        )
    ]


def meaning(text: str, names: Sequence[str]) -> tuple[int, str, str] | None:
    """(number of the person, name of the point or corner, visibility); None for what is no label of these names."""
    found = _LABEL.fullmatch(text)
    if found is None:
        return None
    name, visibility = found["name"], "occluded" if found["occluded"] else "visible"
    known = name in names or (name in CORNERS and visibility == "visible")
    return (int(found["number"] or 1), name, visibility) if known else None


def names_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The names that a page with these labels asks for, in its order."""
    found = (_LABEL.fullmatch(text) for text in labels)
    names = dict.fromkeys(match["name"] for match in found if match)
    return tuple(name for name in names if name not in CORNERS)


def is_of_people(labels: Iterable[str]) -> bool:
    return TOP_LEFT in labels


def marks(person: Person, number: int) -> list[Mark]:
    """The person as crowd-keypoint takes it. A derived box has no corners: it follows the points."""
    placed = [
        {"label": label(point.label, number, point.visibility), **_place(point.x, point.y)}
        for point in person.points
        if point.x is not None and point.y is not None
    ]
    box = person.box
    corners = {TOP_LEFT: (box.left, box.top), BOTTOM_RIGHT: (box.left + box.width, box.top + box.height)}
    drawn = {} if person.derived else corners
    return [*placed, *({"label": label(corner, number), **_place(*place)} for corner, place in drawn.items())]


def _place(x: float, y: float) -> Mark:
    return {"x": whole_or_fraction(x), "y": whole_or_fraction(y)}
