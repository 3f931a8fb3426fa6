"""Pre Annotate: turns one manifest line into what the worker template shows. Contract: Ground Truth pre-annotation
Lambda, 2018-10-16.
"""

from typing import Any

from labelloop.augmented import PROPOSALS
from labelloop.observability import entry
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    line = event["dataObject"]
    classes = list(settings().classes)
    return {
        "taskInput": {
            "taskObject": line["source-ref"],
            "labels": classes,
            "initial": _initial_value(line),
            "header": "Draw a tight box around every " + " and ".join(classes),
        },
        "isHumanAnnotationRequired": True,
    }


def _initial_value(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The proposed boxes as `crowd-bounding-box` takes them: whole pixels of the canonical image, with class names."""
    names = line.get(f"{PROPOSALS}-metadata", {}).get("class-map", {})
    boxes = line.get(PROPOSALS, {}).get("annotations", [])
    return [
        {"label": names[str(box["class_id"])], **{side: box[side] for side in ("left", "top", "width", "height")}}
        for box in boxes
    ]
