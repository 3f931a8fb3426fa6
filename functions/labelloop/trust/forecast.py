"""What may be expected of a batch before people are asked, and whether training twice in it can pay. Pure.

A forecast is no promise: the measured sets differ more from one another than any formula can tell beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Below, a second model of a batch came too late for what was left to accept (docs/decisions.md, 2026-11-27).
WORTH_A_SECOND = 400
ALWAYS, NEVER, WHEN_IT_PAYS = "always", "never", "when-it-pays"
# Of the images that nobody was asked about, the share that a first model's labels stood for, on seven sets of
# photographs: with about 50 judge images, and with at least 100.
SHARE_OF_A_FIRST_MODEL = (0.15, 0.60)
SHARE_WITH_MANY_JUDGES, MANY_JUDGES = (0.40, 0.90), 100


@dataclass(frozen=True)
class Forecast:
    """`low` and `high` bound how many images the model may label; dollars are for the whole batch, people and machines,
    where it labels as many and as few.
    """

    images: int
    low: int
    high: int
    dollars_low: float
    dollars_high: float
    dollars_without: float

    def to_json(self) -> dict[str, Any]:
        costs = {"dollars": [self.dollars_low, self.dollars_high], "dollars_without": self.dollars_without}
        return {"auto": [self.low, self.high], **costs, "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        if not self.high:
            return "forecast: people label all images, because the sample leaves none to accept, or too few that judge"
        share = f"{self.low / self.images:.0%} to {self.high / self.images:.0%}"
        told = f"forecast, no promise: the model labels about {self.low:,} to {self.high:,} of the images ({share})"
        if not self.dollars_without:
            return told
        return (
            f"{told}; all in all about ${self.dollars_low:,.2f} to ${self.dollars_high:,.2f} with it, "
            f"${self.dollars_without:,.2f} without"
        )


def forecast(
    *,
    images: int,
    sampled: int,
    judges: int,
    wanted: int,
    champion: Mapping[str, Any] | None,
    target: float,
    answers: int,
    price_per_label: float,
    machine_dollars: float,
    audit_rate: float,
    audit_minimum: int,
) -> Forecast:
    """`judges` images judge before the batch, `wanted` must before anything is accepted. `champion`: what was fitted to
    the serving model, if there is one. Each label of people is `answers` answers at that price.
    """
    judging = max(judges, min(judges + sampled, max(wanted, (2 * judges + sampled) // 2)))
    shares = _shares(judging, wanted, champion, target)
    low, high = (math.floor((images - sampled) * share + 1e-9) for share in shares)
    each = answers * price_per_label

    def dollars(accepted: int) -> float:
        audited = min(accepted, max(audit_minimum, math.ceil(accepted * audit_rate - 1e-9)))
        return round((images - accepted + audited) * each + machine_dollars, 2)

    return Forecast(images, low, high, dollars(high), dollars(low), round(images * each, 2))


def accepting_rounds(images: int, second_training: str) -> int:
    """How many rounds of a batch of this size may accept labels: 1 where no second model comes."""
    return 1 if second_training == NEVER or (second_training == WHEN_IT_PAYS and images < WORTH_A_SECOND) else 2


def why_no_second_training(images: int, second_training: str, *, trained: bool, accepted: int) -> str:
    """Why the batch trains no other model, as a sentence; empty where it may. `trained`: it has trained one, which then
    `accepted` so many of its images. One that accepted none is followed by another: what comes needs a better one.
    """
    if not trained or second_training == ALWAYS:
        return ""
    if second_training == NEVER:
        return "no second model was trained in this batch, because SecondTraining is never"
    if images >= WORTH_A_SECOND or not accepted:
        return ""
    return (
        f"no second model was trained in this batch: with {images:,} images, fewer than {WORTH_A_SECOND}, it would "
        "come too late to save more than it costs. The new labels train the next batch's model"
    )


def _shares(judging: int, wanted: int, champion: Mapping[str, Any] | None, target: float) -> tuple[float, float]:
    if judging < wanted:
        return 0.0, 0.0
    usual = SHARE_WITH_MANY_JUDGES if judging >= MANY_JUDGES else SHARE_OF_A_FIRST_MODEL
    curve = (champion or {}).get("attainable")
    if not curve:
        return usual
    share = max((float(share) for reached, share in curve if reached >= target), default=0.0)
    if not share:
        return 0.0, usual[1]  # until a better model comes
    spread = 2 * math.sqrt(share * (1 - share) / judging)
    return max(0.0, share - spread), min(1.0, share + spread)
