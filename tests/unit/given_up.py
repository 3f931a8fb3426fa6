"""Batches whose execution ends without finishing them, and the markers that come afterwards."""

import json

import boto3
from handling import execution, handle
from labelloop.store import ledger
from made_up_stack import BUCKET


def aborted_event(arn: str, trigger: dict) -> dict:
    return {"executionArn": arn, "status": "ABORTED", "input": json.dumps(trigger)}


def give_up(batch: str) -> None:
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")


def pinned(trigger: dict) -> dict:
    key = trigger["object"]["key"]
    version = boto3.client("s3").head_object(Bucket=BUCKET, Key=key)["VersionId"]
    return {**trigger, "object": {"key": key, "version-id": version}}


def registered_objects(trigger: dict, name: str) -> int:
    return int(handle("register_batch", event=trigger, execution=execution(name))["batch"]["objects"])
