"""Where the settings are: the deployed document in the data bucket, named by its hash, and what batches and trainings
have pinned of it.

    settings/<sha256>.json             written by Store Settings at deployment; functions get bucket and hash
    batches/<batch>/settings.json      pinned by Register Batch, anew by each execution that takes the batch over
    training/<job>/settings.json       pinned by Plan Training
    labeling-jobs/<job>.json           batch and input of a labelling job, for the functions that Ground Truth calls

What runs keeps its choices whatever is deployed meanwhile. Where things are (settings.LIVE) is always as deployed.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts import settings
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.contracts.settings import MissingSettingError, Settings
from labelloop.store import aws, storage

SCHEMA = 1
# What gives labels their meaning: a batch that is taken over by another execution must not change it midway.
MEANING = ("task", "classes", "key_points", "seed")
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "AccessDenied", "403"})


def body_of(values: Mapping[str, str]) -> bytes:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False, indent=1).encode()


def key_of(body: bytes) -> str:
    return f"settings/{hashlib.sha256(body).hexdigest()}.json"


def deployed_document() -> dict[str, str]:
    """The document that the environment names, verified. Raises MissingSettingError saying what to do."""
    try:
        bucket, sha256 = os.environ["DATA_BUCKET"], os.environ["SETTINGS_SHA256"]
    except KeyError as error:
        raise MissingSettingError(f"{error} is not set: template.yaml, Globals, sets it; deploy again") from None
    return stored_document(bucket, sha256)


def stored_document(bucket: str, sha256: str) -> dict[str, str]:
    """A stored document, verified. Raises MissingSettingError saying what to do."""
    key = f"settings/{sha256}.json"
    try:
        body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if aws.error_code(error) not in _MISSING:
            raise
        raise MissingSettingError(
            f"the settings s3://{bucket}/{key} cannot be read ({aws.error_code(error)}): restore the object: the "
            "bucket keeps its versions; or deploy with another value of any setting (the same are not written again)"
        ) from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise MissingSettingError(f"the settings s3://{bucket}/{key} were changed: restore the object's first version")
    return dict(json.loads(body))


settings.source = deployed_document


@contextlib.contextmanager
def of_event(event: Mapping[str, Any]) -> Iterator[None]:
    """The settings that the work this event is about has pinned; the deployed ones where it has pinned none."""
    document = _pinned_for(event)
    token = settings.pinned.set(settings.deployed().with_choices(document["settings"]) if document else None)
    try:
        yield
    finally:
        settings.pinned.reset(token)


def pin_batch(batch_id: str, attempt: int) -> None:
    """Pins the deployed choices for this attempt, once, and works with what is pinned from here on.

    Raises InvalidInputError where an earlier attempt had labels of another meaning.
    """
    key = _batch_key(batch_id)
    known = _find(key)
    if known and known["attempt"] != attempt:
        _refuse_another_meaning(batch_id, settings.deployed().with_choices(known["settings"]))
    if not known or known["attempt"] != attempt:
        known = _put(key, attempt)
    settings.pinned.set(settings.deployed().with_choices(known["settings"]))


def pin_training(job: str) -> None:
    _put(f"training/{job}/settings.json", 1)


def note_labeling_job(job: str, batch_id: str, manifest_uri: str) -> None:
    _write(_job_key(job), {"schema": SCHEMA, "batch": batch_id, "manifest_uri": manifest_uri})


def manifest_uri(labeling_job_arn: str) -> str:
    """Where the job's input is; empty where nobody noted it, as an earlier version did not."""
    return str((_find(_job_key(labeling_job_arn)) or {}).get("manifest_uri", ""))


def _pinned_for(event: Mapping[str, Any]) -> dict[str, Any] | None:
    if "batch_id" in event:
        return _find(_batch_key(event["batch_id"]))
    if "labelingJobArn" in event:
        noted = _find(_job_key(str(event["labelingJobArn"])))
        return _find(_batch_key(noted["batch"])) if noted else None
    if isinstance(event.get("job"), str):
        return _find(f"training/{event['job']}/settings.json")
    return None


def _job_key(job: str) -> str:
    """`job`: the name, or the ARN, which ends with it."""
    return f"labeling-jobs/{job.rpartition('/')[2]}.json"


def _batch_key(batch_id: str) -> str:
    return f"batches/{batch_id}/settings.json"


def _put(key: str, attempt: int) -> dict[str, Any]:
    return _write(key, {"schema": SCHEMA, "attempt": attempt, "settings": dict(settings.source())})


def _write(key: str, document: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(document, ensure_ascii=False).encode()
    noted = {"sha256": hashlib.sha256(body).hexdigest()}
    aws.client("s3").put_object(Bucket=_bucket(), Key=key, Body=body, Metadata=noted)
    return document


def _find(key: str) -> dict[str, Any] | None:
    """None where nothing is pinned, as by version 0.1. Raises ChangedObjectError for what was edited or deleted since:
    work would go on with other choices than it began with.
    """
    try:
        answer = aws.client("s3").get_object(Bucket=_bucket(), Key=key)
    except ClientError as error:
        if aws.error_code(error) not in _MISSING:
            raise
        if _was_deleted(key):
            raise ChangedObjectError(f"{storage.uri(key)} was deleted. {storage.restoring(key)}") from error
        return None
    body = answer["Body"].read()
    document = _parsed(body)
    if document.get("schema", SCHEMA) > SCHEMA:
        raise InvalidInputError(
            f"{key} was written by a newer version of the stack (schema {document['schema']}, known is {SCHEMA}): "
            "deploy that version again, then start an execution with the same input"
        )
    if answer.get("Metadata", {}).get("sha256") != hashlib.sha256(body).hexdigest():
        raise ChangedObjectError(f"{storage.uri(key)} was changed after it was written. {storage.restoring(key)}")
    return document


def _parsed(body: bytes) -> dict[str, Any]:
    """Empty for what is not a JSON object any more."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _was_deleted(key: str) -> bool:
    """False also where this function may not ask: those that decide what becomes of labels may."""
    try:
        return storage.was_written(key)
    except ClientError as error:
        if aws.error_code(error) not in ("AccessDenied", "403"):
            raise
        return False


def _refuse_another_meaning(batch_id: str, before: Settings) -> None:
    now = settings.deployed()
    changed = [name for name in MEANING if getattr(before, name) != getattr(now, name)]
    if changed:
        names = ", ".join(name.title().replace("_", "") for name in changed)
        raise InvalidInputError(
            f"batch {batch_id} was begun with other values of {names}, which give its labels their meaning: deploy "
            "those again and start it again, or put a new marker for a batch with the new ones"
        )


def _bucket() -> str:
    return settings.deployed().data_bucket
