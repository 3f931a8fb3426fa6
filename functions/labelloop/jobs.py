"""The labelling jobs of a round in S3: pinned before they are requested, read when they have ended.

A job's manifest and record are written once, so a restart asks for the same images under the same name, and what
people answered then still counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop import labeling, naming, outcomes, storage
from labelloop.batches import Files
from labelloop.callbacks import Outcome
from labelloop.collected import Collected, collect
from labelloop.errors import TransientError
from labelloop.settings import settings

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """`objects` counts the round's own images, `honeypots` those that come on top."""

    name: str
    kind: str
    manifest_uri: str
    objects: int
    honeypots: int


def parts(lines: Sequence[Line], most: int) -> list[Sequence[Line]]:
    """The lines in their order, cut into as few jobs of at most `most` objects as hold them, of about equal size."""
    count = -(-len(lines) // most)
    return [lines[len(lines) * part // count : len(lines) * (part + 1) // count] for part in range(count)]


def pin(files: Files, number: int, index: int, kind: str, lines: Sequence[Line], honeypots: int = 0) -> Job:
    """The `index`th job of the round with these input lines, `honeypots` of them included; or what was pinned there
    before.
    """
    name = naming.labeling_job(settings().resource_prefix, files.batch_id, number, kind, index)
    manifest = files.job_manifest(number, name)
    storage.create_lines(manifest, lines)
    record = {
        "job": name,
        "kind": kind,
        "manifest_uri": storage.uri(manifest),
        "objects": len(lines) - honeypots,
        "honeypots": honeypots,
    }
    return _from_json(storage.create_json(files.job(number, index), record))


def find(files: Files, number: int, index: int) -> Job:
    return _from_json(storage.read_json(files.job(number, index)))


def of_round(files: Files, number: int) -> list[Job]:
    """The round's jobs in their order; none where nobody is asked."""
    prefix = files.jobs(number)
    indices = sorted(int(key.removeprefix(prefix).removesuffix(".json")) for key in storage.keys(prefix))
    return [find(files, number, index) for index in indices]


def outcome(job: Job) -> Outcome:
    """How the job ended. Raises TransientError while it has not: an answer of the state may overtake Describe."""
    found = outcomes.labeling(job.name)
    if found is None:
        raise TransientError(f"labelling job {job.name} has not ended yet")
    return found


def answers(job: Job, ended: Outcome) -> Collected:
    """What people answered about the round's own images."""
    knobs = settings()
    output_uri = ended.output["output_uri"]
    return collect(
        job.name,
        job.kind,
        labeling.form(job.kind, knobs).attribute,
        storage.find_text_lines(storage.own_key(job.manifest_uri)),
        storage.find_text_lines(storage.own_key(output_uri)) if output_uri else (),
        knobs.label_names,
    )


def _from_json(record: Mapping[str, Any]) -> Job:
    return Job(record["job"], record["kind"], record["manifest_uri"], record["objects"], record["honeypots"])
