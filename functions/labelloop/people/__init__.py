"""People: who is asked, what they answer, and how well they work; the look-up of what asks them, by name.

The portal's server and the local desk import this package for what answers look like: so backends, which call AWS, are
imported where they are looked up.
"""

from __future__ import annotations

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.events import Kinds
from labelloop.people.port import Backend as Backend


def known() -> list[Backend]:
    from labelloop.people import ground_truth

    return [ground_truth]


def events() -> Kinds:
    """What tells that a labelling job has ended."""
    return {detail_type: place for backend in known() for detail_type, place in backend.events.items()}


def of(name: str) -> Backend:
    """The backend of this name. Raises InvalidInputError for one that this version of the stack does not know."""
    backends = {backend.name: backend for backend in known()}
    if name not in backends:
        raise InvalidInputError(
            f"labelling backend '{name}' is none of {', '.join(backends)}: if a newer version of the stack began this, "
            "deploy that version again"
        )
    return backends[name]
