"""SageMaker Ground Truth as the labelling backend (port.py): the request of a job, the worker template, its end.

Contract: CreateLabelingJob, SageMaker API reference.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts import marks
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError, LimitReachedError
from labelloop.contracts.events import Kinds
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import Settings, settings
from labelloop.people import jobs
from labelloop.people.jobs import Job
from labelloop.store import aws, immutable, settings_documents, storage
from labelloop.store.callbacks import Outcome
from labelloop.tasks import Form

name = "ground-truth"
events: Kinds = {"SageMaker Ground Truth Labeling Job State Change": ("labeling", ("resources", 0))}

TEMPLATES = Path(__file__).parent / "worker_ui"
LONGEST_PRIVATE_TASK_SECONDS = 2_592_000
LONGEST_TITLE = 128
MOST_CATEGORIES = 50  # "Bounding box ... up to 50 label categories" (sms-label-cat-config); key points by analogy
_UNAVAILABLE = re.compile(
    r"new (customers|accounts)|(not|no longer) (available|open|offered|enabled)|not subscribed", re.I
)


def ask(files: Files, number: int, job: Job) -> bool:
    """Names stay taken, and the answer to an earlier execution is as good now: a job that exists is not asked again."""
    knobs = settings()
    _check_ready(knobs)
    settings_documents.note_labeling_job(job.name, files.batch_id, job.manifest_uri)
    form, folder = jobs.form(job.kind, knobs), files.labeling(number)
    categories = storage.write_json(f"{folder}/label-categories-{job.kind}.json", label_categories(form.categories))
    return _create(
        job_request(
            job=job.name,
            form=form,
            manifest_uri=job.manifest_uri,
            output_uri=storage.uri(folder),
            template_uri=deploy_template(form.template),
            label_categories_uri=categories,
            workers=job.workers or knobs.workers_per_object,
            settings=knobs,
        )
    )


def collect(files: Files, number: int, job: Job) -> Iterable[str]:
    """From where Ground Truth writes its output (SageMaker developer guide, sms-data-output)."""
    written = files.output(number, job.name)
    if storage.exists(written):
        return storage.find_text_lines(written)
    if storage.was_written(written):
        raise ChangedObjectError(
            f"{storage.uri(written)}, what people answered, is not there any more. {storage.restoring(written)}"
        )
    return ()


def job_request(
    *,
    job: str,
    form: Form,
    manifest_uri: str,
    output_uri: str,
    template_uri: str,
    label_categories_uri: str,
    workers: int,
    settings: Settings,
) -> dict[str, Any]:
    """The CreateLabelingJob request. A job lives no longer than the state that waits for it."""
    lifetime = max(60, min(settings.labeling_timeout_seconds, LONGEST_PRIVATE_TASK_SECONDS))
    return {
        "LabelingJobName": job,
        "LabelAttributeName": form.attribute,
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest_uri}}},
        "OutputConfig": {"S3OutputPath": output_uri},
        "RoleArn": settings.labeling_role_arn,
        "LabelCategoryConfigS3Uri": label_categories_uri,
        "HumanTaskConfig": {
            "WorkteamArn": settings.work_team_arn,
            "UiConfig": {"UiTemplateS3Uri": template_uri},
            "PreHumanTaskLambdaArn": settings.pre_annotate_function_arn,
            "TaskTitle": _plain(form.title)[:LONGEST_TITLE],
            "TaskDescription": _plain(form.description),
            "TaskKeywords": ["image", form.keyword],
            "NumberOfHumanWorkersPerDataObject": workers,
            "TaskTimeLimitInSeconds": settings.task_time_limit_seconds,
            "TaskAvailabilityLifetimeInSeconds": lifetime,
            "MaxConcurrentTaskCount": 1000,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": settings.consolidate_function_arn},
        },
    }


def _plain(text: str) -> str:
    """Without what SageMaker's pattern for titles lacks: control characters and those beyond U+FFFF, such as emoji."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "", text)


def label_categories(names: tuple[str, ...]) -> dict[str, Any]:
    return {"document-version": "2018-11-28", "labels": [{"label": name} for name in names]}


def unable(settings: Settings) -> str:
    """A job lists its names as categories, and may have only so many."""
    count, parameter = len(settings.label_names), marks.of(settings.task).listed_in.title().replace("_", "")
    if count <= MOST_CATEGORIES:
        return ""
    return (
        f"{parameter} lists {count} names, and a labelling job of Ground Truth takes at most {MOST_CATEGORIES}: people "
        "cannot be asked for them with LabelingBackend=ground-truth. Labels can be imported, and models trained on them"
    )


