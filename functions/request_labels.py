"""Request Labels: remembers the task token, and puts one labelling job of the round before people."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop import people
from labelloop.contracts.errors import InvalidInputError, LimitReachedError
from labelloop.contracts.layout import Files
from labelloop.people import jobs, supplied
from labelloop.people.jobs import Job
from labelloop.store import ledger, notices, storage
from labelloop.store.observability import count, entry, logger
from labelloop.work import outside


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number = Files(event["batch_id"]), int(event["round"])
    ledger.check_owner(files.batch_id, event["execution"])
    job = jobs.find(files, number, int(event["job"]))
    backend = people.of(job.backend)
    callback = outside.remember("labeling", job.name, event, backend=job.backend)
    if callback is None:
        return {"labeling_job": job.name}
    refusals = (ClientError, LimitReachedError, InvalidInputError)
    outside.start(
        callback,
        lambda: backend.ask(files, number, job),
        lambda: backend.ended(job.name),
        refusals,
        batch=files.batch_id,
    )
    count("LabelingJobRequested")
    _notify(files, number, int(event["job"]), job)
    return {"labeling_job": job.name}


def _notify(files: Files, number: int, index: int, job: Job) -> None:
    images = job.objects + job.honeypots
    told = f"{images} images of batch {files.batch_id}, round {number}, wait for people in labelling job {job.name}."
    notices.tell(
        f"labeling-waits/{job.name}",
        "Labelling waits for you",
        told + (_beforehand(files, number) if index == 1 else ""),
    )
    logger.info("labelling requested", labeling_job=job.name, kind=job.kind, objects=images)


def _beforehand(files: Files, number: int) -> str:
    """What there is to know before the first answer of a round is given, and paid for."""
    estimate, imported = storage.find_json(files.estimate) or {}, storage.find_json(files.imported)
    cost = f"\nEstimate for the whole batch: {estimate['sentence']}." if "sentence" in estimate else ""
    return cost + (f"\n{supplied.sentence(imported)}" if imported and number == 1 else "")
