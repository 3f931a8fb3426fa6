"""Promise I1: every object of a batch ends in exactly one of auto, human, rejected, deferred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from labelloop.contracts.errors import ConservationError
from labelloop.contracts.records import DECISIONS

KEYS_SHOWN = 5


def check(inventory: Iterable[str], outcomes: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The number of objects per outcome, every outcome listed; ConservationError when the batch does not add up.

    `inventory` holds the key of every object, `outcomes` one (key, decision) per object, both in any order.
    """
    expected = Counter(list(inventory))  # list(): a Counter would take a dict for counts
    decided = list(outcomes)
    seen = Counter(key for key, _ in decided)
    offences = {
        "listed more than once in the inventory": [key for key, count in expected.items() if count > 1],
        "without an outcome": [key for key in expected if key not in seen],
        "with more than one outcome": [key for key, count in seen.items() if count > 1],
        "with an outcome but not in the inventory": [key for key in seen if key not in expected],
        "with an unknown outcome": [key for key, decision in decided if decision not in DECISIONS],
    }
    found = [f"{len(set(keys))} {offence} ({_some(keys)})" for offence, keys in offences.items() if keys]
    if found:
        raise ConservationError(
            f"the batch does not add up: {len(expected)} objects, {len(decided)} outcomes; {'; '.join(found)}. "
            "Nothing was published; compare the inventory with the batch's decisions and annotations."
        )
    counts = Counter(decision for _, decision in decided)
    return {decision: counts[decision] for decision in DECISIONS}


def _some(keys: Iterable[str]) -> str:
    ordered = sorted(set(keys))
    return ", ".join(map(repr, ordered[:KEYS_SHOWN])) + (", ..." if len(ordered) > KEYS_SHOWN else "")
