"""JSON bodies of strangers: strict, not deep, every name once, nothing that cannot be stored as JSON again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from labelloop.contracts.fields import is_storable

DEEPEST = 32
# Beyond it a browser would read back another number than it sent.
LARGEST_NUMBER = 2**53


class BadBody(ValueError):
    """The body is not a JSON object as the API wants it; the text says why."""


def read(body: bytes) -> dict[str, Any]:
    """The object in the body.

    Raises BadBody: not UTF-8 or JSON, a name twice or `__proto__`, too deep, NaN, an enormous number, half a character.
    """
    try:
        document = json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, parse_int=_whole, object_pairs_hook=_unique
        )
    except BadBody:
        raise
    except RecursionError:
        raise BadBody(f"the body is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise BadBody(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadBody("the body must be a JSON object")
    _check(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadBody(f"the field {name[:60]!r} occurs twice")
        if name == "__proto__":
            raise BadBody("the field '__proto__' is refused")
        found[name] = value
    return found


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 20 else math.copysign(math.inf, -1 if digits.startswith("-") else 1)


def _no_constant(name: str) -> None:
    raise BadBody(f"{name} is not a JSON number")


def _check(document: dict[str, Any]) -> None:
    """Level by level, so that the stack stays flat; a value in a list has the name of the field that the list is in."""
    layer: list[tuple[str, Any]] = [("", document)]
    for _ in range(DEEPEST + 1):
        for name, value in layer:
            _check_value(name, value)
        layer = [inner for each in layer for inner in _within(*each)]
    if layer:
        raise BadBody(f"the body is nested deeper than {DEEPEST} levels")


def _within(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return value.items()
    return [(name, each) for each in value] if isinstance(value, list) else ()


def _check_value(name: str, value: Any) -> None:
    if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
        raise BadBody(f"field {name[:60]!r} holds an enormous number")
    for text in (name, value):
        if isinstance(text, str) and not is_storable(text):
            raise BadBody(f"field {name[:60]!a} holds half a character (a lone surrogate)")
