"""Work that runs outside a state, and that the state waits for: remembered before it starts, started, answered exactly
once, and stopped where nobody waits any more (docs/architecture.md, "Callbacks table").

The kinds of work are inference, labeling, training and deployment; `external_id` is the name of the request, job or
endpoint. Events are hints: what became of the work, the object in S3 or Describe tells.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labelloop import engines, people
from labelloop.contracts import events
from labelloop.engines import Engine
from labelloop.people import Backend
from labelloop.store import callbacks
from labelloop.store.callbacks import Callback, Outcome

# The metrics that count what has ended: well, and badly.
METRICS = {
    "inference": ("InferenceCompleted", "InferenceFailed"),
    "labeling": ("LabelingCompleted", "LabelingFailed"),
    "training": ("TrainingCompleted", "TrainingJobFailed"),
    "deployment": ("DeploymentCompleted", "DeploymentFailed"),
}


def remember(kind: str, external_id: str, event: Mapping[str, Any], **details: str) -> Callback | None:
    """Opens the row, or gives it the state's token. Call before the work starts. None: it succeeded before, and the
    state has been told so.
    """
    callback = callbacks.remember(
        kind, external_id, event["task_token"], event["execution"], int(event["timeout_seconds"]), **details
    )
    if callback.outcome is None:
        return callback
    callbacks.deliver(callback, again=True)
    return None


def start(
    callback: Callback,
    work: Callable[[], bool],
    ended: Callable[[], Outcome | None],
    refusals: tuple[type[Exception], ...],
    **details: str,
) -> None:
    """Starts the work. False from `work`: an earlier attempt or execution started it, so it may have ended, and no
    event will tell: `ended` is asked. Where one of `refusals` is raised nothing was started, and nobody waits, unless
    an earlier attempt had started it.
    """
    try:
        begun = work()
    except refusals:
        if not callback.started:
            callbacks.forget(callback)
        raise
    callbacks.mark_started(callback, **details)
    if not begun:
        settle(callback, ended())


def ended(callback: Callback) -> Outcome | None:
    """What became of the work; None while it goes on."""
    match callback.kind:
        case "inference":
            return engine(callback).answered(callback)
        case "labeling":
            return backend(callback).ended(callback.external_id)
        case "training":
            return engine(callback).trained(callback.external_id)
        case "deployment":
            return engine(callback).deployed(callback.external_id)
    raise ValueError(f"unknown kind of outside work: {callback.id}")


def engine(callback: Callback) -> Engine:
    """What trains or serves it, or looks at the images; version 0.1 noted none."""
    return engines.of(callback.details.get("engine", "yolo"))


def backend(callback: Callback) -> Backend:
    """What asks people; version 0.1 noted none."""
    return people.of(callback.details.get("backend", "ground-truth"))


def asked(waiting: Iterable[Callback]) -> set[str]:
    """Endpoints that open requests wait for."""
    return {str(row.details["endpoint"]) for row in waiting if row.kind == "inference" and "endpoint" in row.details}


def changed(event: Any) -> tuple[str, str]:
    """(kind, name) of the work that an event of EventBridge is about. Raises InvalidInputError for any other event."""
    return events.changed_work(event, {**engines.events(), **people.events()})


def answer(callback: Callback) -> Outcome | None:
    """Tells the waiting state what became of the work, if it has ended."""
    outcome = ended(callback)
    settle(callback, outcome)
    return outcome


def settle(callback: Callback, outcome: Outcome | None) -> bool:
    """Whether the work has ended; then the waiting state is told."""
    if outcome is not None:
        callbacks.answer(callback, outcome)
    return outcome is not None


def stop(callback: Callback, error: str, cause: str) -> None:
    """Ends the wait, and the work where that does not end by itself soon. What is recorded already stays. A training
    job that cannot be stopped now keeps its row open: the reconciler tries again.
    """
    if callback.kind == "labeling":
        backend(callback).stop(callback.external_id)
    elif callback.kind == "training" and not engine(callback).retire("training", callback.external_id):
        return
    give_up(callback, error, cause)


def give_up(callback: Callback, error: str, cause: str) -> None:
    """Ends the wait. What is recorded already stays."""
    callbacks.answer(callback, Outcome(False, error=error, cause=cause))
