"""Models: their files, their training, their endpoints; the look-up of the engine that trains and serves, by name.

The container imports this package for what models are made of, and lacks what only Lambda has (powertools): so engines
are imported where they are looked up.
"""

from __future__ import annotations

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.events import Kinds
from labelloop.engines.port import Engine as Engine
from labelloop.engines.port import Request as Request
from labelloop.engines.port import Training as Training


def known() -> list[Engine]:
    from labelloop.engines import yolo

    return [yolo]


def events() -> Kinds:
    """What tells that work of an engine has ended."""
    return {detail_type: place for engine in known() for detail_type, place in engine.events.items()}


def of(name: str = "yolo") -> Engine:
    """The engine of this name; what names none, such as everything of version 0.1, is YOLO's. Raises InvalidInputError
    for one that this version of the stack does not know.
    """
    engines = {engine.name: engine for engine in known()}
    if name not in engines:
        raise InvalidInputError(
            f"engine '{name}' is none of {', '.join(engines)}: if a newer version of the stack began this, deploy that "
            "version again"
        )
    return engines[name]


def trainer() -> Engine:
    """The engine that trains, and takes models of elsewhere in. There is one; who serves a version tells its card."""
    return of()


def of_version(version: str) -> Engine:
    """The engine that serves this model version."""
    from labelloop.engines import models

    return of(models.engine_of(version))
