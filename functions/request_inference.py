"""Request Inference: remembers the task token, then queues one shard (or one image) on the round's endpoint."""

import time
from typing import Any

from labelloop import engines
from labelloop.contracts import naming
from labelloop.contracts.errors import InferenceOverdueError
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.engines import Request
from labelloop.store import callbacks, storage
from labelloop.store.callbacks import Outcome
from labelloop.store.observability import count, entry
from labelloop.work import outside


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    batch, round_number, shard = event["batch_id"], int(event["round"]), event["shard"]
    attempt, retry = int(event["attempt"]), int(event["retry"])
    left = int(event.get("until") or time.time() + 1) - time.time()
    if left <= 0:
        raise InferenceOverdueError(f"the round may make no more requests: {shard} was not asked for")
    inference_id = naming.inference_id(batch, round_number, shard, attempt, retry)
    folder, name = _folder(batch, round_number, shard), f"{shard[-20:]}-{attempt}{retry}.jsonl"
    expected = storage.uri(f"batches/{folder}/{name}")
    engine = engines.of(event.get("engine", "yolo"))
    callback = outside.remember("inference", inference_id, event, expected_uri=expected, engine=engine.name)
    if callback is None:
        return {"inference_id": inference_id}
    # An earlier attempt made this request: its output may be there although no notice has come.
    settled = callback.started and outside.settle(callback, engine.answered(callback))
    if settled or (callback.started and callback.age_seconds < settings().inference_timeout_seconds):
        return {"inference_id": inference_id}
    asked = engine.predict(Request(event["endpoint"], event["requests_uri"], inference_id, folder, name))
    callbacks.mark_started(
        callback, endpoint=event["endpoint"], output_uri=asked.output_uri, failure_uri=asked.failure_uri
    )
    if asked.answered:
        outside.settle(callback, Outcome(True, {"output_uri": asked.output_uri}))
    count("InferenceRequested")
    return {"inference_id": inference_id, "output_uri": storage.uri(storage.own_key(asked.output_uri))}


def _folder(batch: str, round_number: int, shard: str) -> str:
    files = Files(batch)
    folder = files.control(round_number) if shard.startswith("control-") else files.predictions(round_number)
    return folder.removeprefix("batches/").rstrip("/")
