"""Complete Training: a training job's state-change event answers the waiting execution. What Describe says counts."""

from typing import Any

from labelloop.contracts import events
from labelloop.engines import training
from labelloop.store import callbacks
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = events.named(event, "detail", "TrainingJobName")
    callback = callbacks.find("training", job)
    outcome = training.ended(job) if callback else None
    if callback is not None and outcome is not None:
        callbacks.answer(callback, outcome)
        count("TrainingCompleted" if outcome.ok else "TrainingJobFailed")
    logger.info("training event", job=job, known=callback is not None, ended=outcome is not None)
    return {"training_job": job}
