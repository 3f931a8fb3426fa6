"""Objects that change under their key while a batch works on them.

A `source-ref` carries no version, so whoever follows it sees the newest bytes. A batch works on the bytes it
registered: where a key holds others, or nothing, an open image is copied from its pinned version to `canonical/`, and
goes by that name from the next round on; a label that may have been made on the other bytes is not taken.
"""

import itertools
import os.path
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from labelloop.batch.batches import Image
from labelloop.contracts import naming
from labelloop.contracts.layout import Files
from labelloop.contracts.records import InventoryItem
from labelloop.contracts.settings import settings
from labelloop.store import aws, refusals, storage
from labelloop.store.observability import count, logger
from labelloop.store.refusals import InaccessibleObjectError
from labelloop.store.storage import MissingObjectError

CHANGED = "image-changed"


def changed(everything: Sequence[Image]) -> list[Image]:
    """The readable images whose key holds nothing by now, or other bytes than the pinned ones, or held such meanwhile.

    One listing for every 1,000 keys. The same bytes uploaded again have the same ETag and change nothing.
    """
    at_risk = [image for image in everything if image.readable and image.source_ref == storage.uri(image.item.key)]
    if not at_risk:
        return []
    same = _untouched({image.item.key: image.item for image in at_risk})
    return [image for image in at_risk if image.item.key not in same]


def secure(files: Files, number: int, open_images: Sequence[Image]) -> int:
    """Gives changed images their pinned bytes under a name of their own; how many there were.

    A round that is started again keeps the names it gave before.
    """
    looks = [(image, _copied(files, image)) for image in changed(open_images)]
    denied = [look for _, look in looks if isinstance(look, InaccessibleObjectError) and not look.certain]
    copied = any(isinstance(look, str) for _, look in looks)
    if denied and not copied:  # perhaps all would be
        others = {image.item for image in open_images} - {image.item for image, _ in looks}
        if not storage.any_readable(sorted((item.key, item.version_id) for item in others)):
            raise denied[0]
    moved = [_record(image, look) for image, look in looks]
    if moved:
        storage.write_lines(files.moved(number), [*(storage.find_lines(files.moved(number)) or ()), *moved])
        count("ImagesChanged", len(moved))
        logger.warning(
            "images changed after they were registered; those bytes are used where they are", images=len(moved)
        )
    return len(moved)


def _copied(files: Files, image: Image) -> str | MissingObjectError | InaccessibleObjectError:
    """The URI of the pinned bytes' copy, or why there is none."""
    found, item = image.inspection, image.item
    assert found is not None  # readable
    suffix = os.path.splitext(item.key)[1].lower()[:8]  # noqa: PTH122 - a key is not a path
    key = f"canonical/{files.batch_id}/{found.sha256}-{naming.digest(item.key)}{suffix}"
    try:
        with refusals.reading(storage.uri(item.key)):
            return storage.copy(storage.uri(item.key), key, item.version_id)
    except (MissingObjectError, InaccessibleObjectError) as error:
        return error


def _record(image: Image, look: str | MissingObjectError | InaccessibleObjectError) -> dict[str, object]:
    """The inspection as it is from now on; where the pinned version cannot be had any more, nobody can label it."""
    found = image.inspection
    assert found is not None  # readable
    if isinstance(look, str):
        return replace(found, source_ref=look, original_ref=storage.uri(image.item.key), version_id=None).to_json()
    reason = "missing" if isinstance(look, MissingObjectError) else refusals.INACCESSIBLE
    detail = f"it changed after it was registered, and {look}"
    return replace(found, status="rejected", reason=reason, detail=detail).to_json()


def _untouched(items: Mapping[str, InventoryItem]) -> set[str]:
    """The keys that hold the pinned bytes and held no others since: whoever looked while others were there saw those.

    Where the pinned version itself is gone, the newest bytes alone tell.
    """
    pages = (
        aws.client("s3")
        .get_paginator("list_object_versions")
        .paginate(Bucket=settings().data_bucket, Prefix=_folder(items))
    )
    holding: set[str] = set()
    with_others: set[str] = set()
    settled: set[str] = set()  # the pinned version was passed: older ones do not matter
    for entry in (entry for page in pages for entry in page.get("Versions", ())):  # of a key the newest comes first
        key = entry["Key"]
        if key not in items or key in settled:
            continue
        same = entry["ETag"].strip('"') == items[key].etag
        if entry["IsLatest"] and same:
            holding.add(key)
        if not same:
            with_others.add(key)
        if entry.get("VersionId") == (items[key].version_id or "null"):
            settled.add(key)
    return holding - (with_others & settled)


def _folder(keys: Iterable[str]) -> str:
    """What all keys begin with, up to a slash."""
    listed = sorted(keys)
    same = zip(listed[0], listed[-1], strict=False)
    common = "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], same))
    return common.rpartition("/")[0] + "/"
