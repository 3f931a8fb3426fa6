"""Store Settings: at deployment, checks the stack's settings and puts them into the bucket under their hash.

CloudFormation custom resource: a value that cannot work fails the deployment, with a sentence. Old documents stay:
batches that run may have begun with them, and a rollback needs them. So do the task of the first deployment and the
names of its key points: labels, models and judge images of others are of no use to them.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from labelloop import people
from labelloop.contracts import advanced
from labelloop.contracts.settings import MissingSettingError, Settings
from labelloop.contracts.skeletons import skeleton
from labelloop.store import aws, custom_resources, settings_documents, storage
from labelloop.store.observability import entry, logger

# Made a moment ago with the stack, this function's role may not be known everywhere yet.
SECONDS_FOR_A_NEW_ROLE = 30
SECONDS_BETWEEN_TRIES = 3
TASK = "settings/task.json"  # a JSON string
POINTS = "settings/key-points.json"  # a list of names


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    attributes, refusal = {}, ""
    if event["RequestType"] != "Delete":
        try:
            attributes = _store(_values(event, "ResourceProperties"), _values(event, "OldResourceProperties"))
        except MissingSettingError as error:
            refusal = str(error)
        except Exception as error:  # CloudFormation waits for what is not answered, and then nobody knows why
            logger.exception("settings could not be stored")
            refusal = f"the settings could not be stored: {error}"
    custom_resources.answer(event, "labelloop-settings", refusal, attributes)


def _values(event: dict[str, Any], properties: str) -> dict[str, str]:
    """Settings as the template gives them; a creation has no old ones."""
    return {name: str(value) for name, value in event.get(properties, {}).get("Settings", {}).items()}


def _store(given: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    """What the template reads of this resource."""
    values = advanced.completed(given, before)
    settings = Settings.from_environment(values)
    goes_on = _check_same("TASK", TASK, settings.task, before.get("TASK", settings.task))
    if settings.skeleton:
        known = before.get("KEY_POINTS") if goes_on else None
        names = skeleton(known).names if known else settings.skeleton.names
        _check_same("KEY_POINTS", POINTS, list(settings.skeleton.names), list(names))
    body = settings_documents.body_of(values)
    key = settings_documents.key_of(body)
    _put(key, body)
    logger.info("settings stored", key=key)
    sha256 = key.removeprefix("settings/").removesuffix(".json")
    return {"Sha256": sha256, "Notices": ". ".join(_notices(settings)) or "none"}


def _notices(settings: Settings) -> Iterator[str]:
    """What can be deployed, and will not do what one may expect."""
    if notice := people.of(settings.labeling_backend).unable(settings):
        yield notice
    images = {"TrainingImage": settings.training_image, "InferenceImage": settings.inference_image}
    for name, image in images.items():
        if image and "@sha256:" not in image:
            yield f"{name} is named by a tag, which may come to mean another image: name it by digest (...@sha256:...)"


def _check_same(name: str, key: str, wanted: Any, before: Any) -> bool:
    """Whether the last deployment had the same. `before`: what was deployed so far, which is all that tells where an
    older version of the stack wrote nothing down. Raises MissingSettingError where the bucket is of something else.
    """
    if _put(key, _text(before).encode(), IfNoneMatch="*"):
        first = before
    else:
        stored = aws.client("s3").get_object(Bucket=os.environ["DATA_BUCKET"], Key=key)
        first = json.loads(stored["Body"].read())
    if wanted != first:
        raise MissingSettingError(
            f"{name} is {_shown(wanted)}, but what this stack has labelled so far is {_shown(first)}: deploy a stack "
            f"with another name for what is labelled differently. If nothing was labelled yet, put {_text(wanted)}, "
            f"quotation marks included, in s3://{os.environ['DATA_BUCKET']}/{key} and deploy again"
        )
    return bool(before == wanted)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _put(key: str, body: bytes, **conditions: str) -> bool:
    """False where the conditions do not hold."""
    deadline = time.monotonic() + SECONDS_FOR_A_NEW_ROLE
    while True:
        try:
            aws.client("s3").put_object(
                Bucket=os.environ["DATA_BUCKET"], Key=key, Body=body, ContentType="application/json", **conditions
            )
            return True
        except ClientError as error:
            if aws.error_code(error) in storage.LOST_RACE:
                return False
            if aws.error_code(error) != "AccessDenied" or time.monotonic() > deadline:
                raise
        time.sleep(SECONDS_BETWEEN_TRIES)
