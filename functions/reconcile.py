"""Reconcile: every few minutes asks AWS about everything that waits. Events can be lost; this finds what they missed.

Answers callbacks whose event was lost, closes those past their deadline, stops labelling for batches that a later
marker took over, records failures whose event was lost, removes endpoints that no champion, no training and no open
request needs, and reports the age of the oldest running execution. Where one part fails, the others go on.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from labelloop import engines
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import aws, callbacks, ledger, training_lock
from labelloop.store.callbacks import Callback
from labelloop.store.observability import count, entry, logger, metrics
from labelloop.work import failures, outside

# An expired wait is closed only after the state itself has surely timed out.
GRACE_SECONDS = 300


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raises, when all else is done, what kept a whole part from being done: the alarm counts errors."""
    waiting, strange = callbacks.open_and_strange()
    answered = _each(_settle, waiting)
    troubles: list[Exception] = []
    _part(troubles, ledger.index_older_batches)
    ended = _each(_record_lost_failure, _part(troubles, _unended, waiting) or ())
    # What a strange row waits for may be an endpoint.
    removed = 0 if strange else _each(_remove, _part(troubles, _unneeded_endpoints, waiting) or ())
    _part(troubles, _measure_oldest_running)
    told = {"waiting": len(waiting), "answered": answered, "endpoints_removed": removed, "failures_recorded": ended}
    logger.info("reconciled", done=told)
    if troubles:
        raise troubles[0]
    if strange:
        raise InvalidInputError(f"{len(strange)} waits cannot be read, the first: {strange[0]}")
    return told


def _each(work: Callable[[Any], bool], things: Iterable[Any]) -> int:
    """For how many things the work was done. One that cannot be looked at does not keep the others waiting."""
    done = 0
    for thing in things:
        try:
            done += work(thing)
        except Exception as error:  # whatever it is, the others must not wait for it
            count("ReconcileError")
            logger.warning("could not be reconciled", what=getattr(thing, "id", thing), reason=str(error))
    return done


def _part(troubles: list[Exception], work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except Exception as error:  # raised at the end, when the other parts are done
        count("ReconcileError")
        logger.warning("a part could not be done", part=work.__name__, reason=str(error))
        troubles.append(error)
        return None


def _settle(callback: Callback) -> bool:
    """True when the wait has been answered or closed."""
    if callback.outcome is not None:
        callbacks.deliver(callback)
        return True
    if callback.started and outside.answer(callback) is not None:
        count("CallbackRecovered")
        return True
    if callback.kind == "labeling" and ledger.is_superseded(callback.details.get("batch", "")):
        failures.close_superseded(callback)
        count("LabelingSuperseded")
        return True
    if time.time() > callback.deadline + GRACE_SECONDS:
        failures.close_expired(callback)
        count("CallbackExpired")
        return True
    return False


def _unended(waiting: list[Callback]) -> list[tuple[str, str, int]]:
    """(execution, batch, since when) of all that counts as running; a training execution has no batch."""
    trainings = {
        callback.execution: callback.created for callback in waiting if callback.kind in ("training", "deployment")
    }
    if owner := training_lock.owner():
        trainings.setdefault(owner, training_lock.since())
    batches = [(owner, batch_id, since) for batch_id, owner, since in ledger.running_batches()]
    return batches + [(training, "", since) for training, since in sorted(trainings.items())]


def _record_lost_failure(unended: tuple[str, str, int]) -> bool:
    """The status-change event of a failed execution may be lost too: nothing must count as running for ever."""
    execution, batch_id, since = unended
    status = ledger.execution_status(execution)
    if status == "SUCCEEDED" or ledger.is_alive(execution, since):
        return False
    failures.record(execution, batch_id, f"the execution ended {status}")
    return True


def _unneeded_endpoints(waiting: list[Callback]) -> list[str]:
    """Those that no training promoted, and old ones beyond the newest few. The champion's and its predecessor's stay.

    The order of the questions matters: whoever deployed a listed endpoint held the lock, and has promoted it or failed
    when the lock is free.
    """
    prefix, kept = settings().resource_prefix, settings().kept_endpoints
    known = [name for engine in engines.known() for name in engine.deployments(prefix)]
    training = training_lock.training_runs()
    serving = models.serving(prefix)
    deployed = {callback.external_id for callback in waiting if callback.kind == "deployment"}
    # Versions are numbered, so names of one stack sort by age.
    newer = [name for name in known if not serving or name > max(serving)]
    unpromoted = [] if training else [name for name in newer if name not in deployed | outside.asked(waiting)]
    busy = any(callback.kind in ("inference", "deployment") for callback in waiting)
    promoted = [name for name in known if name not in newer]
    return unpromoted + ([] if busy else [name for name in promoted[kept:] if name not in serving])


def _remove(endpoint: str) -> bool:
    removed = [engine.retire("deployment", endpoint) for engine in engines.known()]  # of which one made it
    return all(removed)


def _measure_oldest_running() -> None:
    starts = []
    for machine in (settings().label_batch_arn, settings().train_model_arn):
        pages = (
            aws.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=machine, statusFilter="RUNNING")
        )
        starts += [execution["startDate"].timestamp() for page in pages for execution in page["executions"]]
    age = max(0.0, time.time() - min(starts)) if starts else 0.0
    metrics.add_metric("OldestRunningExecutionSeconds", "Seconds", age)
