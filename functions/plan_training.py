"""Plan Training: takes the training lock and decides whether, and on which dataset version, a challenger is trained."""

from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import datasets, settings_documents, training_lock
from labelloop.store.observability import entry, logger

# Each time costs the execution 9 of the 25,000 events it may have, and it may run for seven days.
SECONDS_BETWEEN_ASKING = 300


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, execution, adopt = settings(), event["execution"], "model_uri" in event["input"]
    fence = training_lock.take(execution, knobs.whole_training_seconds)
    if fence is None:
        return _plan("busy")
    champion = models.champion()
    dataset = datasets.current()
    if adopt and champion is None:
        job = naming.training_job(knobs.resource_prefix, "", "adopt", fence)
        settings_documents.pin_training(job)
        return _plan("adopt", job=job, fence=fence)
    counts = datasets.count_labels(dataset.lines)
    reason = "a champion exists already" if adopt else _why_not(counts)
    if reason:
        training_lock.release(execution)
        logger.info("training is not worth it", reason=reason, dataset=dataset.version)
        return _plan("not-worth", dataset_version=dataset.version)
    job = naming.training_job(knobs.resource_prefix, dataset.version, fence)
    settings_documents.pin_training(job)
    logger.info("training planned", job=job, dataset=dataset.version, extra=counts)
    return _plan(
        "train",
        job=job,
        dataset_version=dataset.version,
        champion=champion.value["version"] if champion else "",
        fence=fence,
    )


def _why_not(counts: dict[str, int]) -> str:
    knobs = settings()
    new = counts["train"] - training_lock.labels_at_last_training()
    if new < knobs.retrain_minimum:
        return f"{new} new human training labels, {knobs.retrain_minimum} are needed"
    if counts["judge"] < knobs.judge_minimum:
        return f"{counts['judge']} judge images, {knobs.judge_minimum} are needed to judge a model"
    return ""


def _plan(status: str, job: str = "", dataset_version: str = "", champion: str = "", fence: int = 0) -> dict[str, Any]:
    return {
        "status": status,
        "job": job,
        "dataset_version": dataset_version,
        "champion": champion,
        "fence": fence,
        "wait_seconds": SECONDS_BETWEEN_ASKING,
    }