def _check_ready(settings: Settings) -> None:
    """Raises InvalidInputError, with what to do, where every task of a job would fail: better now than in front of
    people. Ground Truth's page reads the images through CORS (sms-cors-update).
    """
    if refusal := unable(settings):
        raise InvalidInputError(refusal)
    if not settings.work_team_arn:
        raise InvalidInputError(
            "no work team is set: deploy again with WorkTeamArn=<the ARN of your private work team>"
        )
    try:
        rules = aws.client("s3").get_bucket_cors(Bucket=settings.data_bucket)["CORSRules"]
    except ClientError as error:
        if aws.error_code(error) != "NoSuchCORSConfiguration":
            raise
        rules = []
    if not any("GET" in rule.get("AllowedMethods", ()) for rule in rules):
        raise InvalidInputError(
            f"the data bucket {settings.data_bucket} has no CORS rule that allows GET, so people would see no image: "
            "put back the rule that template.yaml gives DataBucket (aws s3api put-bucket-cors), then start the batch "
            "again with the same input"
        )


def _create(request: dict[str, Any]) -> bool:
    """Creates the job. False: it exists, an earlier attempt or execution made it.

    Raises LimitReachedError while the account has too many jobs, and InvalidInputError, with what to do, where the
    account has no Ground Truth.
    """
    try:
        aws.client("sagemaker").create_labeling_job(**request)
    except ClientError as error:
        code, message = aws.error_code(error), aws.error_message(error)
        if code == "ResourceInUse":
            return False
        if code == "ResourceLimitExceeded":
            raise LimitReachedError(f"too many labelling jobs at once: {message}") from error
        if code in ("AccessDeniedException", "ValidationException") and _UNAVAILABLE.search(message):
            raise InvalidInputError(
                f"SageMaker Ground Truth is not available to this account (AWS says: {message}). It is closed to "
                "accounts that did not use it before 2026-07-30. LabelingBackend=ground-truth cannot work here: use "
                "an account that has Ground Truth, or deploy again with another LabelingBackend; nothing is lost, "
                "start the batch again with the same input"
            ) from error
        raise
    return True


def deploy_template(name: str) -> str:
    """Puts a worker template under the hash of its content, once; returns its URI."""
    body = (TEMPLATES / name).read_bytes()
    key = f"worker_ui/{hashlib.sha256(body).hexdigest()}.liquid.html"
    immutable.create(key, body, "text/html")
    return storage.uri(key)


def stop(job: str) -> None:
    """Asks the job to stop; a job that has ended already is left as it is."""
    try:
        aws.client("sagemaker").stop_labeling_job(LabelingJobName=job)
    except ClientError as error:
        if aws.error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise


def ended(job: str) -> Outcome | None:
    """How the job ended; None while it goes on.

    Completed, Stopped and Failed are all answers: what people labelled is kept, the rest is asked again.
    """
    described = aws.client("sagemaker").describe_labeling_job(LabelingJobName=job)
    status = described["LabelingJobStatus"]
    if status not in ("Completed", "Stopped", "Failed"):
        return None
    output_uri = described.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri", "")
    if output_uri and not storage.exists(storage.own_key(output_uri)):
        output_uri = ""
    return Outcome(True, {"status": status, "output_uri": output_uri, "reason": described.get("FailureReason", "")})


def progress(job: str) -> tuple[int, int]:
    counters = aws.client("sagemaker").describe_labeling_job(LabelingJobName=job).get("LabelCounters", {})
    answered = int(counters.get("HumanLabeled", 0))
    return answered, answered + int(counters.get("Unlabeled", 0))


def running(prefix: str) -> list[str]:
    """Ours by their function, not by name: a batch of this stack may be called like a stack that starts the same."""
    listing = aws.client("sagemaker").get_paginator("list_labeling_jobs")
    pages = (
        page
        for status in ("Initializing", "InProgress")
        for page in listing.paginate(NameContains=prefix, StatusEquals=status)
    )
    return [
        job["LabelingJobName"]
        for page in pages
        for job in page["LabelingJobSummaryList"]
        if job.get("PreHumanTaskLambdaArn", "").endswith(f":function:{prefix}-PreAnnotate")
    ]
