"""The labelling jobs of a round in S3, pinned before they are requested.

A job's manifest and record are written once, so a restart asks for the same images under the same name, and what
people answered then still counts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop import tasks
from labelloop.contracts import naming
from labelloop.contracts.layout import Files
from labelloop.contracts.records import SCHEMA, check_schema
from labelloop.contracts.settings import Settings, settings
from labelloop.engines import training_images
from labelloop.people import honeypots
from labelloop.people.honeypots import Honeypot
from labelloop.store import datasets, immutable, storage
from labelloop.tasks import Form

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """`objects` counts the round's own images, `honeypots` those that come on top. `workers` answer about each; 0: as
    many as WorkersPerObject says.
    """

    name: str
    kind: str
    manifest_uri: str
    objects: int
    honeypots: int
    backend: str = "ground-truth"  # what asks people; version 0.1 knew no other
    workers: int = 0


@dataclass(frozen=True)
class _Part:
    """The round's own images of one job to be."""

    name: str
    kind: str
    lines: Sequence[Line]
    workers: int = 0


def form(kind: str, settings: Settings) -> Form:
    """What a job of this kind (annotate, adjust or verify) asks people for; what is marked is the task's."""
    names = settings.label_names
    return tasks.of(settings.task).form(kind, names, naming.listed(names))


def plan(files: Files, number: int, lines: Mapping[str, Sequence[Line]], model: str) -> int:
    """Pins the round's jobs for these input lines by kind, honeypots mixed in; returns how many there are.

    What two people label goes into jobs of its own, because how many do is told per job. Those that verify come last:
    what people reject there is adjusted after them. `model` names who proposed the boxes.
    """
    knobs = settings()
    most = honeypots.most_objects(knobs.objects_per_job, knobs.honeypot_rate)
    cut = [
        (kind, some, workers)
        for kind in naming.JOB_KINDS
        for workers, seated in seats(lines.get(kind, ()), kind, knobs)
        for some in parts(seated, most)
    ]
    planned = [_Part(_name(files, number, index, each[0]), *each) for index, each in enumerate(cut, start=1)]
    pots = _honeypots(files, number, planned, model)
    for index, part in enumerate(planned, start=1):
        own = [pot.line for pot in pots if pot.job == part.name]
        mixed = honeypots.mixed(part.lines, own, knobs.seed, part.name)
        pin(files, number, index, part.kind, mixed, len(own), part.workers)
    return len(planned)


def _honeypots(files: Files, number: int, planned: Sequence[_Part], model: str) -> list[Honeypot]:
    """The round's honeypots, pinned before the jobs that they are mixed into."""
    knobs = settings()
    if not knobs.honeypot_rate or not planned:
        return []
    taken = {line["source-ref"] for part in planned for line in part.lines}
    evidence = [line for _, line in datasets.evidence(datasets.current().lines)]
    known = honeypots.candidates(evidence, knobs.task, taken)
    counts = [honeypots.share(len(part.lines), knobs.honeypot_rate) for part in planned]
    salt = f"{files.batch_id}/{number}"
    # Only as many as are needed are looked up: a judge image that was overwritten since has another truth by now.
    candidates = honeypots.in_order(known, knobs.seed, salt)
    same = (each for each in candidates if training_images.as_labelled(each.source_ref, each.provenance))
    shown = honeypots.chosen(list(itertools.islice(same, sum(counts))), counts, knobs.seed, salt)
    made = [
        honeypots.make(part.name, part.kind, images, knobs.label_names, model, knobs.seed)
        for part, images in zip(planned, shown, strict=True)
    ]
    stored = immutable.create_lines(files.honeypots(number), [pot.to_json() for pots in made for pot in pots])
    return [Honeypot.from_json(record) for record in stored]


def honeypots_of(files: Files, number: int, job: str) -> dict[str, Honeypot]:
    """source-ref -> honeypot of a job."""
    records = immutable.find_lines(files.honeypots(number)) or ()
    return {pot.source_ref: pot for pot in map(Honeypot.from_json, records) if pot.job == job}


def seats(lines: Sequence[Line], kind: str, settings: Settings) -> list[tuple[int, Sequence[Line]]]:
    """(workers, lines): those that the usual number of people answer, and the share DoubleLabelRate of them that two do
    where one is usual. Which ones goes by a hash of seed and key. Verdicts are not doubled: two of them do not tell how
    far two drawings agree.
    """
    if settings.workers_per_object > 1 or kind == "verify":
        return [(0, lines)]
    order = sorted(
        lines, key=lambda line: naming.digest("double", settings.seed, storage.own_key(line["source-ref"]), length=32)
    )
    doubled = {line["source-ref"] for line in order[: math.ceil(settings.double_label_rate * len(order) - 1e-9)]}
    once, twice = ([line for line in lines if (line["source-ref"] in doubled) == both] for both in (False, True))
    return [(0, once), (2, twice)]


def parts(lines: Sequence[Line], most: int) -> list[Sequence[Line]]:
    """The lines in their order, cut into as few jobs of at most `most` objects as hold them, of about equal size."""
    count = -(-len(lines) // most)
    return [lines[len(lines) * part // count : len(lines) * (part + 1) // count] for part in range(count)]


def pin(
    files: Files, number: int, index: int, kind: str, lines: Sequence[Line], pots: int = 0, workers: int = 0
) -> Job:
    """The `index`th job of the round with these input lines, `pots` of them honeypots; or what was pinned before."""
    name = _name(files, number, index, kind)
    manifest = files.job_manifest(number, name)
    stored = immutable.create_lines(manifest, lines)
    record = {
        "job": name,
        "kind": kind,
        "manifest_uri": storage.uri(manifest),
        "objects": len(stored) - pots,
        "honeypots": pots,
        "backend": settings().labeling_backend,
        **({"workers": workers} if workers else {}),
        "schema": SCHEMA,
    }
    return _from_json(immutable.create_json(files.job(number, index), record))


def find(files: Files, number: int, index: int) -> Job:
    return _from_json(immutable.read_json(files.job(number, index)))


def of_round(files: Files, number: int) -> list[Job]:
    """The round's jobs in their order; none where nobody is asked. A job whose record was deleted is not left out:
    what people answered in it would be asked again.
    """
    prefix = files.jobs(number)
    indices = sorted(int(key.removeprefix(prefix).removesuffix(".json")) for key in storage.keys_ever(prefix))
    return [find(files, number, index) for index in indices]


def _name(files: Files, number: int, index: int, kind: str) -> str:
    return naming.labeling_job(settings().resource_prefix, files.batch_id, number, kind, index)


def _from_json(record: Mapping[str, Any]) -> Job:
    check_schema(record, f"labelling job {record['job']}")
    fields = ("kind", "manifest_uri", "objects", "honeypots", "backend", "workers")
    return Job(record["job"], **{name: record[name] for name in fields if name in record})
