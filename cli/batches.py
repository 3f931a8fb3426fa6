"""How a batch stands, read from the files that it has written and from the ledger."""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labelloop.batch import batches
from labelloop.contracts import events, naming
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.store import callbacks, immutable, ledger, storage
from labelloop.store.callbacks import Callback
from labelloop.store.storage import MissingObjectError
from labelloop.work import outside

OUTCOMES = ("human", "auto", "rejected", "deferred")


@dataclass(frozen=True)
class Job:
    """A labelling job that waits for people: how many of its images they have answered."""

    name: str
    batch: str
    answered: int
    images: int
    since: int


@dataclass(frozen=True)
class Progress:
    """`status`: running | finished | failed | superseded, or ended: its execution was aborted or timed out.
    `round` is 0 before the first; `model` is empty where it works without one. `counts`: images per outcome so far.
    """

    batch: str
    execution: str
    status: str
    cause: str = ""
    round: int = 0
    model: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    trouble: str = ""

    @property
    def images(self) -> int:
        return sum(self.counts.values())


def look(batch_id: str) -> Progress:
    """Raises InvalidInputError for a batch that was never registered."""
    row = ledger.batch(batch_id)
    status, execution = str(row["status"]), str(row["owner"])
    if status == "running" and not ledger.is_alive(execution, int(row.get("since", 0))):
        status = "ended"
    cause = "" if status in ("running", "finished") else str(row.get("cause") or row.get("successor") or "")
    number = _round(batch_id)
    pinned = immutable.find_json(Files(batch_id).round(number)) or {} if number else {}
    counts, trouble = _counted(batch_id)
    return Progress(batch_id, execution, status, cause, number, str(pinned.get("model", "")), counts, trouble)


def waiting() -> list[Job]:
    """Every labelling job that people have not finished, oldest first."""
    rows = [row for row in callbacks.open_callbacks() if row.kind == "labeling" and row.started]
    return [_job(row) for row in rows]


def _job(row: Callback) -> Job:
    answered, images = outside.backend(row).progress(row.external_id)
    return Job(row.external_id, str(row.details.get("batch", "")), answered, images, row.created)


def named(told: dict[str, Any], *place: str) -> str:
    """What an execution's input or output names there; empty where it names nothing: anybody may start an execution."""
    try:
        return events.named(told, *place)
    except InvalidInputError:
        return ""


def of_execution(told: dict[str, Any], bucket: str, key: str) -> str:
    """The batch that an execution of Label Batch worked on, or works on; empty where it owns none. `told`: its output.
    `key` is that of its marker.
    """
    if known := named(told["output"], "batch", "id"):
        return known
    return next((batch for batch in _of_prefix(bucket, key) if ledger.owner_of(batch) == told["arn"]), "")


def _of_prefix(bucket: str, key: str) -> list[str]:
    """Batches of a marker's prefix, the newest first."""
    prefix = key.removesuffix(naming.READY)
    return [
        naming.batch_id(bucket, prefix, number) for number in sorted(ledger.batches_of(bucket, prefix), reverse=True)
    ]


def _round(batch_id: str) -> int:
    folder = f"{Files(batch_id).root}/rounds/"
    names = (key.removeprefix(folder).removesuffix(".json") for key in storage.keys(folder))
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _counted(batch_id: str) -> tuple[dict[str, int], str]:
    """Images per outcome, counted anew only when a step has written something; and why they cannot be counted."""
    root = Files(batch_id).root
    folders = ("inspected", "decisions", "annotations")
    written = tuple(key for folder in folders for key in storage.keys(f"{root}/{folder}/"))
    try:
        return (_counts(batch_id, written) if storage.exists(Files(batch_id).inventory) else {}), ""
    except (MissingObjectError, ChangedObjectError, InvalidInputError) as error:
        return {}, str(error)


@lru_cache(maxsize=16)
def _counts(batch_id: str, written: tuple[str, ...]) -> dict[str, int]:
    last = max(batches.decided_rounds(batch_id), default=0)
    everything = batches.images(batch_id, last)
    found = Counter(batches.outcomes(batch_id, everything, last).values())
    return {outcome: found[outcome] for outcome in OUTCOMES}
