"""S3 objects as SageMaker moves them. URIs are `s3://<bucket>/<raw key>`, never percent-encoded."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError


class DataError(Exception):
    """Input that SageMaker refuses; the text becomes the FailureReason."""


def split_uri(uri: str) -> tuple[str, str]:
    if not uri.startswith("s3://"):
        raise DataError(f"Invalid S3 URI: {uri}")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise DataError(f"Invalid S3 URI: {uri}")
    return bucket, key


def join_uri(prefix: str, *parts: str) -> str:
    return "/".join([prefix.rstrip("/"), *(part.strip("/") for part in parts if part.strip("/"))])


def read(s3: Any, uri: str) -> bytes:
    bucket, key = split_uri(uri)
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def write(s3: Any, uri: str, body: bytes, content_type: str = "application/octet-stream") -> None:
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)


def write_json(s3: Any, uri: str, document: Any) -> None:
    write(s3, uri, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), "application/json")


def list_keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def download(s3: Any, bucket: str, key: str, root: Path, relative: str) -> None:
    """Download to root/relative. Raises DataError for a key that would leave `root`."""
    target = (root / relative).resolve()
    if not relative or not target.is_relative_to(root.resolve()) or target == root.resolve():
        raise DataError(f"ClientError: Data download failed: key {key!r} would be written outside of the channel")
    target.parent.mkdir(parents=True, exist_ok=True)
    s3.download_file(bucket, key, str(target))


def download_channel(s3: Any, source: dict[str, Any], root: Path, role_arn: str) -> None:
    """One File-mode training channel, S3Prefix or ManifestFile, into `root`.

    S3Prefix: every object whose key starts with the prefix. `p/` and `p` put `p/a/b` to `a/b`, a prefix that is an
    object's whole key puts it under its own name, a prefix that cuts a name (`p/im`) leaves `p/img/1` as `img/1`.
    ManifestFile: `[{"prefix": "s3://..."}, "relative", ...]`, each under its relative name.
    """
    root.mkdir(parents=True, exist_ok=True)
    bucket, key = split_uri(source["S3Uri"])
    if source["S3DataType"] == "ManifestFile":
        for item_bucket, item_key, relative in _manifest(json.loads(read(s3, source["S3Uri"])), source["S3Uri"]):
            download(s3, item_bucket, item_key, root, relative)
        return
    found = False
    for name in list_keys(s3, bucket, key):
        found = True
        # "folder/" placeholder objects become nothing: there is no file to write.
        if not name.endswith("/"):
            download(s3, bucket, name, root, _below(name, key))
    if not found:
        raise DataError(
            f'ClientError: No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please '
            f"ensure that the bucket exists in the selected region, that objects exist under that S3 prefix, and that "
            f'the role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )


def pack(directory: Path, extra: dict[str, Path] | None = None) -> bytes:
    """Deterministic tar.gz of a directory's content: sorted names, no times, no owners."""
    files = (
        {path.relative_to(directory).as_posix(): path for path in directory.rglob("*")} if directory.is_dir() else {}
    )
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted({**files, **(extra or {})}.items()):
            _add(tar, name, path)
    return buffer.getvalue()


def unpack(archive: bytes, directory: Path) -> None:
    """Extract a tar.gz; members that would leave the directory or make devices are refused. Raises DataError."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(directory, filter="data")
    except (tarfile.TarError, EOFError, OSError, gzip.BadGzipFile) as error:
        raise DataError(f"Failed to extract model data archive: {error}") from error


def exists(s3: Any, uri: str) -> bool:
    bucket, key = split_uri(uri)
    with contextlib.suppress(ClientError):
        s3.head_object(Bucket=bucket, Key=key)
        return True
    return False


def _below(name: str, prefix: str) -> str:
    if name != prefix and name.startswith(folder := prefix.rstrip("/") + "/"):
        return name.removeprefix(folder)
    return name[prefix.rfind("/") + 1 :]


def _manifest(document: Any, uri: str) -> Iterator[tuple[str, str, str]]:
    if (
        not isinstance(document, list)
        or not document
        or not isinstance(document[0], dict)
        or "prefix" not in document[0]
    ):
        raise DataError(f'ClientError: Manifest file {uri} must be a list that starts with {{"prefix": "s3://..."}}')
    prefix = document[0]["prefix"]
    for relative in document[1:]:
        if not isinstance(relative, str):
            raise DataError(f"ClientError: Manifest file {uri} lists something that is not a string: {relative!r}")
        bucket, key = split_uri(prefix + relative)
        yield bucket, key, relative.lstrip("/")


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    info = tarfile.TarInfo(name)
    if path.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    elif path.is_file():
        data = path.read_bytes()
        info.size, info.mode = len(data), 0o644
        tar.addfile(info, io.BytesIO(data))
