"""Stop Training: stops a training job that ran out of time."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop.store import aws, callbacks
from labelloop.store.callbacks import Outcome
from labelloop.store.observability import entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = event["job"]
    try:
        aws.client("sagemaker").stop_training_job(TrainingJobName=job)
    except ClientError as error:
        if aws.error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise
    callback = callbacks.find("training", job)
    if callback is not None:
        callbacks.answer(
            callback,
            Outcome(False, error="TrainingJobFailed", cause=f"training job {job} ran out of time and was stopped"),
        )
    return {"training_job": job}
