"""Models: their files, their training, their endpoints; the look-up of the engine that trains and serves, by name."""

from __future__ import annotations

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.events import Kinds
from labelloop.engines import models, yolo
from labelloop.engines.port import Engine as Engine
from labelloop.engines.port import Request as Request
from labelloop.engines.port import Training as Training

_KNOWN: dict[str, Engine] = {engine.name: engine for engine in (yolo,)}
EVENTS: Kinds = {detail_type: place for engine in _KNOWN.values() for detail_type, place in engine.events.items()}


def known() -> list[Engine]:
    return list(_KNOWN.values())


def of(name: str = "yolo") -> Engine:
    """The engine of this name; what names none, such as everything of version 0.1, is YOLO's. Raises InvalidInputError
    for one that this version of the stack does not know.
    """
    if name not in _KNOWN:
        raise InvalidInputError(
            f"engine '{name}' is none of {', '.join(_KNOWN)}: if a newer version of the stack began this, deploy that "
            "version again"
        )
    return _KNOWN[name]


def of_version(version: str) -> Engine:
    """The engine that serves this model version."""
    return of(models.engine_of(version))
