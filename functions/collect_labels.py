"""Collect Labels: takes in what people answered in the job that just ended, and says which job of the round is next."""

from typing import Any

from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.people import collecting, jobs, scores
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number, index = Files(event["batch_id"]), int(event["round"]), int(event["job"])
    job = jobs.find(files, number, index)
    sizes = batches.sizes(batches.images(files.batch_id, number))
    collected = collecting.take_in(files, number, job, sizes)
    collecting.pin_adjustments(files, number, index)
    record = scores.note(files, number, job, collected)
    count("LabelsUnanswered", collected.unanswered)
    count("LabelsUnusable", collected.unusable)
    count("LabelsRejected", len(collected.rejected))
    logger.info("labels collected", extra={**record, "workers": len(record["workers"])})
    total = len(jobs.of_round(files, number))
    return {"job": index + 1, "jobs": total, "more": index < total, "status": record["status"]}
