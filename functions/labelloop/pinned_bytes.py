"""Objects that change under their key while a batch works on them.

A `source-ref` carries no version, so whoever follows it sees the newest bytes. A batch works on the bytes it
registered: where a key holds others, or nothing, an open image is copied from its pinned version to `canonical/`, and
goes by that name from the next round on; a label that may have been made on the other bytes is not taken.
"""

import itertools
import os.path
from collections.abc import Iterable, Sequence
from dataclasses import replace

from labelloop import aws, naming, storage
from labelloop.batches import Files, Image
from labelloop.observability import count, logger
from labelloop.settings import settings

CHANGED = "image-changed"


def changed(everything: Sequence[Image]) -> list[Image]:
    """The readable images whose key holds other bytes than the pinned ones by now, or nothing.

    One listing for every 1,000 keys. The same bytes uploaded again have the same ETag and change nothing.
    """
    at_risk = [image for image in everything if image.readable and image.source_ref == storage.uri(image.item.key)]
    if not at_risk:
        return []
    newest = _newest_etags(_folder(image.item.key for image in at_risk))
    return [image for image in at_risk if newest.get(image.item.key) != image.item.etag]


def secure(files: Files, number: int, open_images: Sequence[Image]) -> int:
    """Gives changed images their pinned bytes under a name of their own; how many there were.

    A round that is started again keeps the names it gave before.
    """
    moved = [record for image in changed(open_images) if (record := _copied(files, image)) is not None]
    if moved:
        storage.write_lines(files.moved(number), [*(storage.find_lines(files.moved(number)) or ()), *moved])
        count("ImagesChanged", len(moved))
        logger.warning("images changed after they were registered; the registered bytes are used", images=len(moved))
    return len(moved)


def _copied(files: Files, image: Image) -> dict[str, object] | None:
    """The inspection as it is from now on; None where the pinned version is gone, too."""
    found, item = image.inspection, image.item
    assert found is not None  # readable
    suffix = os.path.splitext(item.key)[1].lower()[:8]  # noqa: PTH122 - a key is no path
    key = f"canonical/{files.batch_id}/{found.sha256}-{naming.digest(item.key)}{suffix}"
    try:
        storage.copy(storage.uri(item.key), key, item.version_id)
    except storage.MissingObjectError:
        return None
    moved = replace(found, source_ref=storage.uri(key), original_ref=storage.uri(item.key), version_id=None)
    return moved.to_json()


def _newest_etags(prefix: str) -> dict[str, str]:
    pages = (
        aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=settings().data_bucket, Prefix=prefix)
    )
    versions = (entry for page in pages for entry in page.get("Versions", ()) if entry["IsLatest"])
    return {entry["Key"]: entry["ETag"].strip('"') for entry in versions}


def _folder(keys: Iterable[str]) -> str:
    """What all keys begin with, up to a slash."""
    listed = sorted(keys)
    same = zip(listed[0], listed[-1], strict=False)
    common = "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], same))
    return common.rpartition("/")[0] + "/"
