"""Fit Thresholds: fits accept thresholds to judge images.

Of the challenger that won, before it is registered; of the champion that stays, which is then pointed to them, and the
lock is released.
"""

from typing import Any

from labelloop.contracts import predictions
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import immutable, storage, training_lock
from labelloop.store.observability import entry, logger
from labelloop.trust import fitting


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return _of_champion(event) if "champion" in event else _of_challenger(event)


def _of_challenger(event: dict[str, Any]) -> dict[str, Any]:
    thresholds = _fit(
        "challenger", event["model_version"], event["job"], event["dataset_version"], event["dataset_uri"]
    )
    logger.info("thresholds fitted", **_brief(thresholds))
    key = models.thresholds_key(event["model_version"], event["dataset_version"])
    outlook = thresholds.get("outlook", "")  # before that was told, a repeated call found no such field
    return {"thresholds_uri": storage.uri(key), "threshold": thresholds["accept"], "outlook": outlook}


def _of_champion(event: dict[str, Any]) -> dict[str, Any]:
    execution, version, dataset = event["execution"], event["champion"], event["dataset_version"]
    seen = models.champion()
    if version and seen is not None and seen.value["version"] == version:
        training_lock.check(execution, int(event["fence"]))
        thresholds = _fit("champion", version, event["job"], dataset, event["dataset_uri"])
        models.flip(seen, {**seen.value, "thresholds_uri": storage.uri(models.thresholds_key(version, dataset))})
        logger.info("champion's thresholds fitted", **_brief(thresholds))
    training_lock.note_training(dataset, int(event["train"]), event["job"])
    training_lock.release(execution)
    return {"champion": version}


def _fit(which: str, version: str, job: str, dataset: str, dataset_uri: str) -> dict[str, Any]:
    """The thresholds of this version for this dataset, fitted once, by the scores that the job gave `which`."""
    truths = training.read_truths(dataset_uri)
    seen = predictions.against_truths(training.stored_scores(job, which), truths, settings().vocabulary)
    return immutable.create_json(
        models.thresholds_key(version, dataset), fitting.thresholds(version, dataset, seen, truths, settings())
    )


def _brief(thresholds: dict[str, Any]) -> dict[str, Any]:
    """Without the figures of thousands of judge images."""
    return {name: value for name, value in thresholds.items() if name != "scored"}
