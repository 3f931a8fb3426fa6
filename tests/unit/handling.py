"""Calls handlers as Lambda does, and makes the batch they work on."""

import importlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from acting import acting_as
from labelloop.batch import batches
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.predictions import Prediction
from labelloop.store import storage
from made_up_stack import BUCKET, SETTINGS
from PIL import Image

PREFIX = "incoming/week 1/"
MODEL = "v000001-0123abcd"
THRESHOLDS = f"models/{MODEL}/thresholds/none.json"


@dataclass(frozen=True)
class Context:
    """What the logger reads of the Lambda context."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def handle(name: str, **event: Any) -> Any:
    return handle_event(name, event)


def handle_event(name: str, event: dict[str, Any]) -> Any:
    """As its role allows: see acting.py."""
    handler = importlib.import_module(name).handler
    with acting_as(name):
        return handler(event, Context())


def picture(shade: int = 100, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(body, options.pop("format", "PNG"), **options)
    return body.getvalue()


def erase(key: str) -> None:
    """The bucket never had such an object."""
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=key).delete()


def write_otherwise(key: str, records: Iterable[Mapping[str, Any]]) -> None:
    """An object that is written once, as a faulty step would have written it in the first place."""
    erase(key)
    from labelloop.store import immutable

    immutable.create_lines(key, records)


def execution(name: str, machine: str = "LABEL_BATCH_ARN") -> str:
    """The ARN of a running execution."""
    states = boto3.client("stepfunctions")
    return str(states.start_execution(stateMachineArn=SETTINGS[machine], name=name)["executionArn"])


def stop(arn: str) -> None:
    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def upload(count: int = 4, prefix: str = PREFIX, first: int = 0) -> None:
    for number in range(first, first + count):
        storage.write(f"{prefix}{number:02d} ü+%20.png", picture(10 + number))


def mark(body: bytes = b"{}", prefix: str = PREFIX) -> dict[str, Any]:
    """Puts the marker; the trigger it makes."""
    storage.write(f"{prefix}_READY.json", body)
    return {"bucket": {"name": BUCKET}, "object": {"key": f"{prefix}_READY.json"}}


def registered(trigger: dict[str, Any] | None = None, name: str = "one") -> dict[str, Any]:
    """A registered and inspected batch: the state that Register Batch answers."""
    state = handle("register_batch", event=trigger or mark(), execution=execution(name))
    for item in storage.read_lines(state["batch"]["inspect_key"]):
        handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    return dict(state)


def crown(version: str = MODEL, threshold: float | None = 0.5, previous: str = "", **fitted: Any) -> None:
    """Makes a champion with its thresholds."""
    record = {"model": version, "dataset": "none", "target": 0.8, "accept": threshold, "images": 9}
    storage.write_json(THRESHOLDS, {**record, "label_rule": LabelRule(0.25).to_json(), **fitted})
    value = {
        "version": version,
        "endpoint": f"labelloop-{version}",
        "thresholds_uri": storage.uri(THRESHOLDS),
        "dataset": "",
        "previous": previous,
    }
    assert storage.flip_pointer("models/champion", value, storage.read_pointer("models/champion"))


def predict(batch_id: str, number: int, confidence: dict[str, float], shard: str = "00000-00.jsonl") -> None:
    """What the endpoint would have written for these images: one box each."""
    records = []
    for image in batches.images(batch_id):
        if image.source_ref in confidence:
            sure = confidence[image.source_ref]
            box = {"class": "head", "left": 1, "top": 2, "width": 30, "height": 20, "confidence": sure}
            seen = {"source-ref": image.source_ref, "status": "ok", "width": 64, "height": 48, "model": MODEL}
            records.append(Prediction.from_json({**seen, "boxes": [box]}).to_json())
    storage.write_lines(f"{Files(batch_id).predictions(number)}{shard}", records)
