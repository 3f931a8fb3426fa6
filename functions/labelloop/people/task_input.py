"""What a worker template shows of one manifest line: `task.input`, the same keys for every kind of job.

The line may come from anywhere, so everything in it is checked before it is used; what passes is data, and the
templates escape it. Pixels are canonical pixels. Contract: pre-annotation Lambda, SageMaker developer guide,
sms-custom-templates-step3-lambda-requirements; elements: crowd-bounding-box, crowd-keypoint, crowd-image-classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelloop import tasks
from labelloop.contracts import fields
from labelloop.contracts.settings import Settings


def task_input(line: Any, settings: Settings) -> dict[str, Any]:
    """`{"taskObject", "labels", "initial", "overlay", "skeleton", "header", "instructions"}` of a manifest line, the
    dataObject.

    `initial` holds the pre-label as the widget takes it, `overlay` the same as boxes for a verification.
    InvalidInputError names the field of a line that is not good: an image outside the data bucket, or a pre-label that
    is not one.
    """
    record = fields.mapping(line, "manifest line", "dataObject")
    reference = _own_image(record, settings.data_bucket)
    context = f"line of {reference}"
    page = tasks.of(settings.task).page(record, settings, context)
    return {
        "taskObject": reference,
        "labels": page.labels,
        "initial": page.initial,
        "overlay": {"boundingBox": {"labels": page.overlay_labels, "value": page.overlay}},
        "skeleton": page.skeleton,
        "header": page.header,
        "instructions": settings.labeling_instructions,
    }


def _own_image(record: Mapping[str, Any], bucket: str) -> str:
    """The image's URI. The page is given a signed address for it, so it must be an object of the data bucket."""
    reference = fields.text(record, "source-ref", "manifest line")
    key = reference.removeprefix(f"s3://{bucket}/")
    if key == reference or any(part in ("", ".", "..") for part in key.split("/")):
        expected = f"s3://{bucket}/<key> with no empty, '.' or '..' part in the key"
        raise fields.refuse("manifest line", "source-ref", expected, reference)
    return reference
