"""The images of a training job: copies under names of ours, of the versions that were labelled.

SageMaker stores what a job fetches as files under their keys, and a bucket holds keys that no file system does: a part
over 255 bytes, `a.jpg` beside `a.jpg/b.jpg`, two names that a disk takes for one. One such object fails every job. So
no key becomes a file's name: each image is copied once, within S3, to `training-images/<hash><suffix>`, whatever it is
(an upload, a rendition, an old version), and all jobs share the copy.

A `source-ref` carries no version, and people tidy up, or overwrite, what is labelled. A label's provenance names the
version that was labelled; the bucket keeps it, and that version is copied. A label that names none, of version 0.1 or
of a canonical rendition, is taken as it is.

Copies are not data: the bucket's lifecycle removes each after EXPIRY_DAYS, and the next training makes it again where
the labelled version is still there. So a picture that its owner purged trains no longer than that; who wants it sooner
deletes the copies, which nothing else needs.

1,000 images that are new take about a second where S3 takes 25 ms for each copy (measured without TLS, on two busy
cores: bench/training_copies.py), 100,000 so a few of the function's 15 minutes; what is copied stays copied when they
run out. The listing takes one call for 1,000 copies.
"""

import json
import os.path
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts import naming
from labelloop.contracts.records import dump_line
from labelloop.store import aws, refusals, storage
from labelloop.store.observability import count, logger
from labelloop.store.refusals import InaccessibleObjectError

FOLDER = "training-images/"
EXPIRY_DAYS = 30  # LifecycleConfiguration of the data bucket
SHORTEST_LIFE_DAYS = 8  # a training execution lasts seven at most
CONCURRENT = 32
ATTRIBUTE = "training-ref"


@dataclass(frozen=True)
class Secured:
    """The lines of each role with their copies, and for each line that is left out its image and why."""

    lines: Mapping[str, list[str]]
    left_out: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class _Copy:
    """What is copied for one line, and where to."""

    reference: str
    version_id: str | None
    key: str

    @property
    def source(self) -> tuple[str, str | None]:
        return storage.own_key(self.reference), self.version_id


def as_labelled(source_ref: str, provenance: Mapping[str, Any]) -> bool:
    """Whether an image still holds what was labelled, and can be shown to people."""
    if "version-id" not in provenance:
        return True
    try:
        with refusals.reading(source_ref):
            found = storage.head(storage.own_key(source_ref))
    except (InaccessibleObjectError, ClientError) as error:
        # An answer to HEAD has no body: whose key S3 lacks (SSE-C), or may not use (KMS), is a bare 400.
        if isinstance(error, ClientError) and aws.error_code(error) != "400":
            raise
        logger.warning("a labelled image cannot be read", object=source_ref, why=str(error))
        return False
    return found is not None and found.get("VersionId") == provenance["version-id"]


def secure(roles: Mapping[str, Sequence[str]]) -> Secured:
    """The manifest lines of each role, with `training-ref`: the copy of what was labelled. Copies what has no copy yet.

    Lines whose image is gone for good, or not handed out by S3, are left out: a training job fails over one object that
    is not there. Raises InaccessibleObjectError where S3 hands out nothing at all: that is no fault of the images.
    """
    copies = {line: _copy_of(line) for lines in roles.values() for line in lines}
    known = _kept()
    missing = {copy.key: copy for copy in copies.values() if copy.key not in known}
    with ThreadPoolExecutor(CONCURRENT) as pool:
        failed = dict(zip(missing, pool.map(_make, missing.values()), strict=True))
    left_out = {key: why for key, why in failed.items() if why is not None}
    refused = [why for why in left_out.values() if isinstance(why, InaccessibleObjectError) and not why.certain]
    if refused and len(left_out) == len(missing):
        others = [copy.source for copy in copies.values() if copy.key not in left_out]
        if not storage.any_readable(others):
            raise refused[0]
    _tell(len(missing) - len(left_out), left_out.values())
    return Secured(
        {
            role: [_with_copy(line, copies[line].key) for line in lines if copies[line].key not in left_out]
            for role, lines in roles.items()
        },
        tuple({"source-ref": missing[key].reference, "why": str(why)} for key, why in left_out.items()),
    )


def _kept() -> set[str]:
    """The copies that no lifecycle rule removes before a job that begins now has fetched them."""
    oldest = datetime.now(UTC) - timedelta(days=EXPIRY_DAYS - SHORTEST_LIFE_DAYS)
    return {key for key, written in storage.keys_with_dates(FOLDER) if written > oldest}


def _copy_of(line: str) -> _Copy:
    record = json.loads(line)
    reference, provenance = record["source-ref"], record.get("provenance", {})
    return _Copy(reference, provenance.get("version-id"), copy_key(reference, provenance.get("sha256", "")))


def copy_key(reference: str, sha256: str) -> str:
    """Where the copy of this content of an object lies; of the object's name only a plain suffix is left."""
    suffix = os.path.splitext(reference)[1].lower()  # noqa: PTH122 - a key is not a path
    plain = suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 8 else ""
    return f"{FOLDER}{naming.digest(reference, sha256, length=40)}{plain}"


def _make(copy: _Copy) -> Exception | None:
    """Why there is no copy; None where there is one now."""
    try:
        with refusals.reading(copy.reference):
            storage.copy(copy.reference, copy.key, copy.version_id)
    except (storage.MissingObjectError, InaccessibleObjectError) as error:
        return error
    return None


def _tell(copied: int, left_out: Collection[Exception]) -> None:
    gone = sum(isinstance(why, storage.MissingObjectError) for why in left_out)
    inaccessible = len(left_out) - gone
    count("TrainingImagesCopied", copied)
    count("ImagesGone", gone)
    count("ImagesInaccessible", inaccessible)
    if left_out:
        first = str(next(iter(left_out)))
        logger.warning("labelled images do not train", gone=gone, inaccessible=inaccessible, first=first)


def _with_copy(line: str, key: str) -> str:
    return dump_line({**json.loads(line), ATTRIBUTE: storage.uri(key)})
