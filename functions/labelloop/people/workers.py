"""How good each person's work is: the scores of one labelling job's workers, and how far to trust a worker.

A worker is known by id only. Nothing here looks at a model: the yardsticks are the consolidated label and honeypots,
images whose truth is known and which workers cannot tell from others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median
from typing import Any

from labelloop import tasks
from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.marks import Mark
from labelloop.contracts.skeletons import Skeleton
from labelloop.people.answers import Answer, CannotJudge, Choice, Marked, read_answer
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY

PRIOR_HONEYPOTS = 4
LEAST_RELIABILITY = 0.01

# What is known about an image: its marks, or the right verdict.
Label = Sequence[Mark] | str


@dataclass(frozen=True)
class Known:
    """What is known about a honeypot. `untouched`: what is marked on its page as it is shown, None where the page shows
    nothing to correct.
    """

    truth: Label
    untouched: Sequence[Mark] | None = None


@dataclass(frozen=True)
class WorkerScore:
    """One worker in one job.

    `answers` counts all that were submitted, `refused` and `cannot_judge` are among them. Who cannot judge an image
    neither agrees nor disagrees, but misses a honeypot: somebody could label that. `seconds` is the median.
    `agreement` with the consolidated labels is a mean in 0..1, `honeypot_quality` one in -1..1 (`honeypot_quality`
    below); both are None where there was nothing to compare with.
    """

    worker: str
    answers: int
    refused: int
    cannot_judge: int
    seconds: float | None
    agreement: float | None
    honeypots: int
    honeypot_quality: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "worker": self.worker,
            "answers": self.answers,
            "refused": self.refused,
            "cannot-judge": self.cannot_judge,
            "seconds": self.seconds,
            "agreement": self.agreement,
            "honeypots": self.honeypots,
            "honeypot-quality": self.honeypot_quality,
        }


@dataclass(frozen=True)
class History:
    """All honeypots a worker has seen, and the mean quality of the answers to them."""

    honeypots: int = 0
    quality: float = 0.0


def reliability(history: History) -> float:
    """How far to trust a worker, in (0, 1]: the honeypots' mean quality, smoothed with that of a stranger."""
    total = PRIOR_HONEYPOTS * UNKNOWN_RELIABILITY + history.honeypots * history.quality
    return min(max(total / (PRIOR_HONEYPOTS + history.honeypots), LEAST_RELIABILITY), 1.0)


def is_unreliable(history: History, bound: float, minimum: int) -> bool:
    """Whether the mean quality over at least `minimum` honeypots is below `bound`."""
    return history.honeypots >= minimum and history.quality < bound


def score_workers(
    responses: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, Label],
    honeypots: Mapping[str, Known],
    classes: Sequence[str],
    skeleton: Skeleton | None = None,
) -> list[WorkerScore]:
    """The scores of everyone who answered, by worker id.

    `responses`: the worker-response document of each image, {"answers": [{"workerId", "answerContent", ...}]}.
    `labels`, `honeypots`: what consolidation made of an image, and what is known about one; both may lack images.
    Raises InvalidInputError for a document that is none; an answer that consolidation would refuse counts as refused.
    Contract: sms-data-output, worker response.
    """
    given: dict[str, list[_Given]] = defaultdict(list)
    for image, document in responses.items():
        for entry in fields.sequence(document, "answers", f"worker response for {image}"):
            record = fields.mapping(entry, f"worker response for {image}", "answers")
            worker = fields.text(record, "workerId", f"worker response for {image}")
            given[worker].append(_Given(image, read(record, classes, skeleton), _seconds(record)))
    return [_score(worker, given[worker], labels, honeypots, skeleton) for worker in sorted(given)]


def answer_quality(answer: Answer | None, label: Label, skeleton: Skeleton | None = None) -> float:
    """In 0..1: the task's quality of the marks, or a verdict right and wrong.

    0 for an answer that was refused, or is about another task.
    """
    if isinstance(label, str):
        return float(isinstance(answer, Choice) and answer.label == label)
    if not isinstance(answer, Marked):
        return 0.0
    return tasks.of(answer.task).quality(answer.marks, label, skeleton)


def honeypot_quality(answer: Answer | None, known: Known, skeleton: Skeleton | None = None) -> float:
    """How much of the answer is the worker's own: 1 is right, 0 is what one gets without looking, -1 a wrong verdict.

    Without looking one gives the right verdict half of the time, and submits a label as it is shown. So a wrong verdict
    costs what a right one brings, and of a correction counts by how much of the error it makes a label better.
    """
    if isinstance(known.truth, str):
        return 2 * answer_quality(answer, known.truth) - 1 if isinstance(answer, Choice) else 0.0
    quality = answer_quality(answer, known.truth, skeleton)
    if known.untouched is None or not isinstance(answer, Marked):
        return quality
    before = tasks.of(answer.task).quality(known.untouched, known.truth, skeleton)
    return max(quality - before, 0.0) / (1 - before) if before < 1 else quality


@dataclass(frozen=True)
class _Given:
    image: str
    answer: Answer | None
    seconds: float | None


def _score(
    worker: str,
    given: Sequence[_Given],
    labels: Mapping[str, Label],
    honeypots: Mapping[str, Known],
    skeleton: Skeleton | None,
) -> WorkerScore:
    seconds = [item.seconds for item in given if item.seconds is not None]
    judged = [item for item in given if not isinstance(item.answer, CannotJudge)]
    agreements = [answer_quality(each.answer, labels[each.image], skeleton) for each in judged if each.image in labels]
    on_honeypots = [
        honeypot_quality(each.answer, honeypots[each.image], skeleton) for each in given if each.image in honeypots
    ]
    return WorkerScore(
        worker=worker,
        answers=len(given),
        refused=sum(item.answer is None for item in given),
        cannot_judge=len(given) - len(judged),
        seconds=round(median(seconds), 3) if seconds else None,
        agreement=round(fmean(agreements), 4) if agreements else None,
        honeypots=len(on_honeypots),
        honeypot_quality=round(fmean(on_honeypots), 4) if on_honeypots else None,
    )


def read(record: Mapping[str, Any], classes: Sequence[str], skeleton: Skeleton | None) -> Answer | None:
    """The answer in an entry of a worker-response document; None where it is one that does not count."""
    content = record.get("answerContent")
    try:
        return read_answer(content, classes, skeleton) if isinstance(content, str | dict) else None
    except InvalidInputError:
        return None


def _seconds(record: Mapping[str, Any]) -> float | None:
    """What Ground Truth measured; files of 2019 have neither that nor when the task was accepted."""
    try:
        spent = fields.optional_number(record, "timeSpentInSeconds", "worker response", 0)
        if spent is not None:
            return spent
        accepted, submitted = (datetime.fromisoformat(record[name]) for name in ("acceptanceTime", "submissionTime"))
        return max((submitted - accepted).total_seconds(), 0.0)
    except (InvalidInputError, KeyError, TypeError, ValueError):
        return None
