"""Manifest lines for tests of what holds them."""

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from made_up_stack import BUCKET

CLASSES = ("head", "bag")


def reference(name: str) -> str:
    return f"s3://{BUCKET}/incoming/b/{name}"


def annotation(
    name: str = "a.jpg", human: bool = True, role: str = "", boxes: int = 1, batch: str = "b", **provenance: object
) -> Annotation:
    drawn = tuple(Box("head", 10.0 * n, 20, 8, 9, None if human else 0.9) for n in range(boxes))
    told = {"batch": batch, "round": 1, **({"role": role or "train"} if human else {}), **provenance}
    return Annotation(reference(name), None, 100, 60, drawn, human, "2026-11-20T10:00:00.000000", "job", told)


def line(name: str = "a.jpg", human: bool = True, role: str = "", **details: object) -> str:
    return annotation(name, human, role, **details).to_line(CLASSES)
