"""What the report calls the labels of a task, and how their quality is measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """`measure`: of one label; `rule`: how it is counted; `metric`: of models; `one`, `many`: what is marked; `names`:
    what the stack's names are.
    """

    measure: str
    rule: str
    metric: str
    one: str
    many: str
    names: str

    def counted(self, count: int) -> str:
        return f"{count} {self.one if count == 1 else self.many}"


OF = {
    "boxes": Words(
        "IoU",
        "Per image: overlaps of boxes of the same class, summed, over the larger number of boxes, so a missed or "
        "invented box counts in full.",
        "mAP50",
        "box",
        "boxes",
        "classes",
    ),
    "key-points": Words(
        "quality",
        "Per image: of each person the mean over the points of how near it is, where its visibility is right, summed, "
        "over the larger number of people, so a missed or invented person counts in full.",
        "OKS mAP50",
        "person",
        "people",
        "key points",
    ),
}
"""By the value of the parameter Task."""
