"""The policy `fixed`: a label stands from a score on that a person has set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelloop.contracts.settings import Settings
from labelloop.trust.policies.port import Fitted, Rule
from labelloop.trust.policies.target_quality import TargetQuality


class Fixed:
    name = "fixed"

    def fit(self, scored: Sequence[tuple[float, float]], settings: Settings) -> dict[str, Any]:
        """Nothing is fitted for this policy. Beside the model stands the threshold of TargetQuality, for a stack that
        takes that policy later.
        """
        return TargetQuality().fit(scored, settings)

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        """Version 0.1 pinned no threshold: then it is the stack's."""
        threshold = float(pinned.get("accept_threshold", settings.accept_threshold))
        return Rule(threshold, f"{self.name}/{threshold}@{pinned['model']}")
