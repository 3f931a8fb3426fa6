"""Objects that are written once and never change: each carries the SHA-256 of its bytes, which every reader verifies.

The hash stands in the object's metadata. Whoever edits the object puts a new one, and the metadata goes with the old.
A hash of the key stands beside it: whoever copies another object over this one brings that one's metadata along.
Version 0.1 wrote neither: what has no hash is read only while it is the one version that the bucket ever had of it.
What was deleted is not what was never written: the versioned bucket remembers it, and every reader stops.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts.errors import ChangedObjectError, TransientError
from labelloop.contracts.records import parse_lines
from labelloop.contracts.settings import settings
from labelloop.store import aws, storage

_HASH = "sha256"
_KEY_HASH = "key-sha256"


def create(key: str, body: bytes, content_type: str = "application/octet-stream") -> bool:
    """Writes once (If-None-Match: *). False when the object exists already; it is left as it is."""
    try:
        aws.client("s3").put_object(
            Bucket=settings().data_bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            Metadata={_HASH: hashlib.sha256(body).hexdigest(), _KEY_HASH: _hash_of_key(key)},
            IfNoneMatch="*",
        )
    except ClientError as error:
        if aws.error_code(error) == "ConditionalRequestConflict":
            raise TransientError(f"{storage.uri(key)} is being written by somebody else") from error
        if aws.error_code(error) in storage.LOST_RACE:
            return False
        raise
    return True


def create_json(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Writes once and returns what is stored: this value, or the one that was there first."""
    return dict(value) if create(key, storage.json_bytes(value), "application/json") else read_json(key)


def create_lines(key: str, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Writes once and returns the stored lines: these, or the ones that were there first."""
    body = storage.lines_bytes(records)
    if create(key, body, "application/jsonlines"):
        return list(parse_lines(body.decode("utf-8"), storage.uri(key)))
    return read_lines(key)


def create_text_lines(key: str, lines: Iterable[str]) -> list[str]:
    """Writes once and returns the stored lines: these, or the ones that were there first."""
    text = list(lines)
    return text if create(key, storage.text_bytes(text), "application/jsonlines") else read_text_lines(key)


def read(key: str, sha256: str = "") -> bytes:
    """The bytes as they were created; `sha256`: what whoever refers to the object says of them.

    Raises MissingObjectError where it was never created, ChangedObjectError where it was deleted or has other bytes.
    """
    try:
        body, metadata = storage.read_with_metadata(key)
    except storage.MissingObjectError as error:
        if storage.was_written(key):
            raise _deleted(key) from error
        raise
    found = hashlib.sha256(body).hexdigest()
    expected = {metadata.get(_HASH, ""), sha256} - {""}
    misplaced = metadata.get(_KEY_HASH, _hash_of_key(key)) != _hash_of_key(key)
    if misplaced or expected - {found} or (not expected and storage.was_written(key, more_than_once=True)):
        raise _changed(key)
    return body


def read_json(key: str) -> dict[str, Any]:
    return dict(json.loads(read(key)))


def find_json(key: str) -> dict[str, Any] | None:
    """None where the object was not created yet."""
    try:
        return read_json(key)
    except storage.MissingObjectError:
        return None


def read_lines(key: str) -> list[dict[str, Any]]:
    return list(parse_lines(read(key).decode("utf-8"), storage.uri(key)))


def find_lines(key: str) -> list[dict[str, Any]] | None:
    """None where the object was not created yet."""
    try:
        return read_lines(key)
    except storage.MissingObjectError:
        return None


def read_text_lines(key: str, sha256: str = "") -> list[str]:
    """The non-empty lines as they are."""
    return storage.text_lines(read(key, sha256))


def find_text_lines(key: str) -> list[str]:
    """The non-empty lines as they are; none where the object was not created yet."""
    try:
        return read_text_lines(key)
    except storage.MissingObjectError:
        return []


def _hash_of_key(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def _deleted(key: str) -> ChangedObjectError:
    return ChangedObjectError(
        f"{storage.uri(key)} is not there any more, although it was written: it was deleted, and going on without it "
        f"would lose what it says. {storage.restoring(key)}"
    )


def _changed(key: str) -> ChangedObjectError:
    return ChangedObjectError(
        f"{storage.uri(key)} was changed after it was written: its bytes do not have the SHA-256 that was noted for "
        f"them, so nothing is built on it. {storage.restoring(key)}"
    )
