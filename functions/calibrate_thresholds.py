"""Calibrate Thresholds: fits the challenger's accept threshold on calibration images."""

from typing import Any

from labelloop.contracts import predictions
from labelloop.contracts.records import Prediction
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import immutable, storage
from labelloop.store.observability import entry, logger
from labelloop.trust import calibration


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version, dataset = event["model_version"], event["dataset_version"]
    records = storage.find_lines(f"{training.folder(event['job'])}/scores/challenger-calibration.jsonl") or []
    truths = training.read_truths(event["dataset_uri"], "calibration")
    fitting = predictions.against_truths(map(Prediction.from_json, records), truths, settings().classes)
    thresholds = immutable.create_json(
        models.thresholds_key(version, dataset),
        calibration.thresholds(version, dataset, fitting, truths, settings()),
    )
    logger.info("thresholds calibrated", **thresholds)
    return {"thresholds_uri": storage.uri(models.thresholds_key(version, dataset)), "threshold": thresholds["accept"]}
