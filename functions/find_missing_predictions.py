"""Find Missing Predictions: compares a round's images with the answers in S3, prepares requests for single images, and
says at last whether what is missing is the images' fault or the endpoint's.
"""

import time
from typing import Any

from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import immutable, storage
from labelloop.store.observability import count, entry, logger
from labelloop.trust import inference
from labelloop.trust.inference import CONCURRENCY, Silence


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The answer is what Infer Shards asks next. `attempt` counts the attempts already made; the answer's count is 0
    when nothing is missing, when asking again is of no use, or when no attempt or no time is left.
    """
    files, number, attempt = Files(event["batch_id"]), int(event["round"]), int(event["attempt"]) + 1
    until = int(event.get("until") or time.time() + 60)
    shards = _asked(files, number)
    answered = batches.answered(files.batch_id, number)
    missing = [request for shard in shards for request in shard if request["source-ref"] not in answered]
    control = _control(files, number, shards, answered) if missing else {}
    silence = Silence(
        missing=len(missing),
        shards=len(shards),
        any_answer=bool(answered),
        has_control=bool(control),
        control_answered=bool(missing) and _control_answered(files, number, until),
        overdue=time.time() >= until,
    )
    next_step = inference.what_next(silence, attempt)
    if missing:
        count("PredictionsMissing", len(missing))
        logger.warning("predictions are missing", missing=len(missing), attempt=attempt, next=next_step)
    if next_step != "ask":
        _note(files, number, sum(map(len, shards)), [request["source-ref"] for request in missing], next_step)
        return {"count": 0, "attempt": attempt, "concurrency": 1, "requests_key": ""}
    key = batches.write_shards(files, f"single-{number}-{attempt}", missing, 1)
    if CONCURRENCY[attempt] == 1 and control:
        _add_control(files, number, key, control, until)
    return {"count": len(missing), "attempt": attempt, "concurrency": CONCURRENCY[attempt], "requests_key": key}


def _asked(files: Files, number: int) -> list[list[dict[str, Any]]]:
    """The requests of each shard."""
    items = storage.read_lines(files.shard(f"infer-{number}"))
    return [storage.read_lines(storage.own_key(item["uri"])) for item in items]


def _control(files: Files, number: int, shards: list[list[dict[str, Any]]], answered: set[str]) -> dict[str, Any]:
    """The request for an image that the model has answered about, in this round (before a restart, too) or an earlier
    one; else empty.
    """
    requests = {request["source-ref"]: request for shard in shards for request in shard}
    here = [reference for reference in answered if reference in requests]
    if here:
        return requests[inference.control_of(here, ())]
    model = (immutable.find_json(files.round(number)) or {"model": ""})["model"]
    if not model:
        return {}
    known = batches.seen(files.batch_id, model, number, batches.images(files.batch_id, number)).usable
    reference = inference.control_of((), tuple(known))
    return {"source-ref": reference} if reference else {}


def _add_control(files: Files, number: int, key: str, control: dict[str, Any], until: int) -> None:
    """Last in the list: when it is answered, the endpoint was there while the others were asked."""
    shard = batches.control_shard(number, until)
    uri = storage.write_lines(files.shard(shard), [control])
    storage.write_lines(key, [*storage.read_lines(key), {"shard": shard, "uri": uri}])


def _control_answered(files: Files, number: int, until: int) -> bool:
    prefix = f"{files.control(number)}{batches.control_shard(number, until)}"
    return next(storage.keys(prefix), None) is not None


def _note(files: Files, number: int, asked: int, missing: list[str], why: str) -> None:
    outage = ""
    if why == "outage":
        count("InferenceGaveNothing")
        outage = f"the endpoint gave no prediction for {len(missing)} of {asked} images; they wait for a later round"
        logger.error("inference gave nothing", missing=len(missing), asked=asked)
    poison = missing if why == "poison" else []
    batches.note_inference(files, number, asked, outage, poison)
