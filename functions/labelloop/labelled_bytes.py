"""Whether the images of published labels still hold what was labelled.

A `source-ref` carries no version, and people tidy up, or overwrite, what is labelled. A label's provenance names the
version that was labelled; the bucket keeps it. A label that names none, of version 0.1 or of a canonical rendition, is
taken as it is.
"""

import json
import os.path
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labelloop import naming, storage
from labelloop.observability import count, logger
from labelloop.records import dump_line

CONCURRENT = 16


def as_labelled(source_ref: str, provenance: Mapping[str, Any]) -> bool:
    if "version-id" not in provenance:
        return True
    found = storage.head(storage.own_key(source_ref))
    return found is not None and found.get("VersionId") == provenance["version-id"]


def secure(lines: Sequence[str], folder: str) -> list[str]:
    """These manifest lines; where the image is not what was labelled, the labelled version is copied into `folder`.
    Lines whose image is gone for good are left out: a training job fails over one object that is not there.
    """
    with ThreadPoolExecutor(CONCURRENT) as pool:
        secured = list(pool.map(lambda line: _secure(line, folder), lines))
    moved = sum(line is not None and line != before for line, before in zip(secured, lines, strict=True))
    gone = secured.count(None)
    if moved or gone:
        count("ImagesChanged", moved)
        count("ImagesGone", gone)
        logger.warning("images changed after they were labelled", labelled_version_used=moved, left_out=gone)
    return [line for line in secured if line is not None]


def _secure(line: str, folder: str) -> str | None:
    record = json.loads(line)
    reference, provenance = record["source-ref"], record.get("provenance", {})
    if as_labelled(reference, provenance):
        return line
    key = storage.own_key(reference)
    suffix = os.path.splitext(key)[1].lower()[:8]  # noqa: PTH122 - a key is no path
    kept = f"{folder}/{provenance['sha256']}-{naming.digest(key)}{suffix}"
    try:
        if not storage.exists(kept):
            storage.copy(reference, kept, provenance["version-id"])
    except storage.MissingObjectError:
        return None
    return dump_line({**record, "source-ref": storage.uri(kept), "original-ref": reference})
