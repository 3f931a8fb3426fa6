"""Stop Labeling: stops a job that ran out of time; what people answered so far is kept."""

import time
from typing import Any

from labelloop import people
from labelloop.contracts.errors import TransientError
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.people import jobs
from labelloop.people.jobs import Job
from labelloop.store import callbacks, notices
from labelloop.store.callbacks import Outcome
from labelloop.store.observability import entry

STOPPING_TAKES_SECONDS = 40


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raises TransientError while the job is still stopping, so that the state asks again."""
    job = jobs.find(Files(event["batch_id"]), int(event["round"]), int(event["job"]))
    people.of(job.backend).stop(job.name)
    outcome = _wait_until_stopped(job)
    callback = callbacks.find("labeling", job.name)
    if callback is not None:
        callbacks.answer(callback, outcome)
    _notify(job)
    return {"status": outcome.output["status"]}


def _wait_until_stopped(job: Job) -> Outcome:
    deadline = time.monotonic() + STOPPING_TAKES_SECONDS
    while (outcome := people.of(job.backend).ended(job.name)) is None:
        if time.monotonic() > deadline:
            raise TransientError(f"labelling job {job.name} is still stopping")
        time.sleep(1)
    return outcome


def _notify(job: Job) -> None:
    days = settings().labeling_timeout_seconds / 86400
    notices.tell(
        f"labeling-stopped/{job.name}",
        "Labelling ran out of time",
        f"Labelling job {job.name} was stopped after {days:.1f} days (LabelingTimeoutSeconds). "
        "What people answered is kept; the rest is asked again in the next round.",
    )
