"""How often a batch may ask its judge images whether labels are good enough. Pure.

Each time may go wrong with a chance (alpha), and all together with no more than ALPHA: so the number of rounds that may
accept is settled when the batch is registered, each takes an equal share, and what comes later has nothing left to
spend, whoever resumes or redrives the batch. What was spent stands in the pins of the rounds, which are written once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.trust.policies.bounded import ALPHA

ACCEPTING_ROUNDS = 2

Pin = Mapping[str, Any]


def terms(earlier: Sequence[Pin], accepting_rounds: int, question: Pin, open_images: int) -> dict[str, Any]:
    """What a round pins beside its `question` (thresholds_uri, accept_policy, target): `alpha`, the chance of a mistake
    that it may take, 0 where none is left; `open`, how many images it may accept; and `accepting_rounds`, which an
    `earlier` pin of the batch says for all of them.

    Whoever asks what was asked before gets the same answer, for nothing: the same threshold, of the same images.
    """
    rounds = settled(earlier, accepting_rounds)
    for pin in _spent(earlier):
        if _question(pin) == _question(question) and "alpha" in pin:
            return {"alpha": pin["alpha"], "open": pin["open"], "accepting_rounds": rounds}
    alpha = ALPHA / rounds if may_ask(earlier, rounds) else 0.0
    return {"alpha": alpha, "open": open_images, "accepting_rounds": rounds}


def settled(earlier: Sequence[Pin], accepting_rounds: int) -> int:
    """How many rounds of the batch may accept: as its first pin says."""
    return next((int(pin["accepting_rounds"]) for pin in earlier if "accepting_rounds" in pin), accepting_rounds)


def may_ask(earlier: Sequence[Pin], accepting_rounds: int) -> bool:
    """Whether another model, or the same with other judge images, may still be asked about in the batch."""
    return len({_question(pin) for pin in _spent(earlier)}) < settled(earlier, accepting_rounds)


def _spent(earlier: Sequence[Pin]) -> list[Pin]:
    """The rounds with a model that could accept; before they pinned an alpha, all could."""
    return [pin for pin in earlier if pin["model"] and pin.get("alpha", ALPHA) > 0]


def _question(pin: Pin) -> tuple[Any, ...]:
    return pin["thresholds_uri"], pin.get("accept_policy"), pin.get("target")
