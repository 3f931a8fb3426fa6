"""The policy `fixed`: a label stands from a score on that a person has set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelloop.contracts.settings import Settings
from labelloop.trust.policies import evidence
from labelloop.trust.policies.evidence import Scored
from labelloop.trust.policies.port import Fitted, Rule


class Fixed:
    name = "fixed"
    spends = False

    def fit(self, scored: Scored, settings: Settings) -> dict[str, Any]:
        """Nothing is fitted. What is told is how good the labels of judge images are from the set score on."""
        evidence.check(scored)
        accepted = [quality for score, quality in scored if score >= settings.accept_threshold]
        return {
            "policy": self.name,
            "target": settings.target_mean_iou,
            "accept": settings.accept_threshold,
            "images": len(scored),
            "accepted": len(accepted),
            "mean_quality": sum(accepted) / len(accepted) if accepted else None,
            "attainable": [],
            "outlook": _told(settings.accept_threshold),
        }

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        """Version 0.1 pinned no threshold: then it is the stack's."""
        threshold = float(pinned.get("accept_threshold", settings.accept_threshold))
        return Rule(threshold, f"{self.name}/{threshold}@{pinned['model']}", promise=_told(threshold))


def _told(threshold: float) -> str:
    return f"Every label with a score of {threshold} or more is accepted, however good it is: no promise."
