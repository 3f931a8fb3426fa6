"""Register Batch: becomes the batch's owner, pins its inventory and draws the random sample."""

from typing import Any

from labelloop.batch import inventory
from labelloop.contracts import events, markers, naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.markers import Marker
from labelloop.contracts.settings import settings
from labelloop.store import ledger, refusals, settings_documents, storage
from labelloop.store.observability import count, entry, logger

NOTHING_TO_DO = {
    "already-owned": "already-owned",
    "already-finished": "already-labeled",
    "superseded": "superseded",
}


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Input `event`: an S3 event's detail, or `{"bucket": {"name"}, "object": {"key"}, "resume"?}` from a person."""
    trigger, execution = event["event"], event["execution"]
    bucket, key = events.named(trigger, "bucket", "name"), events.named(trigger, "object", "key")
    pinned = events.named(trigger, "object", "version-id") if trigger["object"].get("version-id") else None
    prefix = markers.prefix_of(key)
    with refusals.reading(storage.uri(key)):
        found = storage.head(key, pinned)
        body = storage.read(key, found.get("VersionId"), markers.MOST_BYTES) if found else b""
    if found is None or bucket != settings().data_bucket:
        raise InvalidInputError(f"there is no marker s3://{bucket}/{key} in the data bucket")
    version = found.get("VersionId") or found["ETag"].strip('"')
    delivery = ledger.delivery_number(bucket, prefix, version)
    batch_id = naming.batch_id(bucket, prefix, delivery)
    claim = ledger.claim_batch(batch_id, execution, resume=trigger.get("resume") is True)
    marker = markers.parse(body, storage.uri(key))
    if claim.status == "owned":
        settings_documents.pin_batch(batch_id, claim.attempt)
    state = _state(batch_id, marker, prefix, claim.attempt)
    if claim.status != "owned":
        logger.info("nothing to do", batch_id=batch_id, status=claim.status, successor=claim.successor)
        return {**state, "status": NOTHING_TO_DO[claim.status], "successor": claim.successor}

    started = found["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000000")
    facts = {"bucket": bucket, "prefix": prefix, "marker_version": version, "started": started}
    facts["labels_attribute"] = marker.attribute
    if left := ledger.batch(batch_id).get("left_behind"):  # a restart pins no inventory, and tells it all the same
        facts["left_behind"] = left
    ledger.note_batch(batch_id, facts)
    objects = inventory.pin(batch_id, facts, prefix, delivery, marker)
    count("ImagesRegistered", len(objects))
    logger.info("batch registered", batch_id=batch_id, objects=len(objects), attempt=claim.attempt)
    state["batch"]["objects"] = len(objects)
    state["batch"]["estimate"] = storage.read_json(Files(batch_id).estimate)["sentence"]
    state["progress"]["next_round"] = ledger.rounds_done(batch_id) + 1
    return state


def _state(batch_id: str, marker: Marker, prefix: str, attempt: int) -> dict[str, Any]:
    knobs = settings()
    no_need = storage.read_pointer("models/champion") is not None
    return {
        "status": "registered",
        "batch": {
            "id": batch_id,
            "bucket": knobs.data_bucket,
            "objects": 0,
            "attempt": attempt,
            "inspect_key": Files(batch_id).inspect_items,
            "labels_uri": inventory.labels_uri(marker, prefix),
            "starting_model": "" if no_need else knobs.starting_model,
        },
        "settings": {
            "inspect_concurrency": knobs.inspect_concurrency,
            "inference_concurrency": knobs.inference_concurrency,  # read by machines of version 0.1
            "inference_timeout_seconds": knobs.inference_timeout_seconds,
            "labeling_timeout_seconds": knobs.labeling_timeout_seconds,
            "training_timeout_seconds": knobs.training_wait_seconds,
            "deployment_timeout_seconds": knobs.deployment_timeout_seconds,
            "nested_timeout_seconds": knobs.nested_timeout_seconds,
        },
        "round": {"number": 0},
        "progress": {"next_round": 1, "retrain": False},
    }
