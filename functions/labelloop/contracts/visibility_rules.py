"""When a key point that a model placed is visible, occluded or outside the view: thresholds of its two confidences, for
each point of the skeleton, fitted to each pair of models on its judge images.

Pure. Confidences lie in 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelloop.contracts import fields

USUAL = 0.6


@dataclass(frozen=True)
class VisibilityRule:
    """A point is in view where the main confidence is above `t1` of its name, and visible where the additional one is
    above `t2` too. A name that is not listed has `USUAL`, so the rule of no name is the one before anything is fitted.
    """

    t1: Mapping[str, float] = field(default_factory=dict)
    t2: Mapping[str, float] = field(default_factory=dict)

    def __hash__(self) -> int:
        """Labels are counted by the rule that made them."""
        return hash((frozenset(self.t1.items()), frozenset(self.t2.items())))

    def visibility(self, name: str, main: float, additional: float) -> str:
        if main <= self.t1.get(name, USUAL):
            return "outside"
        return "visible" if additional > self.t2.get(name, USUAL) else "occluded"

    def to_json(self) -> dict[str, Any]:
        return {"t1": dict(self.t1), "t2": dict(self.t2)}

    @staticmethod
    def from_json(record: Mapping[str, Any], context: str = "visibility rule") -> VisibilityRule:
        """Raises InvalidInputError naming the field."""
        return VisibilityRule(_thresholds(record, "t1", context), _thresholds(record, "t2", context))


def _thresholds(record: Mapping[str, Any], name: str, context: str) -> dict[str, float]:
    listed = fields.mapping(record.get(name), context, name)
    return {point: fields.number(listed, point, f"{context}, {name}", 0, 1) for point in listed}
