"""Adopt Model: gives a model that was trained elsewhere a version, as the first champion. It has no thresholds yet."""

from typing import Any

from labelloop import engines
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import immutable, storage
from labelloop.store.observability import entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    model_uri, job = event["model_uri"], event["job"]
    _, description = engines.trainer().model(model_uri)
    if not description.fits(settings().vocabulary):
        raise InvalidInputError(
            f"{model_uri} sees {description.sees}, the stack labels {naming.listed(settings().label_names)}"
        )
    version = models.version(models.next_number(), description)
    target = settings().target_mean_iou
    thresholds = {
        "model": version,
        "dataset": "none",
        "policy": settings().accept_policy,
        "target": target,
        "accept": None,
        "images": 0,
    }
    thresholds_key = models.thresholds_key(version, "")
    immutable.create_json(thresholds_key, thresholds)
    comparison = {
        "better": True,
        "reason": f"adopted from {model_uri}: there is no champion to compare it with",
        "challenger": version,
    }
    return {
        "model_uri": model_uri,
        "model_version": version,
        "thresholds_uri": storage.uri(thresholds_key),
        "comparison_uri": storage.write_json(f"{training.folder(job)}/comparison.json", comparison),
    }
