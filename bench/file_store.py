"""What labelloop asks of AWS, answered from files: a child process that measures itself must not hold the data twice.

Not an emulator: only the calls that the functions of a batch make, in the forms they make them. Objects are files under
`<folder>/objects`, their metadata beside them under `<folder>/metadata`; what people uploaded is one long listing, read
line by line. Calls and bytes are counted, because nothing here takes the time that S3 takes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

UPLOADED = "uploaded.txt"  # key, ETag, size and version id of what people uploaded, tab-separated, in key order
ROWS = "rows.json"  # id -> row of both tables
PAGE = 1000
A_DATE = datetime(2026, 11, 26, tzinfo=UTC)


class FileS3:
    def __init__(self, folder: Path, counted: Counter[str]) -> None:
        self._folder, self._counted = folder, counted

    def get_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        path = self._existing("get", Key)
        self._counted["bytes"] += path.stat().st_size
        metadata = self._metadata(Key)
        known = json.loads(metadata.read_text()) if metadata.exists() else {}
        return {"Body": path.open("rb"), "Metadata": known, "ETag": _etag(path)}

    def head_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        return {"ETag": _etag(self._existing("head", Key)), "VersionId": "1", "LastModified": A_DATE}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **given: Any) -> dict[str, Any]:
        path = self.path(Key)
        self._counted["put"] += 1
        self._counted["bytes"] += len(Body)
        if "IfNoneMatch" in given and path.exists():
            raise _error("PreconditionFailed")
        if "IfMatch" in given and given["IfMatch"] != _etag(path):
            raise _error("PreconditionFailed")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)
        if "Metadata" in given:
            self.note_metadata(Key, given["Metadata"])
        return {"ETag": _etag(path)}

    def note_metadata(self, key: str, metadata: dict[str, str]) -> None:
        self._metadata(key).parent.mkdir(parents=True, exist_ok=True)
        self._metadata(key).write_text(json.dumps(metadata))

    def list_object_versions(self, Bucket: str, Prefix: str, MaxKeys: int = PAGE) -> dict[str, Any]:
        self._counted["list"] += 1
        return {"Versions": [{"Key": Prefix}] if self.path(Prefix).exists() else []}

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(self._versions if operation == "list_object_versions" else self._contents)

    def path(self, key: str) -> Path:
        return self._folder / "objects" / quote(key, safe="/")

    def _metadata(self, key: str) -> Path:
        return self._folder / "metadata" / quote(key, safe="/")

    def _existing(self, call: str, key: str) -> Path:
        self._counted[call] += 1
        if not self.path(key).is_file():
            raise _error("NoSuchKey")
        return self.path(key)

    def _contents(self, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:
        root, start = self._folder / "objects", self.path(Prefix)
        folder = start if Prefix.endswith("/") else start.parent
        found = (Path(at) / name for at, _, names in os.walk(folder) for name in names)
        keys = sorted(unquote(path.relative_to(root).as_posix()) for path in found)
        entries = iter([{"Key": key} for key in keys if key.startswith(Prefix)])
        while page := list(islice(entries, PAGE)):
            self._counted["list"] += 1
            yield {"Contents": page}

    def _versions(self, **_: Any) -> Iterator[dict[str, Any]]:
        """Everything that was uploaded, whatever the prefix: there is only one."""
        with (self._folder / UPLOADED).open() as lines:
            while page := list(islice(lines, PAGE)):
                self._counted["list"] += 1
                yield {"Versions": [_version(*line.rstrip("\n").split("\t")) for line in page]}


class _Paginator:
    def __init__(self, pages: Any) -> None:
        self._pages = pages

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        pages: Iterator[dict[str, Any]] = self._pages(**request)
        return pages


class FileTable:
    """Both tables: rows are put and got by id, expressions are not read; every condition holds."""

    def __init__(self, folder: Path, counted: Counter[str]) -> None:
        self._rows, self._counted = json.loads((folder / ROWS).read_text()), counted
        self.meta = self
        self.client = self

    def get_item(self, Key: dict[str, str], **_: Any) -> dict[str, Any]:
        self._counted["dynamodb"] += 1
        return {"Item": self._rows[Key["id"]]} if Key["id"] in self._rows else {}

    def put_item(self, Item: dict[str, Any], **_: Any) -> dict[str, Any]:
        self._counted["dynamodb"] += 1
        if not Item["id"].startswith("role#"):  # nobody reads those again
            self._rows[Item["id"]] = Item
        return {}

    def update_item(self, Key: dict[str, str], **_: Any) -> dict[str, Any]:
        self._counted["dynamodb"] += 1
        return {"Attributes": self._rows.get(Key["id"], {})}

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        self._counted["dynamodb"] += 1
        return {"Responses": {}}


class EndedJobs:
    """SageMaker: every labelling job has ended with its answers where `answers_of` says, every endpoint serves."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def describe_labeling_job(self, LabelingJobName: str) -> dict[str, Any]:
        output = {"OutputDatasetS3Uri": f"s3://{self._bucket}/{answers_of(LabelingJobName)}"}
        return {"LabelingJobStatus": "Completed", "LabelingJobOutput": output}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return {"EndpointStatus": "InService"}


class Notices:
    def publish(self, **_: Any) -> dict[str, Any]:
        return {}


def answers_of(job: str) -> str:
    return f"answers/{job}.manifest"


def _version(key: str, etag: str, size: str, version: str) -> dict[str, Any]:
    """As boto3 gives it."""
    return {
        "ETag": f'"{etag}"',
        "ChecksumAlgorithm": ["CRC32"],
        "Size": int(size),
        "StorageClass": "STANDARD",
        "Key": key,
        "VersionId": version,
        "IsLatest": True,
        "LastModified": A_DATE.replace(microsecond=len(key)),
        "Owner": {"DisplayName": etag[:12], "ID": etag + version},
    }


def _etag(path: Path) -> str:
    return f'"{path.stat().st_mtime_ns}"' if path.exists() else ""


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")
