"""Consolidate: several people's boxes become one label per image. Contract: Ground Truth post-annotation Lambda,
2018-10-16.
"""

import json
from typing import Any

from labelloop import storage
from labelloop.consolidation import consolidate_payload
from labelloop.observability import entry, logger
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    payload = json.loads(_read(event["payload"]["s3Uri"]))
    labels = consolidate_payload(
        payload, event["labelAttributeName"], event.get("labelCategories") or settings().classes, _read
    )
    logger.info("answers consolidated", objects=len(labels))
    return labels


def _read(reference: str) -> str:
    return storage.read(storage.own_key(reference)).decode("utf-8")
