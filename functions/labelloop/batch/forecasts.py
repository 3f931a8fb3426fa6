"""What a batch may expect of a model, by what the stack knows when it is registered; and whether another training in it
can pay.
"""

from typing import Any

from labelloop.batch import roles
from labelloop.contracts import limits
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import immutable, storage, training_lock
from labelloop.trust import forecast


def of_batch(images: int, sampled: int) -> dict[str, Any]:
    """For the batch's estimate: how many rounds may accept labels, and what is to be expected of them."""
    knobs = settings()
    rounds = forecast.accepting_rounds(images, knobs.second_training)
    expected = forecast.forecast(
        images=images,
        sampled=sampled,
        judges=roles.judges(),
        wanted=knobs.judge_images,
        champion=_fitted(),
        target=knobs.target_mean_iou,
        answers=knobs.workers_per_object,
        price_per_label=knobs.price_per_label,
        machine_dollars=rounds * (limits.DOLLARS_PER_TRAINING + limits.DOLLARS_PER_IMAGE_INFERRED * images),
        audit_rate=knobs.audit_rate,
        audit_minimum=knobs.audit_minimum,
    )
    return {"accepting_rounds": rounds, "forecast": expected.to_json()}


def why_no_second_training(files: Files, images: int, accepted: int) -> str:
    """Why the batch trains no other model, as a sentence; empty where it may."""
    dataset = training_lock.last_dataset()
    card = immutable.find_json(f"datasets/{dataset}/card.json") if dataset else None
    trained = card is not None and card.get("batch") == files.batch_id
    return forecast.why_no_second_training(images, settings().second_training, trained=trained, accepted=accepted)


def _fitted() -> dict[str, Any] | None:
    """What was fitted to the serving model; None where there is none, or it was adopted."""
    champion = models.champion()
    uri = str(champion.value.get("thresholds_uri", "")) if champion else ""
    return immutable.find_json(storage.own_key(uri)) if uri else None
