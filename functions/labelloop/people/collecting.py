"""Takes in what people answered in a job that ended, once, and keeps it beside the job for whoever needs it later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelloop import people
from labelloop.contracts import marks
from labelloop.contracts.errors import ChangedObjectError, TransientError
from labelloop.contracts.in_image import Size
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import SCHEMA, check_schema
from labelloop.contracts.settings import settings
from labelloop.people import jobs
from labelloop.people.collected import Collected, HumanLabel, collect
from labelloop.people.jobs import Job
from labelloop.store import immutable, storage


def take_in(files: Files, number: int, job: Job, sizes: Mapping[str, Size]) -> Collected:
    """How the job ended and what people answered about the round's own images, which have these sizes; honeypots are
    left out. What was taken in before counts, whatever the service says now.

    Raises TransientError while the job has not ended: an answer of the state may overtake Describe.
    """
    known = immutable.find_lines(files.answers(number, job.name))
    if known is None:
        ended = people.of(job.backend).ended(job.name)
        if ended is None:
            raise TransientError(f"labelling job {job.name} has not ended yet")
        found = _answers(files, number, job, sizes)
        found = replace(found, status=ended.output["status"], reason=ended.output["reason"])
        known = immutable.create_lines(files.answers(number, job.name), _records(job, found))
    return _from_records(job, known)


def of_job(files: Files, number: int, job: Job, sizes: Mapping[str, Size]) -> Collected:
    """What was taken in of the job; no service is asked. Earlier versions noted only how the job ended, and what people
    answered is read again.

    Raises MissingObjectError where nothing was taken in.
    """
    known = immutable.find_lines(files.answers(number, job.name))
    if known is not None:
        return _from_records(job, known)
    noted = immutable.find_json(files.workers(number, job.name))
    if noted is None:
        raise storage.MissingObjectError(
            f"what people answered in labelling job {job.name} was not collected: {files.answers(number, job.name)} is "
            "not there. Start the batch again with the same input; nothing is asked twice"
        )
    answers = _answers(files, number, job, sizes)
    return replace(answers, status=noted["status"], reason=noted["reason"])


def pin_adjustments(files: Files, number: int, index: int) -> None:
    """Called when job `index` was taken in: after the last one that verifies, what people rejected goes into one more
    adjust job, or as many as ObjectsPerJob makes of it. They hold no honeypots: the same people were just measured.
    """
    places = enumerate(jobs.of_round(files, number), start=1)
    verifying = {place: job for place, job in places if job.kind == "verify"}
    if not verifying or index != max(verifying):
        return
    lines = []
    for job in verifying.values():
        rejected = set(of_job(files, number, job, {}).rejected)
        asked = immutable.read_lines(storage.own_key(job.manifest_uri))
        lines += [line for line in asked if line["source-ref"] in rejected]
    for place, part in enumerate(jobs.parts(lines, settings().objects_per_job), start=index + 1):
        jobs.pin(files, number, place, "adjust", part)


def _answers(files: Files, number: int, job: Job, sizes: Mapping[str, Size]) -> Collected:
    """Raises ChangedObjectError where the answers were deleted, because they would be asked for again, or are not those
    that were scored. A job's output carries no hash; what an earlier call read of it does, except version 0.1's.
    """
    knobs = settings()
    found = collect(
        job.name,
        job.kind,
        jobs.form(job.kind, knobs).attribute,
        immutable.read_text_lines(storage.own_key(job.manifest_uri)),
        people.of(job.backend).collect(files, number, job),
        knobs.label_names,
        jobs.honeypots_of(files, number, job.name),
        sizes,
    )
    noted = immutable.find_json(files.workers(number, job.name)) or {}
    if noted.get("answers-sha256", found.digest) != found.digest:
        raise ChangedObjectError(
            f"what people answered in labelling job {job.name} was changed after it was collected. "
            f"{storage.restoring(files.output(number, job.name))}"
        )
    return found


def _records(job: Job, found: Collected) -> Iterator[dict[str, Any]]:
    """The job first, then each image that people labelled, or whose proposal they rejected."""
    yield {
        "job": job.name,
        "status": found.status,
        "reason": found.reason,
        "unusable": found.unusable,
        "unanswered": found.unanswered,
        "refused-answers": found.refused_answers,
        "strange-lines": found.strange_lines,
        "problems": list(found.problems),
        "answers-sha256": found.digest,
        "schema": SCHEMA,
    }
    for ref, label in found.labels.items():
        yield {
            "source-ref": ref,
            "label": _marked(label.annotation),
            "proposed": None if label.proposed is None else _marked(label.proposed),
            "workers": label.workers,
            "agreement": label.agreement,
        }
    for ref in found.rejected:
        yield {"source-ref": ref, "rejected": True}


def _from_records(job: Job, records: Sequence[Mapping[str, Any]]) -> Collected:
    told, images = records[0], records[1:]
    check_schema(told, f"what people answered in labelling job {job.name}")
    return Collected(
        labels={each["source-ref"]: _label(job, each) for each in images if "label" in each},
        rejected=tuple(each["source-ref"] for each in images if each.get("rejected")),
        unusable=told["unusable"],
        unanswered=told["unanswered"],
        refused_answers=told["refused-answers"],
        strange_lines=told["strange-lines"],
        problems=tuple(told["problems"]),
        digest=told["answers-sha256"],
        status=told["status"],
        reason=told["reason"],
    )


def _label(job: Job, record: Mapping[str, Any]) -> HumanLabel:
    ref, shown = record["source-ref"], record["proposed"]
    proposed = None if shown is None else _annotation(ref, job, shown, False)
    label = _annotation(ref, job, record["label"], True)
    return HumanLabel(label, job.name, job.kind, proposed, record["workers"], record["agreement"])


def _marked(label: Annotation) -> dict[str, Any]:
    """Marks and size of a label as they are: a manifest line would lose which numbers are whole, and that a mark has no
    confidence.
    """
    kept = [marks.exact(mark) for mark in label.marks]
    return {"width": label.width, "height": label.height, label.task: kept}


def _annotation(ref: str, job: Job, record: Mapping[str, Any], human: bool) -> Annotation:
    """Nobody asks these labels for a date."""
    width, height = record["width"], record["height"]
    (name,) = record.keys() - {"width", "height"}
    kept = marks.of(name).of_kept(record[name], (width, height))
    return Annotation(ref, None, width, height, kept, human, "", job.name, task=name)
