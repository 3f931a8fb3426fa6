"""Consolidate: several people's answers become one label per image.

Contract: Ground Truth post-annotation Lambda, 2018-10-16.
"""

import json
from functools import cache
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.settings import settings
from labelloop.people import worker_rows
from labelloop.people.consolidation import consolidate_payload
from labelloop.people.consolidation_objects import FindSize, worker_ids
from labelloop.store import immutable, settings_documents, storage
from labelloop.store.observability import count, entry, logger
from labelloop.tasks import proposals

MOST_PAYLOAD_BYTES = 50_000_000


@entry
def handler(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """Raises when the payload or the ledger cannot be read: Ground Truth then marks the objects as failed."""
    knobs = settings()
    attribute = event["labelAttributeName"]
    payload = json.loads(_read(event["payload"]["s3Uri"]))
    labels = consolidate_payload(
        payload,
        attribute,
        event.get("labelCategories") or knobs.classes,
        _read,
        worker_rows.reliabilities(worker_ids(payload)),
        knobs.key_points,
        _sizes(event.get("labelingJobArn", "")),
    )
    values = [label["consolidatedAnnotation"]["content"][attribute] for label in labels]
    refused = sum(len(value.get("refused", ())) for value in values)
    unlabelled = len(payload) - sum("error" not in value for value in values)
    count("AnswersRefused", refused)
    count("ObjectsNotConsolidated", unlabelled)
    logger.info("answers consolidated", objects=len(payload), refused=refused, unlabelled=unlabelled)
    return labels


def _sizes(job: str) -> FindSize:
    """What the job's input says of its images; it is read where it is asked for only."""

    @cache
    def told() -> dict[str, Size]:
        manifest = settings_documents.manifest_uri(job) if job else ""
        return proposals.image_sizes(immutable.read_text_lines(storage.own_key(manifest))) if manifest else {}

    return lambda image: told().get(image)


def _read(reference: str) -> str:
    try:
        return storage.read(storage.own_key(reference), most=MOST_PAYLOAD_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{reference} is not UTF-8 text") from error
