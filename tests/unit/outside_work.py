"""Asks for outside work as the state machines do, and hears what Step Functions is told about it."""

import json
from typing import Any

from handling import MODEL, handle, handle_event
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import immutable, storage
from made_up_stack import arn
from training_files import JOB, trainer

EXECUTION = arn("states", "execution:labelloop-LabelBatch:one")
LABELING, TRAINING, ENDPOINT = CHANGES = (
    "SageMaker Ground Truth Labeling Job State Change",
    "SageMaker Training Job State Change",
    "SageMaker Endpoint State Change",
)
OUTPUT, FAILURE = "batches/b/predictions/1/00000-00.jsonl", "batches/inference-failures/00000.out"


def heard(states: Any) -> list[tuple[str, str]]:
    """What Step Functions was told: which call, and with which token."""
    return [(name, request["taskToken"]) for name, request in states.calls if name.startswith("send_task")]


def ask_for_inference(
    token: str = "t1", retry: int = 0, attempt: int = 0, endpoint: str = "labelloop-v1", **engine: str
) -> str:
    given = {"batch_id": "b", "round": 1, "endpoint": endpoint, "shard": "infer-1-00000", "attempt": attempt}
    place = {"requests_uri": storage.uri("batches/b/shards/infer-1-00000.jsonl"), "timeout_seconds": 600}
    more = {"retry": retry, "task_token": token, "execution": EXECUTION}
    return handle("request_inference", **given, **place, **more, **engine)["inference_id"]


def notice(
    inference_id: str, status: str = "Completed", name: str = "InferenceResult", output: str = ""
) -> dict[str, Any]:
    """An asynchronous endpoint's message as SQS brings it: inside SNS's envelope."""
    message: dict[str, Any] = {"eventName": name, "inferenceId": inference_id, "invocationStatus": status}
    if output:
        message["responseParameters"] = {"outputLocation": storage.uri(output)}
    if status == "Failed":
        message["failureReason"] = "ClientError: the model broke"
    body = json.dumps({"Type": "Notification", "Message": json.dumps(message)})
    return {"messageId": inference_id, "eventSource": "aws:sqs", "body": body, "receiptHandle": "r"}


def hear(*records: dict[str, Any]) -> list[str]:
    """Ids of the messages that will come again."""
    answer = handle_event("complete_work", {"Records": list(records)})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def changed(what: str, name: str) -> dict[str, Any]:
    """EventBridge's event about a job or an endpoint; `what`: one of CHANGES."""
    detail = {TRAINING: {"TrainingJobName": name}, ENDPOINT: {"EndpointName": name}}.get(what, {})
    return {"detail-type": what, "resources": [arn("sagemaker", f"labeling-job/{name}")], "detail": detail}


def ask_for_labels(token: str = "t1", timeout: int = 600) -> str:
    pinned = jobs.pin(Files("b"), 2, 1, "annotate", [{"source-ref": f"s3://b/{number}.png"} for number in range(3)])
    given = {"batch_id": "b", "round": 2, "job": 1, "execution": EXECUTION}
    asked = handle("request_labels", **given, task_token=token, timeout_seconds=timeout)
    assert asked == {"labeling_job": pinned.name}
    return pinned.name


def described(status: str, **more: Any) -> dict[str, Any]:
    """What DescribeLabelingJob answers."""
    return {"LabelingJobStatus": status, **more}


def ask_for_training(token: str = "t1", champion: str = "", owner: str = "") -> str:
    places = {"dataset_uri": "s3://data-bucket/d/", "images_uri": "s3://data-bucket/i"}
    more = {"task_token": token, "execution": owner or trainer(f"asks-{token}"), "timeout_seconds": 600}
    return handle("train_challenger", job=JOB, champion=champion, **places, **more)["training_job"]


def ask_for_deployment(token: str = "t1") -> dict:
    immutable.create(f"models/{MODEL}/model.tar.gz", b"archive")
    given = {"task_token": token, "execution": trainer(f"deploys-{token}"), "timeout_seconds": 600}
    return handle("deploy_model", model_version=MODEL, **given)


def endpoint_named(number: int) -> str:
    return f"labelloop-v{number:06d}-0123abcd"


def removed_endpoints(sagemaker) -> list[str]:
    return [request["EndpointName"] for request in sagemaker.requests_of("delete_endpoint")]
