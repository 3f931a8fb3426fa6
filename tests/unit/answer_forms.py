"""Answers as worker pages submit them, and consolidation payloads made of them."""

import json
from typing import Any

from labelloop.contracts import skeletons
from labelloop.people.consolidation import consolidate_payload

CLASSES = ("head", "hand", "bottle")
NAMES = ("nose", "left eye", "right eye")
SKELETON = skeletons.named(NAMES)
BOXES, KEY_POINTS, VERDICTS = "human-boxes", "human-key-points", "verified-boxes"


def size(width: int = 640, height: int = 480) -> dict[str, int]:
    return {"width": width, "height": height}


def drawn(
    label: str = "head", left: float = 10, top: float = 20, width: float = 30, height: float = 40
) -> dict[str, Any]:
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def boxes(*marks: Any, note: str = "", cannot_judge: bool = False, image: Any = None) -> dict[str, Any]:
    element = {"boundingBoxes": list(marks), "inputImageProperties": image or size()}
    return {"annotatedResult": element, "cannot-judge": {"cannot-judge": cannot_judge}, "note": note}


def placed(label: str = "nose", x: float = 10, y: float = 20) -> dict[str, Any]:
    return {"label": label, "x": x, "y": y}


def key_points(*marks: Any, nothing_here: Any = None, cannot_judge: bool = False, note: str = "") -> dict[str, Any]:
    ticked = not marks if nothing_here is None else nothing_here
    return {
        "annotatedKeyPoints": {"keypoints": list(marks), "inputImageProperties": size()},
        "nothing-here": {"nothing-here": ticked},
        "cannot-judge": {"cannot-judge": cannot_judge},
        "note": note,
    }


def verdict(label: str = "accept", note: str = "") -> dict[str, Any]:
    return {"verdict": {"label": label}, "note": note}


def item(answers: dict[str, Any] | list[Any], object_id: str = "0") -> dict[str, Any]:
    """A dataset object with the answers by worker; the workers of a list are named a, b, c... or are in pairs."""
    named = answers.items() if isinstance(answers, dict) else zip("abcdefgh", answers, strict=False)
    by_worker = [said if isinstance(said, tuple) else (name, said) for name, said in named]
    annotations = [
        {"workerId": worker, "annotationData": {"content": form if isinstance(form, str) else json.dumps(form)}}
        for worker, form in by_worker
    ]
    return {"datasetObjectId": object_id, "dataObject": {"s3Uri": "s3://b/k"}, "annotations": annotations}


def labels(payload: Any, attribute: str = BOXES, **more: Any) -> list[dict[str, Any]]:
    """The label values, in the order of the payload."""
    response = consolidate_payload(payload, attribute, CLASSES, skeleton=SKELETON, **more)
    return [entry["consolidatedAnnotation"]["content"][attribute] for entry in response]


def label(*answers: Any, attribute: str = BOXES, **more: Any) -> dict[str, Any]:
    (value,) = labels([item(list(answers))], attribute, **more)
    return value
