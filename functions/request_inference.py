"""Request Inference: remembers the task token, then queues one shard (or one image) on the round's endpoint."""

import time
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.errors import InferenceOverdueError
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.engines import endpoints
from labelloop.store import aws, callbacks, storage
from labelloop.store.observability import count, entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    batch, round_number, shard = event["batch_id"], int(event["round"]), event["shard"]
    attempt, retry = int(event["attempt"]), int(event["retry"])
    left = int(event.get("until") or time.time() + 1) - time.time()
    if left <= 0:
        raise InferenceOverdueError(f"the round may make no more requests: {shard} was not asked for")
    inference_id = naming.inference_id(batch, round_number, shard, attempt, retry)
    folder, name = _folder(batch, round_number, shard), f"{shard[-20:]}-{attempt}{retry}.jsonl"
    callback = callbacks.remember(
        *("inference", inference_id, event["task_token"], event["execution"], int(event["timeout_seconds"])),
        expected_uri=storage.uri(f"batches/{folder}/{name}"),
    )
    if callback.outcome is not None:
        callbacks.deliver(callback, again=True)
        return {"inference_id": inference_id}
    if callback.started and (_settled(callback) or callback.age_seconds < settings().inference_timeout_seconds):
        return {"inference_id": inference_id}
    knobs = settings()
    answer = aws.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=event["endpoint"],
        InputLocation=event["requests_uri"],
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        InferenceId=inference_id,
        S3OutputPathExtension=folder,
        Filename=name,
        RequestTTLSeconds=max(60, knobs.inference_queue_seconds),  # 60 is SageMaker's least
        InvocationTimeoutSeconds=knobs.invocation_timeout_seconds,
    )
    callbacks.mark_started(
        callback,
        endpoint=event["endpoint"],
        output_uri=answer["OutputLocation"],
        failure_uri=answer.get("FailureLocation", ""),
    )
    count("InferenceRequested")
    return {"inference_id": inference_id, "output_uri": storage.uri(storage.own_key(answer["OutputLocation"]))}


def _folder(batch: str, round_number: int, shard: str) -> str:
    files = Files(batch)
    folder = files.control(round_number) if shard.startswith("control-") else files.predictions(round_number)
    return folder.removeprefix("batches/").rstrip("/")


def _settled(callback: callbacks.Callback) -> bool:
    """An earlier attempt made this request: its output may be there although no notice has come."""
    known = endpoints.answered(callback)
    if known is not None:
        callbacks.answer(callback, known)
    return known is not None
