"""What a failed execution or an expired wait leaves behind outside."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labelloop import engines
from labelloop.contracts import naming
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import callbacks, ledger, notices, training_lock
from labelloop.store.callbacks import Callback
from labelloop.store.observability import count, logger
from labelloop.work import outside


def describe(error: Any) -> str:
    """`<error name>: <message>` of a Catch's error, whose Cause is a Lambda error as JSON or plain text."""
    if not isinstance(error, Mapping):
        return str(error)
    cause = error.get("Cause", "")
    try:
        parsed = json.loads(cause)
        cause = parsed.get("errorMessage", cause) if isinstance(parsed, dict) else cause
    except (TypeError, ValueError):
        pass
    return f"{error.get('Error', 'Unknown')}: {cause}"[:4000]


def record(execution: str, batch_id: str, cause: str) -> None:
    """Ends what a failed execution left open.

    Once for each time it failed, its batch (empty: it owns none) and people are told.
    """
    stop_open_work(execution)
    training_lock.release(execution)
    times = ledger.redrives(execution)
    if not batch_id or not ledger.end_batch(batch_id, execution, "failed", cause, redrives=times):
        return
    count("BatchFailed")
    logger.error("batch failed", batch_id=batch_id, cause=cause)
    notices.tell(
        f"failed/{execution}/{times}",
        f"Batch {batch_id} failed",
        f"{cause}\nNo data is lost. To go on, start an execution with the same input.\n{execution}",
    )


def stop_open_work(execution: str) -> None:
    """Stops the training that this execution waits for, and waits for its endpoint no more. A labelling job goes on
    within its lifetime: what people do is worth keeping, and a restart of the batch takes the job over by its name."""
    for callback in callbacks.open_callbacks():
        if callback.execution != execution:
            continue
        if callback.kind == "training" and outside.engine(callback).retire("training", callback.external_id):
            outside.give_up(callback, "TrainingJobFailed", "the execution that started the job failed")
        elif callback.kind == "deployment":
            outside.give_up(callback, "DeploymentFailed", "the execution that deployed the endpoint failed")


def remove_unpromoted_endpoint(model_version: str) -> None:
    """Takes away the endpoint of a version that was deployed and not promoted: it would keep an instance for ever.

    One that cannot be removed now, such as one still being created, is left to the reconciler.
    """
    prefix = settings().resource_prefix
    name = naming.endpoint(prefix, model_version)
    waiting, strange = callbacks.open_and_strange()
    if strange or name in models.serving(prefix) or name in outside.asked(waiting):
        return
    try:
        for engine in engines.known():
            engine.retire("deployment", name)
    except (ClientError, BotoCoreError) as error:
        count("EndpointNotRemoved")
        logger.warning("the endpoint could not be removed yet", endpoint=name, reason=str(error))


def close_expired(callback: Callback) -> None:
    """The state that waited has timed out: stop the outside work and close the row."""
    outside.stop(callback, "TransientError", "no answer came before the deadline")


def close_superseded(callback: Callback) -> None:
    """The batch of a later marker asks people for these images: two jobs for them would be paid for twice."""
    outside.stop(callback, "NotTheOwnerError", "a later marker took the images over")
