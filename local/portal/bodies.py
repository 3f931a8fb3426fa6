"""JSON bodies of strangers: strict, not deep, every name once."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 32


class BadBody(ValueError):
    """The body is no JSON object as the API wants it; the text says why."""


def read(body: bytes) -> dict[str, Any]:
    """The object in the body. Raises BadBody: not UTF-8, not JSON, NaN, a name twice or `__proto__`, too deep."""
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except BadBody:
        raise
    except RecursionError:
        raise BadBody(f"the body is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise BadBody(f"the body is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadBody("the body must be a JSON object")
    if _deeper(document, DEEPEST):
        raise BadBody(f"the body is nested deeper than {DEEPEST} levels")
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


def _no_constant(name: str) -> None:
    raise BadBody(f"{name} is no JSON number")


def _deeper(value: Any, levels: int) -> bool:
    """Whether containers lie in each other more than `levels` deep; level by level, so the stack stays flat."""
    layer = [value]
    while layer:
        layer = [each for each in layer if isinstance(each, dict | list)]
        if layer and not levels:
            return True
        levels -= 1
        layer = [inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)]
    return False
