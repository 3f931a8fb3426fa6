"""What a batch may hold and what it may cost, said before anybody is asked or anything is started.

Pure. Money is in US dollars, and estimated: what people take is the parameter PricePerLabel, what machines take is a
rule of thumb that errs upwards.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from labelloop.errors import InvalidInputError

# The functions read a batch whole. An estimate, not a measurement at this size: the report, the largest of them, was
# measured at 9.6 kB and 0.33 ms an image, which is 1.9 GB and 70 s for this many (docs/decisions.md).
MOST_IMAGES = 200_000
DOLLARS_PER_IMAGE_INFERRED = 0.0005
DOLLARS_PER_TRAINING = 2.0


@dataclass(frozen=True)
class Estimate:
    """The most that a batch can cost: images to be labelled by people, answers they give, and dollars."""

    images: int
    sampled: int
    labelled_by_people: int
    answers: int
    people_dollars: float
    machine_dollars: float

    @property
    def dollars(self) -> float:
        return self.people_dollars + self.machine_dollars

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "dollars": round(self.dollars, 2), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        return (
            f"{self.images:,} images: at most {self.labelled_by_people:,} go to people ({self.sampled:,} of them are "
            f"the random sample), who give {self.answers:,} answers for ${self.people_dollars:,.2f}; machines take "
            f"about ${self.machine_dollars:,.2f}; what comes back without a label is asked, and paid, again"
        )


@dataclass(frozen=True)
class Before:
    """What a batch that goes on has behind it: images that people were asked about, answered or not; those that need
    no question any more, because they are labelled or are being asked about; and its rounds.
    """

    asked: int = 0
    settled: int = 0
    rounds: int = 0


NOTHING_BEFORE = Before()


def estimate(
    *,
    images: int,
    sampled: int,
    budget: int,
    rounds: int,
    workers: int,
    price_per_label: float,
    honeypot_rate: float = 0.0,
    verify_score: float = 1.0,
    before: Before = NOTHING_BEFORE,
) -> Estimate:
    """`sampled` images go to people at any rate; every one of `rounds` may ask for `budget` more, each from so many
    workers, who also answer honeypots, and adjust what they rejected where they verify. `rounds` are those to come.
    """
    to_come = max(sampled - before.asked, budget) + budget * (rounds - 1) if rounds > 0 else 0
    asked = before.asked + min(max(0, images - before.settled), to_come)
    answers = (asked * (1 if verify_score >= 1 else 2) + math.ceil(asked * honeypot_rate - 1e-9)) * workers
    ever = before.rounds + rounds
    machines = images * DOLLARS_PER_IMAGE_INFERRED * min(ever, 2) + (DOLLARS_PER_TRAINING * ever if images else 0)
    return Estimate(images, sampled, asked, answers, round(answers * price_per_label, 2), round(machines, 2))


def check_size(images: int, counted_all: bool = True) -> None:
    """Raises InvalidInputError for more images than the functions hold. `counted_all`: False where counting stopped."""
    if images > MOST_IMAGES:
        told = f"{images:,}" if counted_all else f"more than {MOST_IMAGES:,}"
        parts = f"at least {math.ceil(images / MOST_IMAGES)}" if counted_all else "several"
        raise InvalidInputError(
            f"the batch has {told} new images, and one batch holds at most {MOST_IMAGES:,}: upload them under {parts} "
            "prefixes with a marker each, or name a part of them in the marker's list. Nothing was started"
        )


def check_cost(estimated: Estimate, most_dollars: float) -> None:
    """Raises InvalidInputError where the batch may cost more than the stack's owner allows; 0 allows everything."""
    if most_dollars and estimated.dollars > most_dollars:
        raise InvalidInputError(
            f"{estimated.sentence}. That may be ${estimated.dollars:,.2f}, and MaxBatchCost allows "
            f"${most_dollars:,.2f}: lower HumanBudget, MaxRounds, SampleRate or SampleMaximum, upload fewer images, or "
            "raise MaxBatchCost; deploy, then start the batch again with the same input. Nobody was asked, nothing was "
            "started"
        )
