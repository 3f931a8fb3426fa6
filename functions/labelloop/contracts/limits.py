"""What a batch may hold and what it may cost, said before anybody is asked or anything is started.

Pure. Money is in US dollars, and estimated: what people take is the parameter PricePerLabel, what machines take is a
rule of thumb that errs upwards.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from labelloop.contracts.errors import InvalidInputError

# The functions read a batch whole. `make bench NAME=batch_size` (G2.7) measured on 2026-11-26 what an image takes of
# them at worst, with 80 classes and 8 boxes an image: handler -> (bytes, milliseconds). Extrapolated from 40,000
# images, 176,000 fit into nine tenths of 3,008 MB, which is what new accounts get, and of 900 s; the report has least
# room. Memory and CPU were measured, how long S3 takes is assumed.
MOST_IMAGES = 150_000
PER_IMAGE = {
    "register_batch": (6_900, 2.6),
    "begin_round": (5_700, 3.6),
    "find_missing_predictions": (800, 1.7),
    "judge_batch": (12_400, 3.9),
    "collect_labels": (28_500, 8.8),  # of one job
    "import_labels": (9_900, 3.8),
    "merge_annotations": (9_600, 4.4),
    "report_batch": (14_900, 4.6),
    "plan_training": (5_400, 0.3),  # of the dataset
    "assemble_dataset": (5_400, 0.3),  # of the dataset
}
# Labels of people are merged at 9.2 ms each: the role of each is a row of its own.
MOST_LABELS_IMPORTED = 88_000
# The dataset of all batches lies in memory beside the batch: where it is merged, where honeypots are drawn from it, and
# where images are found that people labelled before.
BYTES_PER_IMAGE_IN_DATASET = 5_500
USABLE_BYTES = 2_750_000_000
# A function reads up to three objects of each shard, one after the other, at up to 0.1 s each.
MOST_SHARDS = 1_500
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
            f"about ${self.machine_dollars:,.2f}; images that come back without a label are "
            "asked about, and paid for, again"
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
    audit_rate: float = 0.0,
    audit_minimum: int = 0,
    double_label_rate: float = 0.0,
    before: Before = NOTHING_BEFORE,
) -> Estimate:
    """`sampled` images go to people at any rate; every one of `rounds` may ask for `budget` more, each from so many
    workers, who also answer honeypots, look at accepted labels of the other images, and adjust what they rejected where
    they verify; some images are labelled twice where one worker is usual. `rounds` are those to come. Images with the
    bytes of others count as any, which errs upwards: their bytes are known after inspection only.
    """
    to_come = max(sampled - before.asked, budget) + budget * (rounds - 1) if rounds > 0 else 0
    asked = before.asked + min(max(0, images - before.settled), to_come)
    left = max(0, images - before.settled - asked + before.asked)
    share = _rounded_up(left * audit_rate) + (max(rounds - 1, 0) if audit_rate else 0)  # each round rounds it up
    shown = asked + min(left, max(share, audit_minimum))
    doubled = _rounded_up(shown * double_label_rate) if workers == 1 else 0
    answers = (shown * (1 if verify_score >= 1 else 2) + _rounded_up(shown * honeypot_rate)) * workers + doubled
    ever = before.rounds + rounds
    machines = images * DOLLARS_PER_IMAGE_INFERRED * min(ever, 2) + (DOLLARS_PER_TRAINING * ever if images else 0)
    return Estimate(images, sampled, asked, answers, round(answers * price_per_label, 2), round(machines, 2))


def _rounded_up(number: float) -> int:
    return math.ceil(number - 1e-9)


def most_images(in_dataset: int) -> int:
    """The largest batch that a stack takes whose dataset holds so many images already."""
    left = USABLE_BYTES - in_dataset * BYTES_PER_IMAGE_IN_DATASET
    return max(0, min(MOST_IMAGES, left // PER_IMAGE["judge_batch"][0]))


def check_room(images: int, in_dataset: int, shard_size: int) -> None:
    """Raises InvalidInputError where a batch that is not too large in itself is so for this stack."""
    if (most := most_images(in_dataset)) < images:
        raise InvalidInputError(
            f"the batch has {images:,} new images, and beside the {in_dataset:,} that the stack's dataset holds one "
            f"batch holds at most {most:,}: name at most that many in the marker's list, and label the others with "
            "another stack. Nothing was started"
        )
    if images > MOST_SHARDS * shard_size:
        raise InvalidInputError(
            f"the batch has {images:,} new images, and with a ShardSize of {shard_size} one batch holds at most "
            f"{MOST_SHARDS * shard_size:,}: raise ShardSize to {math.ceil(images / MOST_SHARDS)} or more in "
            "AdvancedSettings and deploy, then start the batch again with the same input. Nothing was started"
        )


def check_size(images: int, counted_all: bool = True) -> None:
    """Raises InvalidInputError for more images than the functions hold. `counted_all`: False where counting stopped."""
    if images > MOST_IMAGES:
        told = f"{images:,}" if counted_all else f"more than {MOST_IMAGES:,}"
        parts = f"at least {math.ceil(images / MOST_IMAGES)}" if counted_all else "several"
        raise InvalidInputError(
            f"the batch has {told} new images, and one batch holds at most {MOST_IMAGES:,}: upload them under {parts} "
            "prefixes with a marker each, or name a part of them in the marker's list. Nothing was started"
        )


def check_labels(labels: int) -> None:
    """Raises InvalidInputError for more supplied labels than can be merged in time."""
    if labels > MOST_LABELS_IMPORTED:
        raise InvalidInputError(
            f"it has {labels:,} labels, and one batch takes at most {MOST_LABELS_IMPORTED:,}: name a part of the "
            "images in the marker's list, with the labels of those, and the others in another marker"
        )


def check_cost(estimated: Estimate, most_dollars: float) -> None:
    """Raises InvalidInputError where the batch may cost more than the stack's owner allows; 0 allows everything."""
    if most_dollars and estimated.dollars > most_dollars:
        raise InvalidInputError(
            f"{estimated.sentence}. That may be ${estimated.dollars:,.2f}, and MaxBatchCost allows "
            f"${most_dollars:,.2f}: lower HumanBudget, MaxRounds, SampleRate or (in AdvancedSettings) SampleMaximum, "
            "upload fewer images, or raise MaxBatchCost; deploy, then start the batch again with the same input. "
            "Nobody was asked, nothing was started"
        )
