"""S3's events name the version of the object, so that a late event is about what was stored, not what is there now.

MiniStack tells the version to queues, topics and functions, not to EventBridge.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import inspect
import json
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge, s3

from local.patches.hooks import original

_version: ContextVar[str | None] = ContextVar("version", default=None)


def apply() -> None:
    fire = original(
        s3,
        "_fire_s3_event",
        *("bucket_name", "key", "event_name", "size", "etag", "deletion_type", "restore_event_data"),
        *("version_id", "sequencer", "object_extra", "record_extra"),
    )
    dispatch = original(eventbridge, "_dispatch_event", "event", "view")
    parameters = inspect.signature(fire)

    def fire_with_version(*given: Any, **named: Any) -> None:
        token = _version.set(parameters.bind(*given, **named).arguments.get("version_id"))
        try:
            fire(*given, **named)
        finally:
            _version.reset(token)

    def dispatch_with_version(event: dict[str, Any], view: Any = None) -> Any:
        version = _version.get()
        if version and event["Source"] == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, view)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version
