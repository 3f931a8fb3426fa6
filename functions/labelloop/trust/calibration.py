"""Fits the accept policy to a model: on the calibration images, which neither trained it nor judge it."""

from collections.abc import Iterable, Sequence
from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Prediction
from labelloop.contracts.settings import Settings
from labelloop.trust import policies
from labelloop.trust.judgement import image_score, label_quality


def thresholds(
    model: str,
    dataset_version: str,
    predictions: Iterable[Prediction],
    truths: Sequence[Annotation],
    settings: Settings,
) -> dict[str, Any]:
    """The record stored beside the model, from which its rounds take their rule."""
    seen = {prediction.source_ref: prediction for prediction in predictions if prediction.status == "ok"}
    scored = [
        (
            image_score(seen[truth.source_ref], settings.keep_confidence),
            label_quality(seen[truth.source_ref], truth, settings.keep_confidence),
        )
        for truth in truths
        if truth.source_ref in seen
    ]
    fitted = policies.of(settings.accept_policy).fit(scored, settings)
    return {"model": model, "dataset": dataset_version, **fitted}
