"""Fits label rule and accept policy to a model: on judge images, which people labelled and which did not train it."""

from collections.abc import Iterable, Sequence
from typing import Any

from labelloop.contracts.label_rules import LabelRule
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
    """The record stored beside the model, from which its rounds take their rules.

    `scored` holds (score, quality of the model's label) for each judge image, in order: what a policy may need that is
    settled only when a round begins.
    """
    seen = {prediction.source_ref: prediction for prediction in predictions if prediction.status == "ok"}
    rule = LabelRule(settings.keep_confidence)
    scored = sorted(
        (image_score(seen[truth.source_ref], rule), label_quality(seen[truth.source_ref], truth, rule))
        for truth in truths
        if truth.source_ref in seen
    )
    fitted = policies.of(settings.accept_policy).fit(scored, settings)
    return {
        "model": model,
        "dataset": dataset_version,
        "label_rule": rule.to_json(),
        **fitted,
        "scored": [list(pair) for pair in scored],
    }
