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
    machine_image: float
    gpu_hour: float
    inference_images_per_second: float
    inference_idle_seconds: float
    training_minutes: float


@dataclass(frozen=True)
class Work:
    """What was done. `inferred` counts images seen by a model over all rounds, `inference_rounds` the wake-ups."""

    human: int
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
    """All-human is the same labelled images (auto and human), each by as many workers; rejected files cost nothing."""
    per_image = prices.human_object + work.workers * prices.human_worker
    hours = (
        work.inferred / prices.inference_images_per_second + work.inference_rounds * prices.inference_idle_seconds
    ) / SECONDS_PER_HOUR
    trained = work.trainings * prices.training_minutes / MINUTES_PER_HOUR
    each = f"${prices.human_object:.3f} + {work.workers} × ${prices.human_worker:.3f}"
    parts = (
        ("people", f"{work.human} images × ({each})", work.human * per_image),
        ("machine labels", f"{work.auto} images × ${prices.machine_image:.3f}", work.auto * prices.machine_image),
        ("inference", f"{hours:.2f} GPU hours × ${prices.gpu_hour:.2f}", hours * prices.gpu_hour),
        ("training", f"{trained:.2f} GPU hours × ${prices.gpu_hour:.2f}", trained * prices.gpu_hour),
    )
    return Cost(parts, (work.human + work.auto) * per_image)
