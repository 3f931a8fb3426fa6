"""Inspect Images: hashes and checks the objects of one shard, and writes canonical renditions where the stored
pixels differ.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from labelloop import immutable, naming, pixels, storage
from labelloop.batches import Files
from labelloop.observability import count, entry, logger
from labelloop.pixels import Limits, RejectedImage
from labelloop.records import Inspection, InventoryItem
from labelloop.settings import settings

CONCURRENT_READS = 4
# What an image takes at most while its pixels are decoded, turned and written, and what Python takes by itself.
BYTES_PER_PIXEL = 20
BYTES_OF_THE_RUNTIME = 200_000_000


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, shard = Files(event["batch_id"]), event["shard"]
    if storage.exists(files.inspected(shard)):
        return {"shard": shard, "images": 0}
    items = [InventoryItem.from_json(record) for record in storage.read_lines(storage.own_key(event["objects_uri"]))]
    decoders = BoundedSemaphore(concurrent_decodes(int(context.memory_limit_in_mb), _limits()))
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        inspections = list(pool.map(lambda item: inspect(item, files.batch_id, decoders), items))
    immutable.create_lines(files.inspected(shard), [inspection.to_json() for inspection in inspections])
    rejected = sum(inspection.status == "rejected" for inspection in inspections)
    count("ImagesInspected", len(inspections))
    count("ImagesRejected", rejected)
    logger.info("shard inspected", images=len(inspections), rejected=rejected)
    return {"shard": shard, "images": len(inspections)}


def concurrent_decodes(memory_mb: int, limits: Limits) -> int:
    """How many of the largest images that are allowed fit into the memory at once; at least one."""
    room = memory_mb * 2**20 - BYTES_OF_THE_RUNTIME - CONCURRENT_READS * limits.max_bytes
    return max(1, room // (BYTES_PER_PIXEL * limits.max_pixels))


def inspect(item: InventoryItem, batch_id: str, decoders: BoundedSemaphore) -> Inspection:
    """One object; a refusal is a record, never an exception. Network and throttling errors do raise: the shard is
    retried.
    """
    limits = _limits()
    if any(part in ("", ".", "..") for part in item.key.split("/")):
        return _rejected(
            item, "unsupported-key", "the key has an empty, '.' or '..' part: training cannot store it as a file"
        )
    if item.size > limits.max_bytes:
        return _rejected(item, "too-large", f"{item.size} bytes, at most {limits.max_bytes} are allowed")
    try:
        data = storage.read(item.key, item.version_id)
    except storage.MissingObjectError as error:
        return _rejected(item, "missing", str(error))
    with decoders:
        return _inspect_bytes(item, data, batch_id, limits)


def _inspect_bytes(item: InventoryItem, data: bytes, batch_id: str, limits: Limits) -> Inspection:
    sha256, original = hashlib.sha256(data).hexdigest(), storage.uri(item.key)
    try:
        canonical = pixels.canonicalise(data, limits)
    except RejectedImage as refusal:
        return _rejected(item, refusal.reason, refusal.detail, sha256)
    if canonical.unchanged:
        return Inspection(item.key, "ok", original, None, item.version_id, sha256, canonical.width, canonical.height)
    written = pixels.rendition(canonical)
    rendition = storage.write(
        f"canonical/{batch_id}/{sha256}-{naming.digest(item.key)}.{written.suffix}", written.body, written.content_type
    )
    return Inspection(
        item.key, "ok", rendition, original, None, sha256, canonical.width, canonical.height, scale=canonical.scale
    )


def _limits() -> Limits:
    knobs = settings()
    return Limits(knobs.max_image_bytes, knobs.max_image_pixels, knobs.min_image_side)


def _rejected(item: InventoryItem, reason: str, detail: str, sha256: str | None = None) -> Inspection:
    return Inspection(
        item.key, "rejected", storage.uri(item.key), None, item.version_id, sha256, reason=reason, detail=detail
    )
