"""Ground Truth jobs: the request, the worker template, and stopping one. Contract: CreateLabelingJob, SageMaker API
reference.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from labelloop import aws, storage
from labelloop.settings import Settings

ANSWER_ATTRIBUTE = "human-boxes"
TEMPLATE = Path(__file__).parent / "worker_ui" / "boxes.liquid.html"
LONGEST_PRIVATE_TASK_SECONDS = 2_592_000


def job_request(
    *, job: str, manifest_uri: str, output_uri: str, template_uri: str, label_categories_uri: str, settings: Settings
) -> dict[str, Any]:
    """The CreateLabelingJob request of one round. A job lives no longer than the state that waits for it."""
    lifetime = max(60, min(settings.labeling_timeout_seconds, LONGEST_PRIVATE_TASK_SECONDS))
    return {
        "LabelingJobName": job,
        "LabelAttributeName": ANSWER_ATTRIBUTE,
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest_uri}}},
        "OutputConfig": {"S3OutputPath": output_uri},
        "RoleArn": settings.labeling_role_arn,
        "LabelCategoryConfigS3Uri": label_categories_uri,
        "HumanTaskConfig": {
            "WorkteamArn": settings.work_team_arn,
            "UiConfig": {"UiTemplateS3Uri": template_uri},
            "PreHumanTaskLambdaArn": settings.pre_annotate_function_arn,
            "TaskTitle": "Draw a box around every " + _plain(" and ".join(settings.classes)[:80]),
            "TaskDescription": "Correct the proposed boxes until every object has one tight box.",
            "TaskKeywords": ["image", "bounding box"],
            "NumberOfHumanWorkersPerDataObject": settings.workers_per_object,
            "TaskTimeLimitInSeconds": settings.task_time_limit_seconds,
            "TaskAvailabilityLifetimeInSeconds": lifetime,
            "MaxConcurrentTaskCount": 1000,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": settings.consolidate_function_arn},
        },
    }


def _plain(text: str) -> str:
    """Without what SageMaker's pattern for titles lacks: control characters and those beyond U+FFFF, such as emoji."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "", text)


def label_categories(classes: tuple[str, ...]) -> dict[str, Any]:
    return {"document-version": "2018-11-28", "labels": [{"label": name} for name in classes]}


def deploy_template() -> str:
    """Puts the worker template under the hash of its content, once; returns its URI."""
    body = TEMPLATE.read_bytes()
    key = f"worker_ui/{hashlib.sha256(body).hexdigest()}.liquid.html"
    storage.create(key, body, "text/html")
    return storage.uri(key)


def stop(job: str) -> None:
    """Asks the job to stop; a job that has ended already is left as it is."""
    try:
        aws.client("sagemaker").stop_labeling_job(LabelingJobName=job)
    except ClientError as error:
        if aws.error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise
