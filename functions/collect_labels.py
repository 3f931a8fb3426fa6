"""Collect Labels: takes in what people answered in the job that just ended, and says which job of the round is next."""

from typing import Any

from labelloop import jobs
from labelloop.batches import Files
from labelloop.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number, index = Files(event["batch_id"]), int(event["round"]), int(event["job"])
    job = jobs.find(files, number, index)
    ended = jobs.outcome(job)
    collected = jobs.answers(files, number, job, ended)
    if collected.unanswered:
        count("LabelsUnanswered", collected.unanswered)
    jobs.pin_adjustments(files, number, index)
    total = len(jobs.of_round(files, number))
    logger.info(
        "labels collected",
        labeling_job=job.name,
        status=ended.output["status"],
        reason=ended.output["reason"],
        labelled=len(collected.labels),
        unanswered=collected.unanswered,
        problems=collected.problems,
    )
    return {"job": index + 1, "jobs": total, "more": index < total, "status": ended.output["status"]}
