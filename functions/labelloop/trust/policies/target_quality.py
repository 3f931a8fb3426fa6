"""The policy `target-quality`: Ground Truth's rule for automated labelling.

A label stands from the smallest score on whose judge images reach the target in the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.settings import Settings
from labelloop.trust.policies.port import Fitted, Rule


class TargetQuality:
    name = "target-quality"

    def fit(self, scored: Sequence[tuple[float, float]], settings: Settings) -> dict[str, Any]:
        """`accept` None: no threshold reaches the target, nothing is accepted."""
        accept = fit_threshold(scored, settings.target_mean_iou, settings.calibration_minimum)
        accepted = [quality for score, quality in scored if accept is not None and score >= accept]
        return {
            "policy": self.name,
            "target": settings.target_mean_iou,
            "accept": accept,
            "images": len(scored),
            "accepted": len(accepted),
            "mean_quality": sum(accepted) / len(accepted) if accepted else None,
        }

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        """A model whose thresholds were never fitted accepts nothing."""
        thresholds = fitted()
        version = f"{self.name}/{thresholds['target']}@{pinned['model']}/{thresholds['dataset']}"
        return Rule(thresholds["accept"], version)


def fit_threshold(scored: Sequence[tuple[float, float]], target: float, minimum: int = 20) -> float | None:
    """The smallest score threshold whose accepted judge images reach `target` mean quality.

    `scored` holds (score, quality) per judge image; at least `minimum` of them must be accepted, else one lucky
    image would set the threshold. None when no threshold does it: then nothing may be accepted. Raises
    InvalidInputError for a score or quality outside 0..1 or NaN.
    """
    for score, quality in scored:
        if not (0 <= score <= 1 and 0 <= quality <= 1):
            raise InvalidInputError(f"judge images: fields 'score' and 'quality' lie in 0..1, not {score}, {quality}")
    ranked = sorted(scored, reverse=True)
    threshold, total = None, 0.0
    for accepted, (score, quality) in enumerate(ranked, start=1):
        total += quality
        whole_tie = accepted == len(ranked) or ranked[accepted][0] < score
        # The tolerance keeps ten qualities of 0.9 from missing a target of 0.9 by a rounding error.
        if whole_tie and accepted >= minimum and total / accepted >= target - 1e-12:
            threshold = score
    return threshold
