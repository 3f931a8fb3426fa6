"""What a policy does: it is fitted on images that people labelled and that did not train the model, and gives each
round the rule that accepts labels and explains itself.

Scores and qualities lie in 0..1. A policy holds nothing itself: what was fitted stands beside the model, what the
settings say is pinned by the round, so a round that is begun accepts by the same rule to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labelloop.contracts.settings import Settings

Fitted = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """What a policy accepts of one model: labels from a score on, none where `threshold` is None. `version` names it
    in decisions, with everything that the threshold came from.

    For people: `promise` says what holds of the accepted labels, or why none are; `missing` what it would take to
    accept more. `target` is the mean quality that is promised, None where none is.
    """

    threshold: float | None
    version: str
    target: float | None = None
    promise: str = field(default="", compare=False)
    missing: str = field(default="", compare=False)

    def accepts(self, score: float) -> bool:
        return self.threshold is not None and score >= self.threshold

    def explain(self, score: float) -> str:
        """The reason that the decision on an image with this score gives."""
        return "score-reaches-threshold" if self.accepts(score) else "score-below-threshold"


class Policy(Protocol):
    """`name` is the value of the parameter AcceptPolicy. `spends`: only so many rounds of a batch may accept by it, see
    spending.py.
    """

    @property
    def name(self) -> str: ...

    @property
    def spends(self) -> bool: ...

    def fit(self, scored: Sequence[tuple[float, float]], settings: Settings) -> dict[str, Any]:
        """What is kept beside a model: what `of_round` reads, and what people are told.
        `scored` holds (score, quality of the model's label) per image that people labelled.
        """
        ...

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        """The rule of the round with this pin. `fitted` reads what stands beside the model, and is called only where
        the policy needs it.
        """
        ...
