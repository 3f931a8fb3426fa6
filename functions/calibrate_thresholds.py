"""Calibrate Thresholds: fits the challenger's accept threshold on calibration images."""

from typing import Any

from labelloop import calibration, immutable, models, storage, training
from labelloop.observability import entry, logger
from labelloop.records import Prediction
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version, dataset = event["model_version"], event["dataset_version"]
    records = storage.find_lines(f"{training.folder(event['job'])}/scores/challenger-calibration.jsonl") or []
    predictions = [Prediction.from_json(record) for record in records]
    truths = training.read_truths(event["dataset_uri"], "calibration")
    thresholds = immutable.create_json(
        models.thresholds_key(version, dataset),
        calibration.thresholds(version, dataset, predictions, truths, settings()),
    )
    logger.info("thresholds calibrated", **thresholds)
    return {"thresholds_uri": storage.uri(models.thresholds_key(version, dataset)), "threshold": thresholds["accept"]}
