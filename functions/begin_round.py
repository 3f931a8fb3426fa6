"""Begin Round: pins the champion for the whole round and lists the images that are still open, and those of them that
the champion has not seen yet. What is known by its content is not looked at again.
"""

import time
from typing import Any

from labelloop import engines
from labelloop.batch import batches, copies, pinned_bytes, rounds
from labelloop.batch.batches import Image, images, note_inference, outcomes, pin_uninspected, write_shards
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import immutable, storage
from labelloop.store.observability import count, entry, logger
from labelloop.trust.inference import window_seconds


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number = Files(event["batch_id"]), int(event["round"])
    everything, open_images = _open(files, number)
    if not storage.exists(files.decisions(number)) and pinned_bytes.secure(files, number, open_images):
        everything, open_images = _open(files, number)
    pin_uninspected(files.batch_id, number, everything)
    pinned = immutable.find_json(files.round(number)) or immutable.create_json(
        files.round(number), _pin(files, number, open_images)
    )
    known = copies.among(copies.pin(files, number, open_images), open_images)
    unknown = [image for image in open_images if image.item.key not in known]
    unseen = _unseen(files, number, pinned["model"], everything, unknown)
    trouble = engines.of(pinned.get("engine", "yolo")).trouble(pinned["endpoint"]) if unseen else ""
    if trouble:
        count("InferenceGaveNothing")
        logger.error("the model cannot be asked", reason=trouble, images=len(unseen))
    note_inference(files, number, len(unseen), trouble)
    infer = bool(unseen) and not trouble
    requests_key = (
        write_shards(files, f"infer-{number}", [_request(image) for image in unseen], settings().shard_size)
        if infer
        else ""
    )
    logger.info("round begins", round=number, open=len(open_images), model=pinned["model"], asked=len(unseen))
    # What Infer Shards asks first; Find Missing Predictions says what it asks next.
    first = {"attempt": 0, "concurrency": settings().inference_concurrency, "requests_key": requests_key}
    return {
        "number": number,
        "infer": infer,
        "infer_until": int(time.time()) + window_seconds(settings().inference_timeout_seconds),
        "model": pinned["model"],
        "endpoint": pinned["endpoint"],
        "engine": pinned.get("engine", "yolo"),
        "requests_key": requests_key,  # read by machines of version 0.1
        "open": len(open_images),
        "missing": first,
    }


def _open(files: Files, number: int) -> tuple[list[Image], list[Image]]:
    """All images under their names in this round, and those of them that have no outcome yet."""
    everything = images(files.batch_id, number)
    before = outcomes(files.batch_id, everything, number - 1)
    return everything, [image for image in everything if image.readable and before[image.source_ref] == "deferred"]


def _pin(files: Files, number: int, open_images: list[Image]) -> dict[str, Any]:
    """What the round works with, written once: no promotion and no restart mixes models within a round."""
    champion = models.champion()
    if champion is None:
        accepting = rounds.accepting_rounds(files, number)
        return {"round": number, "model": "", "endpoint": "", "thresholds_uri": "", "accepting_rounds": accepting}
    acceptable = sum(not image.item.sampled for image in open_images)
    return {
        "round": number,
        "model": champion.value["version"],
        "endpoint": champion.value["endpoint"],
        "engine": champion.value.get("engine", "yolo"),
        **rounds.pin(files, number, champion.value["thresholds_uri"], acceptable),
    }


def _unseen(files: Files, number: int, model: str, everything: list[Image], open_images: list[Image]) -> list[Image]:
    """An unchanged model does not infer again: what it saw in any round of this batch still holds, and what killed it
    would kill it again.
    """
    if not model:
        return []
    seen = batches.seen(files.batch_id, model, number, everything)
    known = {*seen.usable, *seen.refused, *batches.poison(files.batch_id, model, number)}
    return [image for image in open_images if image.source_ref not in known]


def _request(image: Image) -> dict[str, Any]:
    version = image.inspection.version_id if image.inspection else None
    return {"source-ref": image.source_ref} | ({"version-id": version} if version else {})
