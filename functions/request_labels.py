"""Request Labels: remembers the task token, deploys the worker template, and creates one labelling job of the round."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop.contracts.errors import InvalidInputError, LimitReachedError
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.people import jobs, labeling, supplied
from labelloop.people.jobs import Job
from labelloop.store import ledger, notices, settings_documents, storage
from labelloop.store.observability import count, entry, logger
from labelloop.work import outside


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number = Files(event["batch_id"]), int(event["round"])
    ledger.check_owner(files.batch_id, event["execution"])
    job = jobs.find(files, number, int(event["job"]))
    callback = outside.remember("labeling", job.name, event)
    if callback is None:
        return {"labeling_job": job.name}
    refusals = (ClientError, LimitReachedError, InvalidInputError)
    outside.start(
        callback,
        lambda: _create(files, number, job),
        lambda: labeling.ended(job.name),
        refusals,
        batch=files.batch_id,
    )
    count("LabelingJobRequested")
    _notify(files, number, int(event["job"]), job)
    return {"labeling_job": job.name}


def _create(files: Files, number: int, job: Job) -> bool:
    """False: the job exists. Names stay taken, and the answer to an earlier execution is as good now."""
    labeling.check_ready(settings())
    settings_documents.note_labeling_job(job.name, files.batch_id, job.manifest_uri)
    return labeling.create(_request(files, number, job))


def _request(files: Files, number: int, job: Job) -> dict[str, Any]:
    form = labeling.form(job.kind, settings())
    folder = files.labeling(number)
    categories = storage.write_json(
        f"{folder}/label-categories-{job.kind}.json", labeling.label_categories(form.categories)
    )
    return labeling.job_request(
        job=job.name,
        form=form,
        manifest_uri=job.manifest_uri,
        output_uri=storage.uri(folder),
        template_uri=labeling.deploy_template(form.template),
        label_categories_uri=categories,
        settings=settings(),
    )


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
