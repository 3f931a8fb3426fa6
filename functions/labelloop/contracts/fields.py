"""Typed fields out of JSON that somebody else wrote: the value, or an InvalidInputError naming the field.

JSON as Python reads it has traps this module closes in one place: `true` is an int, `1e999` is infinity, an integer
may be too large for a float, a string may hold half a surrogate pair that no file can store as UTF-8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from labelloop.contracts.errors import InvalidInputError

LARGEST_NUMBER = 1e15
SHOWN_CHARACTERS = 60
LONGEST_LINE = 5_000_000


def refuse(context: str, field: str, expected: str, value: object) -> InvalidInputError:
    """The error to raise when `field` of the record called `context` is not `expected`."""
    return InvalidInputError(f"{context}: field '{field}' must be {expected}, but is {shown(value)}")


def mapping(value: object, context: str, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refuse(context, field, "an object", value)
    return value


def sequence(record: Mapping[str, Any], field: str, context: str) -> list[Any]:
    value = record.get(field)
    if not isinstance(value, list):
        raise refuse(context, field, "a list", value)
    return value


def text(record: Mapping[str, Any], field: str, context: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not is_storable(value):
        raise refuse(context, field, "a string of whole characters", value)
    return value


def optional_text(record: Mapping[str, Any], field: str, context: str) -> str | None:
    return None if record.get(field) is None else text(record, field, context)


def choice(record: Mapping[str, Any], field: str, context: str, allowed: tuple[str, ...]) -> str:
    value = record.get(field)
    if not isinstance(value, str) or value not in allowed:
        raise refuse(context, field, "one of " + ", ".join(allowed), value)
    return value


def number(
    record: Mapping[str, Any],
    field: str,
    context: str,
    minimum: float = -LARGEST_NUMBER,
    maximum: float = LARGEST_NUMBER,
) -> float:
    value = record.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(context, field, "a number", value)
    # NaN fails every comparison; integers are compared exactly, however large.
    if not minimum <= value <= maximum:
        raise refuse(context, field, f"a number from {minimum:g} to {maximum:g}", value)
    return float(value)


def optional_number(
    record: Mapping[str, Any],
    field: str,
    context: str,
    minimum: float = -LARGEST_NUMBER,
    maximum: float = LARGEST_NUMBER,
) -> float | None:
    return None if record.get(field) is None else number(record, field, context, minimum, maximum)


def integer(record: Mapping[str, Any], field: str, context: str, minimum: int = 0) -> int:
    """A whole number; `640.0` counts as one, because some writers know only floats."""
    value = number(record, field, context, minimum)
    if not value.is_integer():
        raise refuse(context, field, "a whole number", value)
    return int(value)


def optional_integer(record: Mapping[str, Any], field: str, context: str, minimum: int = 0) -> int | None:
    return None if record.get(field) is None else integer(record, field, context, minimum)


def optional_pair(record: Mapping[str, Any], field: str, context: str) -> tuple[float, float] | None:
    match record.get(field):
        case None:
            return None
        case [low, high]:
            return number({field: low}, field, context), number({field: high}, field, context)
        case other:
            raise refuse(context, field, "a list of two numbers", other)


def boolean(record: Mapping[str, Any], field: str, context: str) -> bool:
    value = record.get(field)
    if not isinstance(value, bool):
        raise refuse(context, field, "true or false", value)
    return value


def parse_json(content: str, context: str) -> Any:
    """`content` as JSON, strictly: NaN and Infinity are refused, and so is nesting deeper than Python's stack."""

    def refuse_constant(name: str) -> None:
        raise InvalidInputError(f"{context}: {name} is not JSON; write null or a finite number")

    try:
        return json.loads(content, parse_constant=refuse_constant)
    except RecursionError:
        raise InvalidInputError(f"{context}: the JSON is nested too deeply") from None
    except ValueError as error:  # also integers of thousands of digits, which json refuses with a plain ValueError
        raise InvalidInputError(f"{context}: not JSON ({error})") from None


def parse_line(line: str, context: str) -> Any:
    """One line of JSON, as `parse_json`; one that is longer than any image's label is refused unread."""
    if len(line) > LONGEST_LINE:
        raise InvalidInputError(f"{context}: it has {len(line):,} characters, more than {LONGEST_LINE:,}")
    return parse_json(line, context)


def is_storable(value: str) -> bool:
    """False for text with a lone surrogate, which cannot be written as UTF-8."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def shown(value: object) -> str:
    """A short, safe rendering of any JSON value for an error message."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if value is None:
        return "missing or null"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_NUMBER:
        return "an enormous number"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    if not isinstance(value, str | int | float):
        return f"a {type(value).__name__}"  # what a checkpoint holds may take for ever to write out
    rendered = ascii(value[: SHOWN_CHARACTERS + 1] if isinstance(value, str) else value)
    return rendered if len(rendered) <= SHOWN_CHARACTERS else rendered[:SHOWN_CHARACTERS] + "..."
