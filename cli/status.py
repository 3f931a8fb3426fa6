"""What `labelloop status` tells: plain values, as --json prints them."""

import re
from dataclasses import asdict
from itertools import islice
from typing import Any

from labelloop import engines
from labelloop.contracts import fields, naming, origins
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.engines import models
from labelloop.store import aws, datasets, immutable, storage, training_lock
from labelloop.store.storage import MissingObjectError
from labelloop.trust import fitting

from cli import batches
from cli.stack import Stack

MOST_PAGES = 10  # of executions, 100 each, the newest first
# As the states Train Model and Start Training name the executions that they start.
_TRAINING = re.compile(r"(?P<batch>.+)-r(?P<round>\d+)-a\d+")
_LABELS = ("images", "human", "auto", "train", "judge")
_NOT_WHOLE = (ChangedObjectError, MissingObjectError, InvalidInputError)


def gather(stack: Stack, last: int) -> dict[str, Any]:
    """`last`: how many ended executions of each machine; those that run are all there."""
    return {
        "stack": stack.name,
        "bucket": stack.bucket,
        "champion": champion(),
        "dataset": dataset(),
        "training_lock": training_lock.owner() if training_lock.training_runs() else "",
        "batches": [_batch(told) for told in executions(stack.label_batch_arn, last)],
        "trainings": [_training(told) for told in executions(stack.train_model_arn, last)],
        "waiting": [asdict(job) for job in batches.waiting()],
        "alarms": alarms(stack.notification_topic),
    }


def champion() -> dict[str, Any] | None:
    pointer = models.champion()
    if pointer is None:
        return None
    value, engine = pointer.value, engines.of(pointer.value.get("engine", "yolo"))
    try:
        thresholds: dict[str, Any] = fitting.of_now(immutable.read_json(storage.own_key(value["thresholds_uri"])))
    except _NOT_WHOLE as error:
        thresholds = {"trouble": str(error)}
    return {**value, "state": engine.state(value["endpoint"]) or "gone", "thresholds": thresholds}


def dataset() -> dict[str, Any] | None:
    pointer = datasets.pointer()
    if pointer is None:
        return None
    version = str(pointer.value["version"])
    try:
        card = datasets.card_of(version)
        facts = {name: card[name] for name in ("parent", *_LABELS) if name in card}
    except _NOT_WHOLE as error:
        facts = {"trouble": str(error)}
    return {**{name: pointer.value[name] for name in ("version", "rolled_back") if name in pointer.value}, **facts}


def executions(machine: str, last: int) -> list[dict[str, Any]]:
    """Newest first, with input and output; children of a Map are no executions of their own."""
    pages = aws.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    listed = [each for page in islice(pages, MOST_PAGES) for each in page["executions"] if "mapRunArn" not in each]
    listed.sort(key=lambda each: each["startDate"], reverse=True)
    ended = [each["executionArn"] for each in listed if each["status"] != "RUNNING"][:last]
    return [_told(each) for each in listed if each["status"] == "RUNNING" or each["executionArn"] in ended]


def _told(listed: dict[str, Any]) -> dict[str, Any]:
    told = aws.client("stepfunctions").describe_execution(executionArn=listed["executionArn"])
    return {
        "arn": str(listed["executionArn"]),
        "name": str(listed["name"]),
        "status": str(told["status"]),
        "started": told["startDate"].isoformat(timespec="seconds"),
        "ended": told["stopDate"].isoformat(timespec="seconds") if told.get("stopDate") else "",
        "cause": str(told.get("cause") or told.get("error") or ""),
        "input": _document(told.get("input")),
        "output": _document(told.get("output")),
    }


def _document(text: str | None) -> dict[str, Any]:
    try:
        return _object(fields.parse_json(text or "{}", "an execution"))
    except InvalidInputError:
        return {}


def _object(value: Any) -> dict[str, Any]:
    """Step Functions starts an execution with any JSON: what is no object where one belongs says nothing."""
    return value if isinstance(value, dict) else {}


def batch_of(told: dict[str, Any]) -> str:
    """The batch of an execution of Label Batch; empty where it owns none."""
    bucket, key = _marker(told)
    return batches.of_execution(told, bucket, key) if key else ""


def _marker(told: dict[str, Any]) -> tuple[str, str]:
    """Bucket and key of the marker that an execution of Label Batch was started with; empty where it names none."""
    return batches.named(told["input"], "bucket", "name"), batches.named(told["input"], "object", "key")


def _batch(told: dict[str, Any]) -> dict[str, Any]:
    batch_id, facts = batch_of(told), {"round": 0, "model": "", "counts": {}, "trouble": ""}
    if batch_id:
        try:
            found = batches.look(batch_id)
            facts = {name: getattr(found, name) for name in facts}
        except _NOT_WHOLE as error:
            facts["trouble"] = str(error)
    _, key = _marker(told)
    return {"batch": batch_id, "prefix": key.removesuffix(naming.READY), **facts, **_common(told)}


def _training(told: dict[str, Any]) -> dict[str, Any]:
    named, state = _TRAINING.fullmatch(told["name"]), {**told["input"], **told["output"]}
    comparison, plan, dataset = (_object(state.get(name)) for name in ("comparison", "plan", "dataset"))
    counts = origins.counts({name: value for name, value in dataset.items() if isinstance(value, int)})
    return {
        "batch": named["batch"] if named else "",
        "round": int(named["round"]) if named else 0,
        "dataset": batches.named(plan, "dataset_version") or batches.named(state, "dataset_version"),
        "counts": {name: counts[name] for name in _LABELS if name in counts},
        "model": str(comparison.get("model_version", "")),
        "came_to": _came_to(told["status"], plan, comparison),
        "reason": str(comparison.get("reason", "")),
        **_common(told),
    }


def _came_to(status: str, plan: dict[str, Any], comparison: dict[str, Any]) -> str:
    if status != "SUCCEEDED":
        return status.lower()
    if plan.get("status") == "not-worth":
        return "not worth it"
    return "kept the champion" if comparison.get("better") is False else "promoted"


def _common(told: dict[str, Any]) -> dict[str, Any]:
    kept = {name: told[name] for name in ("status", "started", "ended", "cause")}
    return {**kept, "execution": told["arn"]}


def alarms(topic: str) -> list[dict[str, str]]:
    """Alarms of the stack that people should look at: those that tell its topic."""
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
    ours = [each for page in pages for each in page["MetricAlarms"] if topic in each.get("AlarmActions", ())]
    return [
        {
            "name": str(each["AlarmName"]),
            "since": each["StateUpdatedTimestamp"].isoformat(timespec="seconds"),
            "says": str(each.get("AlarmDescription", "")),
            "reason": str(each.get("StateReason", "")),
        }
        for each in ours
    ]
