"""Which marks of a prediction are the machine's label: a rule that is fitted to each model on its judge images.

Pure. Confidences, overlaps and qualities lie in 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.visibility_rules import VisibilityRule

NO_SUPPRESSION = 1.0


@dataclass(frozen=True)
class LabelRule:
    """Marks from `keep_confidence` on are kept. Of those of one class that overlap by more than `nms_iou` the surest
    alone is; 1: none is dropped for another (non-maximum suppression is off).

    `empty_images`: how many judge images got a label that says "nothing here", `empty_good`: the sum of the qualities
    of these labels. `visibility`: of a model of key points; None before it is fitted, and for boxes.
    """

    keep_confidence: float
    nms_iou: float = NO_SUPPRESSION
    empty_good: float = 0.0
    empty_images: int = 0
    visibility: VisibilityRule | None = None

    @property
    def empty_score(self) -> float:
        """How far an empty label is trusted: the share of good ones among the empty labels of judge images, to which
        two are added of which `keep_confidence` are good, as long as there are few.
        """
        return (self.empty_good + self.keep_confidence) / (self.empty_images + 2)

    def to_json(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name != "visibility"}
        return told | ({"visibility": self.visibility.to_json()} if self.visibility else {})

    @staticmethod
    def from_json(record: Mapping[str, Any], context: str = "label rule") -> LabelRule:
        """Raises InvalidInputError naming the field."""
        images = fields.integer(record, "empty_images", context)
        return LabelRule(
            keep_confidence=fields.number(record, "keep_confidence", context, 0, 1),
            nms_iou=fields.number(record, "nms_iou", context, 0, 1),
            empty_good=fields.number(record, "empty_good", context, 0, images),
            empty_images=images,
            visibility=_visibility(record, context),
        )


def _visibility(record: Mapping[str, Any], context: str) -> VisibilityRule | None:
    if record.get("visibility") is None:
        return None
    return VisibilityRule.from_json(fields.mapping(record["visibility"], context, "visibility"), context)


def of_record(record: Mapping[str, Any], otherwise: float) -> LabelRule:
    """The label rule that a model's thresholds, or a round's pin, hold. Before there were such rules they held a
    `keep_confidence` at most; where they hold neither, the confidence is `otherwise`.
    """
    if "label_rule" in record:
        return LabelRule.from_json(record["label_rule"])
    return LabelRule(float(record.get("keep_confidence", otherwise)))
