"""Begin Round: pins the champion for the whole round and lists the images that are still open."""

from typing import Any

from labelloop import immutable, storage
from labelloop.batches import Files, Image, images, outcomes, pin_uninspected, write_shards
from labelloop.observability import entry, logger
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number = Files(event["batch_id"]), int(event["round"])
    everything = images(files.batch_id)
    before = outcomes(files.batch_id, everything, number - 1)
    open_images = [image for image in everything if image.readable and before[image.source_ref] == "deferred"]
    pin_uninspected(files.batch_id, number, everything)
    pinned = immutable.create_json(files.round(number), _pin(files, number))
    infer = bool(pinned["model"]) and pinned["predictions_round"] == number and bool(open_images)
    requests_key = (
        write_shards(files, f"infer-{number}", [_request(image) for image in open_images], settings().shard_size)
        if infer
        else ""
    )
    logger.info("round begins", round=number, open=len(open_images), model=pinned["model"], infer=infer)
    return {
        "number": number,
        "infer": infer,
        "model": pinned["model"],
        "endpoint": pinned["endpoint"],
        "requests_key": requests_key,
        "open": len(open_images),
        "missing": {"attempt": 0},
    }


def _pin(files: Files, number: int) -> dict[str, Any]:
    """What the round works with, written once: a promotion meanwhile, or a restart, never mixes models within a
    round.
    """
    champion = None if settings().marks_key_points else storage.read_pointer("models/champion")
    if champion is None:
        return {"round": number, "model": "", "endpoint": "", "thresholds_uri": "", "predictions_round": 0}
    pin = {key: champion.value[key] for key in ("endpoint", "thresholds_uri")} | {"model": champion.value["version"]}
    return {"round": number, **pin, "predictions_round": _round_with_predictions_of(pin["model"], files, number)}


def _round_with_predictions_of(model: str, files: Files, number: int) -> int:
    """An unchanged model does not infer again: what it saw in an earlier round of this batch still holds."""
    for earlier in range(1, number):
        pinned = immutable.find_json(files.round(earlier))
        if pinned and pinned["model"] == model:
            return earlier
    return number


def _request(image: Image) -> dict[str, Any]:
    version = image.inspection.version_id if image.inspection else None
    return {"source-ref": image.source_ref} | ({"version-id": version} if version else {})
