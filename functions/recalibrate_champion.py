"""Recalibrate Champion: the challenger lost; the champion's thresholds are fitted to the new calibration labels, and
the lock is released.
"""

from typing import Any

from labelloop.contracts import predictions
from labelloop.contracts.records import Prediction
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import immutable, ledger, storage
from labelloop.store.observability import entry, logger
from labelloop.trust import calibration


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    execution, version, dataset = event["execution"], event["champion"], event["dataset_version"]
    seen = models.champion()
    if version and seen is not None and seen.value["version"] == version:
        ledger.check_lock(execution, int(event["fence"]))
        records = storage.find_lines(f"{training.folder(event['job'])}/scores/champion-calibration.jsonl") or []
        truths = training.read_truths(event["dataset_uri"], "calibration")
        fitting = predictions.against_truths(map(Prediction.from_json, records), truths, settings().classes)
        key = models.thresholds_key(version, dataset)
        thresholds = immutable.create_json(key, calibration.thresholds(version, dataset, fitting, truths, settings()))
        models.flip(seen, {**seen.value, "thresholds_uri": storage.uri(key)})
        logger.info("champion recalibrated", **thresholds)
    ledger.note_training(dataset, int(event["train"]), event["job"])
    ledger.release_lock(execution)
    return {"champion": version}
