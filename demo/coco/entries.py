"""What all parts of the reader share: errors, numbers, ids, and notes of what was mended or left out. Pure."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TURNED = (5, 6, 7, 8)
EXACT = 2**53  # from here on one float stands for several whole numbers


class CocoError(ValueError):
    """The file cannot be used; the message names the entry and says what to do."""


class LeftOut(Exception):
    """One annotation is not a box, and why."""


@dataclass(frozen=True)
class Size:
    """Of a picture as it is stored, in pixels, and its EXIF orientation."""

    width: int
    height: int
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        return (self.height, self.width) if self.orientation in TURNED else (self.width, self.height)


class Notes:
    """What was mended or left out: a phrase for each kind, and the entries it is true of."""

    def __init__(self) -> None:
        self._entries: dict[str, list[str]] = defaultdict(list)

    def add(self, what: str, entry: str) -> None:
        self._entries[what].append(entry)

    def sentences(self) -> tuple[str, ...]:
        return tuple(
            f"{what}: {entries[0]}" + (f" and {len(entries) - 1} more" if len(entries) > 1 else "")
            for what, entries in self._entries.items()
        )


class Ids:
    """Entries by id. `1`, `1.0` and `"1"` mean one thing, unless the file has both `1` and `"1"`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._exact: dict[object, Any] = {}
        self._loose: dict[object, list[Any]] = defaultdict(list)

    def add(self, value: object, entry: str, item: Any) -> Any | None:
        """None, or the item that had this id before. Raises CocoError for what cannot be an id."""
        key = plain_id(value)
        if key is None:
            raise CocoError(f"{entry} has no usable id ({short(value)}): every one of '{self._what}' needs its own.")
        if key in self._exact:
            return self._exact[key]
        self._exact[key] = item
        self._loose[loose_id(key)].append(item)
        return None

    def find(self, value: object) -> Any | None:
        key = plain_id(value)
        if key is None or key in self._exact:
            return self._exact.get(key)
        fitting = self._loose.get(loose_id(key), ())
        return fitting[0] if len(fitting) == 1 else None

    def values(self) -> list[Any]:
        return list(self._exact.values())


def plain_id(value: object) -> object | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < EXACT else None
    return value


def refuse_blurred(value: object, place: str) -> None:
    """Raises CocoError for a number that was an id, and has lost its last digits on the way through a float."""
    if isinstance(value, float) and math.isfinite(value) and abs(value) >= EXACT:
        raise CocoError(
            f"{place} names the id {short(value)}, which stands for several: whoever wrote it kept ids as floating "
            "point numbers (pandas does). Write ids as whole numbers or as text."
        )


def loose_id(key: object) -> object:
    text = str(key).strip()
    return int(text.partition(".")[0]) if re.fullmatch(r"[+-]?\d{1,30}(\.0+)?", text) else text


def number_of(value: object) -> float | None:
    """A finite number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def place_of(name: str, index: int, entry: Mapping[str, Any]) -> str:
    return f"{name}[{index}] (id {short(entry['id'])})" if "id" in entry else f"{name}[{index}]"


def short(value: object) -> str:
    text = str(value) if isinstance(value, Exception) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
