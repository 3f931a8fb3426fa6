"""What people changed of a pre-label, as it is told: counts per kind of change, and Ground Truth's one word for it.

Contract: `adjustment-status` in the label metadata of an adjustment job (SageMaker developer guide, sms-data-output);
`adjustments`, the counts beside it, is this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelloop.contracts import fields

ADJUSTED, UNADJUSTED = STATUSES = ("adjusted", "unadjusted")
UNTOUCHED = "untouched"
COUNTED = (UNTOUCHED, "moved", "relabelled", "visibility-changed", "added", "deleted")


@dataclass(frozen=True)
class Adjustment:
    """`counts`: how many marks per name in COUNTED, zeros left out; empty also where only Ground Truth's word is known.

    A mark can be both moved and relabelled, so the counts of changes may exceed the number of changed marks.
    """

    status: str
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, Any]:
        counts = {name: self.counts[name] for name in COUNTED if self.counts.get(name)}
        return {"adjustment-status": self.status, **({"adjustments": counts} if counts else {})}

    @staticmethod
    def from_metadata(metadata: Mapping[str, Any], context: str) -> Adjustment | None:
        """None where the label is no adjustment. Raises InvalidInputError naming the field."""
        if metadata.get("adjustment-status") is None:
            return None
        status = fields.choice(metadata, "adjustment-status", context, STATUSES)
        stated = fields.mapping(metadata.get("adjustments") or {}, context, "adjustments")
        where = f"{context}, adjustments"
        counts = {name: fields.optional_integer(stated, name, where) for name in COUNTED}
        return Adjustment(status, {name: count for name, count in counts.items() if count})
