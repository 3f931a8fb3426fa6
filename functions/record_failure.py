"""Record Failure: says why an execution failed, so that a restart takes over from what S3 holds.

Called by the failure lane of both machines, and by an EventBridge rule for what no Catch sees: aborts, timeouts,
runtime errors. The lane of train_model hands over its state, because an endpoint that was deployed for nothing is
removed; the champion serves on. Recording the same failure twice changes nothing.
"""

import json
from typing import Any

from labelloop.contracts import markers, naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import ledger, notices, training_lock
from labelloop.store.observability import count, entry, logger
from labelloop.work import failures


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "state" in event:
        return _training_failed(event)
    detail = event.get("detail")
    execution = detail["executionArn"] if detail else event["execution"]
    trigger = json.loads(detail.get("input") or "{}") if detail else event["input"]
    cause = _status_sentence(detail) if detail else failures.describe(event["error"])
    batch_id = _batch_of(trigger, execution)
    if detail and ledger.execution_status(execution) == "RUNNING":  # the event comes late: it was redriven
        return {"batch_id": batch_id, "cause": "it runs again"}
    failures.record(execution, batch_id, cause)
    return {"batch_id": batch_id, "cause": cause}


def _training_failed(event: dict[str, Any]) -> dict[str, Any]:
    execution, cause = event["execution"], failures.describe(event["error"])
    version = event["state"].get("comparison", {}).get("model_version", "")
    failures.stop_open_work(execution)
    if version:
        failures.remove_unpromoted_endpoint(version)
    training_lock.release(execution)
    count("TrainingFailed")
    logger.error("training failed", cause=cause)
    notices.tell(
        f"training-failed/{execution}/{ledger.redrives(execution)}",
        "Training failed, the champion serves on",
        f"{execution}\n{cause}",
    )
    return {"cause": cause}


def _status_sentence(detail: dict[str, Any]) -> str:
    reason = ": ".join(part for part in (detail.get("error"), detail.get("cause")) if part)
    return f"the execution ended {detail['status']}" + (f" ({reason})" if reason else "")


def _batch_of(trigger: dict[str, Any], execution: str) -> str:
    """The batch this execution owns; empty for a training execution, or one that failed before it owned a batch."""
    if "batch_id" in trigger:
        return ""
    try:
        bucket, prefix = trigger["bucket"]["name"], markers.prefix_of(trigger["object"]["key"])
    except (KeyError, TypeError, InvalidInputError):
        return ""
    for delivery in ledger.batches_of(bucket, prefix):
        batch_id = naming.batch_id(bucket, prefix, delivery)
        if ledger.owner_of(batch_id) == execution:
            return batch_id
    return ""
