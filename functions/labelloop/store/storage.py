"""Objects in S3: JSON, JSON lines and pointers. Those that are written once have a module of their own: immutable.py.

Keys are raw everywhere (spaces, `+`, `%20`, quotes and emoji are just characters): a URI is split at the first `/`
after the bucket.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError, FlexibleChecksumError

from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.contracts.records import dump_line, parse_lines
from labelloop.contracts.settings import settings
from labelloop.store import aws, refusals

LOST_RACE = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_PROBES = 8
_DELIVERIES = 3  # of an object whose bytes do not have its checksum: on the way, that happens once


class MissingObjectError(Exception):
    """An object that an earlier step must have written, or a version that was pinned, is not there."""


@dataclass(frozen=True)
class Pointer:
    """A small JSON object that names the current version of something; `etag` guards the next flip."""

    value: dict[str, Any]
    etag: str


def uri(key: str, bucket: str | None = None) -> str:
    return f"s3://{bucket or settings().data_bucket}/{key}"


def split(reference: str) -> tuple[str, str]:
    """Bucket and raw key. Raises InvalidInputError unless it is `s3://<bucket>/<key>`."""
    bucket, _, key = reference.removeprefix("s3://").partition("/")
    if not reference.startswith("s3://") or not bucket or not key:
        raise InvalidInputError(f"expected s3://<bucket>/<key>, found {reference!r}")
    return bucket, key


def own_key(reference: str) -> str:
    """The key of an object in the data bucket. Raises InvalidInputError for any other bucket."""
    bucket, key = split(reference)
    if bucket != settings().data_bucket:
        raise InvalidInputError(
            f"{reference} lies outside the data bucket {settings().data_bucket}: copy it there first"
        )
    return key


def read(key: str, version_id: str | None = None, most: int | None = None) -> bytes:
    """The bytes. `most`: bytes that are read at most, of an object that others write.

    Raises InvalidInputError for a larger one, before anything is read.
    """
    return _get(key, version_id, most)[0]


def read_start(key: str, most: int) -> bytes:
    """The first bytes, `most` at most, however large the object is."""
    body = _open(key)["Body"]
    start = bytes(body.read(most))
    body.close()
    return start


def read_with_metadata(key: str, version_id: str | None = None) -> tuple[bytes, dict[str, str]]:
    """The bytes, and what their writer noted beside them."""
    return _get(key, version_id)


def _get(key: str, version_id: str | None = None, most: int | None = None) -> tuple[bytes, dict[str, str]]:
    for delivery in range(1, _DELIVERIES + 1):
        try:
            answer = _open(key, version_id)
            if most is not None and answer["ContentLength"] > most:
                answer["Body"].close()
                raise InvalidInputError(f"{uri(key)} has {answer['ContentLength']:,} bytes, at most {most:,} are read")
            return bytes(answer["Body"].read()), dict(answer.get("Metadata", {}))
        except FlexibleChecksumError:
            if delivery == _DELIVERIES:
                raise
    raise AssertionError("unreachable")


def _open(key: str, version_id: str | None = None) -> Mapping[str, Any]:
    try:
        return dict(aws.client("s3").get_object(**_request(key, version_id)))
    except ClientError as error:
        if refusals.is_missing(error):
            raise MissingObjectError(
                f"{uri(key)} is not there" + (f" in version {version_id}" if version_id else "")
            ) from error
        raise


def any_readable(objects: Sequence[tuple[str, str | None]]) -> bool:
    """Whether one of a few of these (key, version), taken from all over them, can be read: that others cannot is then
    not for want of rights.
    """
    for key, version_id in islice(objects[:: max(1, len(objects) // _PROBES)], _PROBES):
        try:
            with refusals.reading(uri(key)):
                aws.client("s3").get_object(**_request(key, version_id), Range="bytes=0-0")
        except refusals.InaccessibleObjectError:
            continue
        except ClientError as error:
            if aws.error_code(error) == "InvalidRange":  # it is empty, and may be read
                return True
            if not refusals.is_missing(error):
                raise
            continue
        return True
    return False


def _request(key: str, version_id: str | None) -> dict[str, str]:
    return {"Bucket": settings().data_bucket, "Key": key} | ({"VersionId": version_id} if version_id else {})


def read_json(key: str) -> dict[str, Any]:
    """Raises ChangedObjectError where it is not a JSON object any more."""
    body = read(key)
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise ChangedObjectError(f"{uri(key)} was changed: it is not a JSON object. {restoring(key)}") from error


def find_json(key: str) -> dict[str, Any] | None:
    try:
        return read_json(key)
    except MissingObjectError:
        return None


def read_lines(key: str) -> list[dict[str, Any]]:
    return list(parse_lines(read(key).decode("utf-8"), uri(key)))


def find_lines(key: str) -> list[dict[str, Any]] | None:
    try:
        return read_lines(key)
    except MissingObjectError:
        return None


def find_text_lines(key: str) -> list[str]:
    """The non-empty lines of a text object that somebody else wrote; none where it does not exist.

    Bytes that are no UTF-8 cost the line they are in, not the whole object: they read as U+FFFD.
    """
    try:
        return [line for line in read(key).decode("utf-8-sig", "replace").split("\n") if line.strip()]
    except MissingObjectError:
        return []


def head(key: str, version_id: str | None = None) -> dict[str, Any] | None:
    try:
        return dict(aws.client("s3").head_object(**_request(key, version_id)))
    except ClientError as error:
        if refusals.is_missing(error):
            return None
        raise


def exists(key: str) -> bool:
    return head(key) is not None


def write(key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
    aws.client("s3").put_object(Bucket=settings().data_bucket, Key=key, Body=body, ContentType=content_type)
    return uri(key)


def write_json(key: str, value: Mapping[str, Any]) -> str:
    return write(key, json_bytes(value), "application/json")


def write_lines(key: str, records: Iterable[Mapping[str, Any]]) -> str:
    return write(key, lines_bytes(records), "application/jsonlines")


def copy(source_uri: str, key: str, version_id: str | None = None) -> str:
    """Copies an object, or one version of it, within S3, without its tags: to read and to set those takes other rights.
    Raises MissingObjectError where it is not there.
    """
    bucket, source_key = split(source_uri)
    source = {"Bucket": bucket, "Key": source_key} | ({"VersionId": version_id} if version_id else {})
    try:
        aws.client("s3").copy_object(
            Bucket=settings().data_bucket, Key=key, CopySource=source, TaggingDirective="REPLACE"
        )
    except ClientError as error:
        if refusals.is_missing(error):
            raise MissingObjectError(f"{source_uri} is not there") from error
        raise
    return uri(key)


def keys(prefix: str) -> Iterator[str]:
    return (key for key, _ in keys_with_dates(prefix))


def keys_with_dates(prefix: str) -> Iterator[tuple[str, datetime]]:
    """Each key below a prefix, and when it was written."""
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=settings().data_bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            yield entry["Key"], entry["LastModified"]


def read_pointer(key: str) -> Pointer | None:
    """None where it was never set.

    Raises MissingObjectError where it was deleted, ChangedObjectError where it names no version.
    """
    try:
        answer = aws.client("s3").get_object(Bucket=settings().data_bucket, Key=key)
    except ClientError as error:
        if not refusals.is_missing(error):
            raise
        if was_written(key):
            raise MissingObjectError(
                f"{uri(key)} is gone, although it was there: starting anew without it would lose all that it led to. "
                f"{restoring(key)}"
            ) from error
        return None
    return Pointer(_pointed(key, answer["Body"].read()), answer["ETag"])


def _pointed(key: str, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("version"), str):
        raise ChangedObjectError(
            f"{uri(key)} was changed: it is not a JSON object that names a version. {restoring(key)}"
        )
    return value


def keys_ever(prefix: str) -> set[str]:
    """The keys below a prefix, those of deleted objects included."""
    pages = (
        aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=settings().data_bucket, Prefix=prefix)
    )
    return {entry["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())}


def was_written(key: str, more_than_once: bool = False) -> bool:
    """Whether the versioned bucket remembers a version of the object, or more than one, deleted ones included."""
    answer = aws.client("s3").list_object_versions(Bucket=settings().data_bucket, Prefix=key, MaxKeys=20)
    changes = [entry for kind in ("Versions", "DeleteMarkers") for entry in answer.get(kind, ()) if entry["Key"] == key]
    return len(changes) > more_than_once


def restoring(key: str) -> str:
    """What a person does to bring back the right bytes of an object."""
    bucket = settings().data_bucket
    return (
        f"The bucket keeps earlier versions: find the right one (aws s3api list-object-versions --bucket {bucket} "
        f"--prefix '{key}'), delete the versions and delete markers that came after it (aws s3api delete-object "
        "--version-id ...), then start the same execution again. Nothing else is lost"
    )


def flip_pointer(key: str, value: Mapping[str, Any], seen: Pointer | None) -> bool:
    """Moves a pointer if nobody moved it since it was `seen` (If-Match, or If-None-Match for the first). False:
    reread and rebase.
    """
    guard = {"IfMatch": seen.etag} if seen else {"IfNoneMatch": "*"}
    try:
        aws.client("s3").put_object(
            Bucket=settings().data_bucket, Key=key, Body=json_bytes(value), ContentType="application/json", **guard
        )
    except ClientError as error:
        if aws.error_code(error) in LOST_RACE | refusals.MISSING:
            return False
        raise
    return True


def json_bytes(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode("utf-8")


def lines_bytes(records: Iterable[Mapping[str, Any]]) -> bytes:
    return text_bytes(dump_line(record) for record in records)


def text_bytes(lines: Iterable[str]) -> bytes:
    """The lines as one body, which for a large batch must not stand in memory as one text as well."""
    body = io.BytesIO()
    for line in lines:
        body.write(line.encode("utf-8") + b"\n")
    return body.getvalue()


def text_lines(body: bytes) -> list[str]:
    """The non-empty lines of a body as they are; only \n ends a line."""
    lines = (line.decode("utf-8").removesuffix("\n") for line in io.BytesIO(body))
    return [line for line in lines if line.strip()]
