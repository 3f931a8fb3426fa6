"""Stop Labeling: stops a job that ran out of time; what people answered so far is kept."""

import time
from typing import Any

from labelloop import callbacks, labeling, naming, outcomes
from labelloop.callbacks import Outcome
from labelloop.errors import TransientError
from labelloop.observability import entry
from labelloop.settings import settings

STOPPING_TAKES_SECONDS = 40


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raises TransientError while the job is still stopping, so that the state asks again."""
    job = naming.labeling_job(settings().resource_prefix, event["batch_id"], int(event["round"]))
    labeling.stop(job)
    outcome = _wait_until_stopped(job)
    callback = callbacks.find("labeling", job)
    if callback is not None:
        callbacks.answer(callback, outcome)
    return {"status": outcome.output["status"], "output_uri": outcome.output["output_uri"]}


def _wait_until_stopped(job: str) -> Outcome:
    deadline = time.monotonic() + STOPPING_TAKES_SECONDS
    while (outcome := outcomes.labeling(job)) is None:
        if time.monotonic() > deadline:
            raise TransientError(f"labelling job {job} is still stopping")
        time.sleep(1)
    return outcome
