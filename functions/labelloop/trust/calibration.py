"""Fits a model's accept threshold to the calibration images, which neither trained it nor judge it."""

from collections.abc import Iterable, Sequence
from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Prediction
from labelloop.contracts.settings import Settings
from labelloop.tasks.quality import image_quality
from labelloop.trust.judgement import fit_threshold, image_score, label_boxes


def thresholds(
    model: str,
    dataset_version: str,
    predictions: Iterable[Prediction],
    truths: Sequence[Annotation],
    settings: Settings,
) -> dict[str, Any]:
    """The record stored beside the model; `accept` None: no threshold reaches the target, nothing is accepted."""
    seen = {prediction.source_ref: prediction for prediction in predictions if prediction.status == "ok"}
    scored = [
        (
            image_score(seen[truth.source_ref], settings.keep_confidence),
            image_quality(label_boxes(seen[truth.source_ref], settings.keep_confidence), truth.boxes),
        )
        for truth in truths
        if truth.source_ref in seen
    ]
    accept = fit_threshold(scored, settings.target_mean_iou, settings.calibration_minimum)
    accepted = [quality for score, quality in scored if accept is not None and score >= accept]
    return {
        "model": model,
        "dataset": dataset_version,
        "policy": "target-quality",
        "target": settings.target_mean_iou,
        "keep_confidence": settings.keep_confidence,
        "accept": accept,
        "images": len(scored),
        "accepted": len(accepted),
        "mean_quality": sum(accepted) / len(accepted) if accepted else None,
    }
