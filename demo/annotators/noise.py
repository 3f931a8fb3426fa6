"""Who the simulated annotators are and how wrong they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

ADVERSARIAL, CARELESS = PROFILES = ("adversarial", "careless")
MOST_WORKERS = 9  # that Ground Truth asks about one object


@dataclass(frozen=True)
class Noise:
    """How wrong the annotators are.

    jitter_px: standard deviation of each box edge and of each coordinate of a key point.
    miss_rate: probability that a box or key point is overlooked, and that one of several people is.
    phantom_rate: probability that an image gets one box too many, and that a key point outside the view is placed.
    wrong_class_rate: probability that a box gets another class (needs two classes).
    wrong_visibility_rate: probability that a visible key point is called occluded or the other way round.
    swap_rate: probability that all left and right key points of a person are exchanged.
    accept_quality: quality of the label (that of the task) from which a proposal is accepted.
    seed: changes every answer of every worker.
    workers: number of a worker in `worker_names`, as text -> "adversarial" (random marks, the wrong verdict) or
    "careless" (submits what the page shows, accepts everything). Everybody else errs as above.
    """

    jitter_px: float = 0.0
    miss_rate: float = 0.0
    phantom_rate: float = 0.0
    wrong_class_rate: float = 0.0
    seed: int = 0
    wrong_visibility_rate: float = 0.0
    swap_rate: float = 0.0
    accept_quality: float = 0.8
    workers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = (
            "miss_rate",
            "phantom_rate",
            "wrong_class_rate",
            "wrong_visibility_rate",
            "swap_rate",
            "accept_quality",
        )
        for name in shares:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share between 0 and 1, not {getattr(self, name)}")
        if not 0.0 <= self.jitter_px < float("inf"):
            raise ValueError(f"jitter_px is a number of pixels >= 0, not {self.jitter_px}")
        if not isinstance(self.workers, Mapping):
            raise ValueError(f'workers is an object like {{"2": "{ADVERSARIAL}"}}, not {self.workers!r}')
        for number, profile in self.workers.items():
            if number not in map(str, range(MOST_WORKERS)) or profile not in PROFILES:
                raise ValueError(
                    f"workers maps a number from 0 to {MOST_WORKERS - 1} to one of {', '.join(PROFILES)}, "
                    f"not {number!r} to {profile!r}"
                )

    def profile_of(self, worker: str) -> str | None:
        """None for a worker who tries."""
        names = worker_names(MOST_WORKERS)
        return self.workers.get(str(names.index(worker))) if self.workers and worker in names else None


def worker_names(count: int) -> list[str]:
    """Ids of private workers as Ground Truth writes them: `private.<region>.<26 characters>`; always the same."""
    return [
        f"private.us-east-1.{hashlib.sha256(f'annotator {n}'.encode()).hexdigest()[:26].upper()}" for n in range(count)
    ]


def parse_noise(document: Any) -> Noise:
    known = {item.name for item in fields(Noise)}
    if not isinstance(document, dict) or not set(document) <= known:
        raise ValueError(f"annotator settings are an object with some of {sorted(known)}")
    return Noise(**document)
