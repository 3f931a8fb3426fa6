"""Reconcile: every few minutes asks the truth about everything that waits. Events are hints; this is the guarantee.

Answers callbacks whose event was lost, closes those past their deadline, records failures whose event was lost,
removes endpoints that no champion, no training
and no open request needs, and reports the age of the oldest running execution.
"""

import time
from typing import Any

from botocore.exceptions import ClientError
from labelloop import aws, callbacks, endpoints, failures, ledger, outcomes
from labelloop.callbacks import Callback
from labelloop.observability import count, entry, logger, metrics
from labelloop.settings import settings

# An expired wait is closed only after the state itself has surely timed out.
GRACE_SECONDS = 300


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    waiting = list(callbacks.open_callbacks())
    answered = sum(_settle(callback) for callback in waiting)
    removed = _remove_unneeded_endpoints(waiting)
    ended = _record_lost_failures()
    metrics.add_metric("OldestRunningExecutionSeconds", "Seconds", _oldest_running_seconds())
    logger.info(
        "reconciled", waiting=len(waiting), answered=answered, endpoints_removed=removed, failures_recorded=ended
    )
    return {"waiting": len(waiting), "answered": answered, "endpoints_removed": removed, "failures_recorded": ended}


def _settle(callback: Callback) -> bool:
    """True when the wait has been answered or closed. One that cannot be looked at does not keep the others waiting."""
    try:
        if callback.outcome is not None:
            callbacks.deliver(callback)
            return True
        outcome = outcomes.of(callback) if callback.started else None
        if outcome is not None:
            callbacks.answer(callback, outcome)
            count("CallbackRecovered")
            return True
        if time.time() > callback.deadline + GRACE_SECONDS:
            failures.close_expired(callback)
            count("CallbackExpired")
            return True
    except ClientError as error:
        count("ReconcileError")
        logger.warning("a callback could not be looked at", callback=callback.id, reason=str(error))
    return False


def _remove_unneeded_endpoints(waiting: list[Callback]) -> int:
    unneeded = _unneeded_endpoints(waiting)
    for name in unneeded:
        endpoints.remove(name)
    return len(unneeded)


def _unneeded_endpoints(waiting: list[Callback]) -> list[str]:
    """Those that no training promoted, and old ones beyond the newest few. The champion's and its predecessor's stay.

    The order of the questions matters: whoever deployed a listed endpoint held the lock, and has promoted it or failed
    when the lock is free.
    """
    prefix, kept = settings().resource_prefix, settings().kept_endpoints
    known = endpoints.names(prefix)
    training = ledger.training_runs()
    serving = endpoints.serving(prefix)
    deployed = {callback.external_id for callback in waiting if callback.kind == "deployment"}
    # Versions are numbered, so names of one stack sort by age.
    newer = [name for name in known if not serving or name > max(serving)]
    unpromoted = [] if training else [name for name in newer if name not in deployed | endpoints.asked(waiting)]
    busy = any(callback.kind in ("inference", "deployment") for callback in waiting)
    promoted = [name for name in known if name not in newer]
    return unpromoted + ([] if busy else [name for name in promoted[kept:] if name not in serving])


def _record_lost_failures() -> int:
    """The status-change event of a failed execution may be lost too: its batch must not stay `running` for ever."""
    ended = 0
    for batch_id, owner in ledger.running_batches():
        status = ledger.execution_status(owner)
        if status in ("FAILED", "TIMED_OUT", "ABORTED", "GONE"):
            ended += ledger.end_batch(batch_id, owner, "failed", f"the execution ended {status}")
    return ended


def _oldest_running_seconds() -> float:
    starts = []
    for machine in (settings().label_batch_arn, settings().train_model_arn):
        pages = (
            aws.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=machine, statusFilter="RUNNING")
        )
        starts += [execution["startDate"].timestamp() for page in pages for execution in page["executions"]]
    return max(0.0, time.time() - min(starts)) if starts else 0.0
