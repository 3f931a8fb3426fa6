"""What the batch would have cost on AWS, against people labelling all of it. Prices and their sources: prices.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.json")
SECONDS_PER_HOUR, MINUTES_PER_HOUR = 3600, 60


@dataclass(frozen=True)
class Prices:
    """US dollars, seconds, minutes; what each is, prices.json says."""

    human_object: float
    human_worker: float
    human_verdict: float
    machine_image: float
    gpu_hour: float
    inference_images_per_second: float
    inference_idle_seconds: float
    training_minutes: float


@dataclass(frozen=True)
class Work:
    """What was done. `labelled` images have a label that was made for them, `drawn` were drawn or corrected by people,
    `twice` of those by two where one is usual; `verdicts` were given on proposed labels, audits among them. `inferred`
    counts images seen by a model over all rounds, `inference_rounds` the wake-ups.
    """

    labelled: int
    drawn: int
    twice: int
    verdicts: int
    auto: int
    workers: int
    inferred: int
    inference_rounds: int
    trainings: int


@dataclass(frozen=True)
class Cost:
    """US dollars. `parts`: (what, how it was counted, amount); their sum is `total`."""

    parts: tuple[tuple[str, str, float], ...]
    all_human: float

    @property
    def total(self) -> float:
        return sum(amount for _, _, amount in self.parts)

    @property
    def saving(self) -> float:
        """Share of the all-human cost that is not spent; negative where the loop cost more."""
        return 1 - self.total / self.all_human if self.all_human else 0.0


def read_prices(path: Path = PRICES) -> Prices:
    document: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    return Prices(**{name: float(document[name]["value"]) for name in Prices.__dataclass_fields__})


def price(work: Work, prices: Prices) -> Cost:
    """All-human is the same images, each drawn by as many workers; rejected files cost nothing. A second opinion costs
    its worker; Ground Truth's fee is for the object.
    """
    per_image = prices.human_object + work.workers * prices.human_worker
    per_verdict = prices.human_object + work.workers * prices.human_verdict
    hours = (
        work.inferred / prices.inference_images_per_second + work.inference_rounds * prices.inference_idle_seconds
    ) / SECONDS_PER_HOUR
    trained = work.trainings * prices.training_minutes / MINUTES_PER_HOUR
    fee, workers = f"${prices.human_object:.3f}", work.workers
    parts = (
        ("people", f"{work.drawn} images × ({fee} + {workers} × ${prices.human_worker:.3f})", work.drawn * per_image),
        (
            "second opinions",
            f"{work.twice} images × ${prices.human_worker:.3f}",
            work.twice * prices.human_worker,
        ),
        (
            "verdicts and audits",
            f"{work.verdicts} images × ({fee} + {workers} × ${prices.human_verdict:.3f})",
            work.verdicts * per_verdict,
        ),
        ("machine labels", f"{work.auto} images × ${prices.machine_image:.3f}", work.auto * prices.machine_image),
        ("inference", f"{hours:.2f} GPU hours × ${prices.gpu_hour:.2f}", hours * prices.gpu_hour),
        ("training", f"{trained:.2f} GPU hours × ${prices.gpu_hour:.2f}", trained * prices.gpu_hour),
    )
    return Cost(parts, work.labelled * per_image)
