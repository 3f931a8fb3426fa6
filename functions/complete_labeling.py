"""Complete Labeling: Ground Truth's state-change event answers the waiting round. The event names only an ARN;
Describe is the truth.
"""

from typing import Any

from labelloop.contracts import events
from labelloop.people import labeling
from labelloop.store import callbacks
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = events.named(event, "resources", 0).rpartition("/")[2]
    callback = callbacks.find("labeling", job)
    outcome = labeling.ended(job) if callback else None
    if callback is not None and outcome is not None:
        callbacks.answer(callback, outcome)
        count("LabelingCompleted")
    logger.info("labelling event", labeling_job=job, known=callback is not None, ended=outcome is not None)
    return {"labeling_job": job}
