"""Asks the truth about outside work: the object in S3, or Describe. Events are hints; callbacks and the reconciler
both ask here.

Each function returns None while the work is going on.
"""

from botocore.exceptions import ClientError

from labelloop import aws, storage
from labelloop.callbacks import Callback, Outcome

MOST_REASON_BYTES = 8_000


def of(callback: Callback) -> Outcome | None:
    match callback.kind:
        case "inference":
            return inference(callback)
        case "labeling":
            return labeling(callback.external_id)
        case "training":
            return training(callback.external_id)
        case "deployment":
            return deployment(callback.external_id)
    raise ValueError(f"unknown kind of callback: {callback.id}")


def inference(callback: Callback) -> Outcome | None:
    """The objects in S3 are the truth: an output is success, a failure object is failure, whatever a notice says.

    Both count only where the request put them: where SageMaker said they would be, and until that is noted where the
    request asked for the output.
    """
    output_uri = str(callback.details.get("output_uri") or callback.details.get("expected_uri", ""))
    if output_uri and storage.exists(storage.own_key(output_uri)):
        return Outcome(True, {"output_uri": output_uri})
    failure_uri = str(callback.details.get("failure_uri", ""))
    if failure_uri and storage.exists(storage.own_key(failure_uri)):
        reason = storage.read_start(storage.own_key(failure_uri), MOST_REASON_BYTES).decode("utf-8", "replace")
        return Outcome(False, error="TransientError", cause=f"the endpoint could not answer: {reason[:2000]}")
    return None


def labeling(job: str) -> Outcome | None:
    """Completed, Stopped and Failed are all answers: what people labelled is kept, the rest is asked again."""
    described = aws.client("sagemaker").describe_labeling_job(LabelingJobName=job)
    status = described["LabelingJobStatus"]
    if status not in ("Completed", "Stopped", "Failed"):
        return None
    output_uri = described.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri", "")
    if output_uri and not storage.exists(storage.own_key(output_uri)):
        output_uri = ""
    return Outcome(True, {"status": status, "output_uri": output_uri, "reason": described.get("FailureReason", "")})


def training(job: str) -> Outcome | None:
    described = aws.client("sagemaker").describe_training_job(TrainingJobName=job)
    status = described["TrainingJobStatus"]
    if status == "Completed":
        model_uri = described["ModelArtifacts"]["S3ModelArtifacts"]
        output_uri = model_uri.removesuffix("model.tar.gz") + "output.tar.gz"
        return Outcome(True, {"model_uri": model_uri, "output_uri": output_uri})
    if status in ("Failed", "Stopped"):
        reason = described.get("FailureReason", "no reason given")
        if described.get("SecondaryStatus") == "MaxRuntimeExceeded":
            reason = "it ran longer than TrainingTimeoutSeconds; raise it, or train fewer steps"
        return Outcome(False, error="TrainingJobFailed", cause=f"training job {job} is {status}: {reason}")
    return None


def deployment(endpoint: str) -> Outcome | None:
    try:
        described = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" in aws.error_message(error):
            return Outcome(False, error="DeploymentFailed", cause=f"endpoint {endpoint} does not exist")
        raise
    status = described["EndpointStatus"]
    if status == "InService":
        return Outcome(True, {"endpoint": endpoint})
    if status in ("Failed", "OutOfService", "Deleting", "UpdateRollbackFailed"):
        return Outcome(
            False,
            error="DeploymentFailed",
            cause=f"endpoint {endpoint} is {status}: {described.get('FailureReason', 'no reason given')}",
        )
    return None
