"""People: who is asked, what they answer, and how well they work; the look-up of what asks them, by name."""

from __future__ import annotations

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.events import Kinds
from labelloop.people import ground_truth
from labelloop.people.port import Backend as Backend

_KNOWN: dict[str, Backend] = {backend.name: backend for backend in (ground_truth,)}
EVENTS: Kinds = {detail_type: place for backend in _KNOWN.values() for detail_type, place in backend.events.items()}


def known() -> list[Backend]:
    return list(_KNOWN.values())


def of(name: str) -> Backend:
    """The backend of this name. Raises InvalidInputError for one that this version of the stack does not know."""
    if name not in _KNOWN:
        raise InvalidInputError(
            f"labelling backend '{name}' is none of {', '.join(_KNOWN)}: if a newer version of the stack began this, "
            "deploy that version again"
        )
    return _KNOWN[name]
