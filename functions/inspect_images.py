"""Inspect Images: hashes and checks the objects of one shard, and writes canonical renditions where the stored
pixels differ, or where not everything that handles a name can handle the object's.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.layout import Files
from labelloop.contracts.records import Inspection, InventoryItem
from labelloop.contracts.settings import settings
from labelloop.pictures import pixels
from labelloop.pictures.pixels import Limits, RejectedImage
from labelloop.store import immutable, refusals, storage
from labelloop.store.observability import count, entry, logger
from labelloop.store.refusals import InaccessibleObjectError

CONCURRENT_READS = 4
# What an image takes at most while its pixels are decoded, turned and written, beside a copy of its file, and what
# Python takes by itself.
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
        looks = list(pool.map(lambda item: inspect(item, files.batch_id, decoders), items))
    inspections = _settled(files, items, looks)
    immutable.create_lines(files.inspected(shard), [inspection.to_json() for inspection in inspections])
    rejected = sum(inspection.status == "rejected" for inspection in inspections)
    count("ImagesInspected", len(inspections))
    count("ImagesRejected", rejected)
    logger.info("shard inspected", images=len(inspections), rejected=rejected)
    return {"shard": shard, "images": len(inspections)}


def concurrent_decodes(memory_mb: int, limits: Limits) -> int:
    """How many of the largest images that are allowed fit into the memory at once; at least one."""
    room = memory_mb * 2**20 - BYTES_OF_THE_RUNTIME - CONCURRENT_READS * limits.max_bytes
    return max(1, room // (BYTES_PER_PIXEL * limits.max_pixels + limits.max_bytes))


def inspect(item: InventoryItem, batch_id: str, decoders: BoundedSemaphore) -> Inspection | InaccessibleObjectError:
    """One object; a refusal is a record, never an exception.

    Network and throttling errors do raise: the shard is retried.
    """
    limits = _limits()
    if item.size > limits.max_bytes:
        return _rejected(item, "too-large", f"{item.size} bytes, at most {limits.max_bytes} are allowed")
    try:
        with refusals.reading(storage.uri(item.key)):
            data = storage.read(item.key, item.version_id)
    except storage.MissingObjectError as error:
        return _rejected(item, "missing", str(error))
    except InaccessibleObjectError as error:
        return error
    with decoders:
        return _under_a_plain_name(_inspect_bytes(item, data, batch_id, limits), data, batch_id)


def _settled(
    files: Files, items: Sequence[InventoryItem], looks: Sequence[Inspection | InaccessibleObjectError]
) -> list[Inspection]:
    """The inspections; objects that are not handed out are rejected. Raises InaccessibleObjectError where it may be the
    function that has no rights: nothing is known about the images then.
    """
    doubtful = [look for look in looks if isinstance(look, InaccessibleObjectError) and not look.certain]
    were_read = any(isinstance(look, Inspection) and look.sha256 for look in looks)
    if doubtful and not were_read and not storage.any_readable(_elsewhere(files, items)):
        raise doubtful[0]
    return [
        look if isinstance(look, Inspection) else _rejected(item, refusals.INACCESSIBLE, str(look))
        for item, look in zip(items, looks, strict=True)
    ]


def _elsewhere(files: Files, items: Sequence[InventoryItem]) -> list[tuple[str, str | None]]:
    """The objects of the batch that are not in this shard."""
    here = {item.key for item in items}
    pinned = map(InventoryItem.from_json, immutable.read_lines(files.inventory))
    return [(item.key, item.version_id) for item in pinned if item.key not in here]


def _under_a_plain_name(found: Inspection, data: bytes, batch_id: str) -> Inspection:
    """Where a browser or a manifest would take the key for another one, the same bytes get a name of ours."""
    if found.status != "ok" or found.original_ref is not None or naming.is_plain_key(found.key):
        return found
    suffix, kind = (".png", "image/png") if data.startswith(b"\x89PNG") else (".jpg", "image/jpeg")
    copy = storage.write(f"canonical/{batch_id}/{found.sha256}-{naming.digest(found.key)}{suffix}", data, kind)
    return replace(found, source_ref=copy, original_ref=found.source_ref, version_id=None)


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
    return Limits(knobs.max_image_bytes, knobs.max_image_pixels, knobs.min_image_side, knobs.pixel_window)


def _rejected(item: InventoryItem, reason: str, detail: str, sha256: str | None = None) -> Inspection:
    return Inspection(
        item.key, "rejected", storage.uri(item.key), None, item.version_id, sha256, reason=reason, detail=detail
    )
