"""A shard of images: what is asked, and how it is answered inside the worker process.

Objects are fetched and decoded by threads while the engine looks at the ones before; answers keep the request's order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import dump_line, parse_lines
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise, refuse_by_size
from labelloop.store import refusals
from labelloop.store.refusals import InaccessibleObjectError
from scoring import Engine, Look, predictions

FETCHERS = 16
DELIVERIES = 3  # of an object whose bytes do not have its checksum: on the way, that happens once


@dataclass(frozen=True)
class ObjectVersion:
    """One object of S3, of a pinned version where one is given."""

    source_ref: str
    bucket: str
    key: str
    version_id: str | None


def parse_request(body: bytes) -> list[ObjectVersion]:
    """The lines of a shard. Raises InvalidInputError naming line and field."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"request: not UTF-8 ({error})") from None
    versions = [_object_version(record, index) for index, record in enumerate(parse_lines(text, "request"), start=1)]
    if not versions:
        raise InvalidInputError('request: no lines; send one {"source-ref": "s3://bucket/key"} per line')
    return versions


@dataclass
class _Reads:
    """What S3 did with the objects of one request: whether it handed out any, and which ones it denied."""

    done: bool = False
    denied: list[str] = field(default_factory=list)


class Answerer:
    """Answers shards and single images with one loaded engine. Not safe for concurrent use."""

    def __init__(self, engine: Engine, model: str, limits: Limits) -> None:
        self.engine = engine
        self.model = model
        self.limits = limits
        self.pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        retries = {"mode": "standard", "max_attempts": 5}
        self.s3 = boto3.client(
            "s3",
            config=Config(retries=retries, max_pool_connections=FETCHERS, connect_timeout=10, read_timeout=60),
        )

    def shard(self, versions: Sequence[ObjectVersion]) -> bytes:
        """Prediction lines, one per object and in their order; an object that S3 does not hand out is rejected.

        Raises TransientError when S3 fails, or denies all it was asked for, which may be for want of rights: nothing is
        known about the images then, send the shard again.
        """
        answers: list[Prediction] = []
        reads = _Reads()
        pending: deque[Future[Look]] = deque()
        # Two batches at most are held decoded: one for the engine, one in the making.
        window = 2 * self.engine.batch_size
        try:
            for version in versions:
                pending.append(self.pool.submit(self._look, version, reads))
                if len(pending) >= window:
                    answers += self._next_batch(pending)
            while pending:
                answers += self._next_batch(pending)
        finally:
            for future in pending:
                future.cancel()
        if reads.denied and not reads.done:
            raise TransientError(f"S3 refused {min(reads.denied)}")
        return "".join(dump_line(answer.to_json()) + "\n" for answer in answers).encode()

    def image(self, data: bytes) -> bytes:
        """One Prediction for the bytes of one image, with an empty source-ref."""
        (answer,) = predictions(self.engine, [self._decoded("", data)], self.model)
        return dump_line(answer.to_json()).encode()

    def _next_batch(self, pending: deque[Future[Look]]) -> list[Prediction]:
        looks = [pending.popleft().result() for _ in range(min(self.engine.batch_size, len(pending)))]
        return predictions(self.engine, looks, self.model)

    def _look(self, version: ObjectVersion, reads: _Reads) -> Look:
        try:
            with refusals.reading(version.source_ref):
                data = self._fetch(version)
        except RejectedImage as refusal:
            reads.done = reads.done or refusal.reason != "missing"
            return Look(version.source_ref, None, refusal.reason)
        except InaccessibleObjectError as refusal:
            if not refusal.certain:
                reads.denied.append(f"{version.source_ref}: {refusal}")
            return Look(version.source_ref, None, f"{refusals.INACCESSIBLE}: {refusal}")
        reads.done = True
        return self._decoded(version.source_ref, data)

    def _decoded(self, source_ref: str, data: bytes) -> Look:
        try:
            return Look(source_ref, canonicalise(data, self.limits).rgb)
        except RejectedImage as refusal:
            return Look(source_ref, None, refusal.reason)

    def _fetch(self, version: ObjectVersion) -> bytes:
        for _ in range(DELIVERIES - 1):
            with suppress(FlexibleChecksumError):
                return self._fetch_once(version)
        return self._fetch_once(version)

    def _fetch_once(self, version: ObjectVersion) -> bytes:
        request = {"Bucket": version.bucket, "Key": version.key}
        if version.version_id is not None:
            request["VersionId"] = version.version_id
        try:
            response = self.s3.get_object(**request)
            with response["Body"] as body:
                refuse_by_size(response["ContentLength"], self.limits)
                return bytes(body.read())
        except ClientError as error:
            if refusals.is_missing(error):
                raise RejectedImage("missing", str(error)) from error
            if refusals.of(version.source_ref, error):
                raise
            raise TransientError(f"S3 refused {version.source_ref}: {error}") from error
        except FlexibleChecksumError:
            raise
        except (BotoCoreError, OSError) as error:
            raise TransientError(f"S3 did not deliver {version.source_ref}: {error}") from error


def _object_version(record: dict[str, object], index: int) -> ObjectVersion:
    context = f"request, image {index}"
    source_ref = fields.text(record, "source-ref", context)
    bucket, _, key = source_ref.removeprefix("s3://").partition("/")
    if not source_ref.startswith("s3://") or not bucket or not key:
        raise fields.refuse(context, "source-ref", "s3://<bucket>/<key>", source_ref)
    version_id = fields.optional_text(record, "version-id", context)
    if version_id == "":
        raise fields.refuse(context, "version-id", "a version or absent", version_id)
    return ObjectVersion(source_ref, bucket, key, version_id)
