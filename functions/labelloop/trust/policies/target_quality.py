"""The policy `target-quality`: Ground Truth's rule for automated labelling, under its name.

A label stands from the smallest score on whose judge images reach the target in the mean. That is no promise: a mean
that just reaches the target lies above the true one as often as below, and here it is the luckiest of many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelloop.contracts.settings import Settings
from labelloop.trust.policies import evidence
from labelloop.trust.policies.evidence import Accepted, Scored
from labelloop.trust.policies.port import Fitted, Rule

# Ten qualities of 0.9 do not miss a target of 0.9 by a rounding error.
ROUNDING = 1e-12
NO_PROMISE = "in repeats on photographs, labels accepted by this rule missed its target about every second time"


class TargetQuality:
    name = "target-quality"
    spends = False

    def fit(self, scored: Scored, settings: Settings) -> dict[str, Any]:
        """`accept` None: no threshold reaches the target, nothing is accepted."""
        evidence.check(scored)
        minimum = settings.judge_minimum
        target = settings.target_mean_iou
        reached = loosest(scored, target, minimum)
        return {
            "policy": self.name,
            "target": target,
            "accept": reached.score if reached else None,
            "images": len(scored),
            "accepted": reached.images if reached else 0,
            "mean_quality": reached.mean if reached else None,
            "attainable": evidence.curve(lambda each: loosest(scored, each, minimum)),
            "outlook": _told(reached.score if reached else None, reached, target),
        }

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        """A model whose thresholds were never fitted accepts nothing. A round that pinned no target, of version 0.1,
        takes the threshold that was fitted.
        """
        record = fitted()
        scored = evidence.of_record(record)
        if "target" not in pinned or scored is None:
            target, reached, accept = float(record["target"]), None, record["accept"]
        else:
            target = float(pinned["target"])
            reached = loosest(scored, target, settings.judge_minimum)
            accept = reached.score if reached else None
        version = f"{self.name}/{target}@{pinned['model']}/{record['dataset']}"
        return Rule(accept, version, target, _told(accept, reached, target))


def loosest(scored: Scored, target: float, minimum: int) -> Accepted | None:
    """The smallest score whose labels reach `target` mean quality, and what they are like. At least `minimum` judge
    images must have it, else one lucky image would set the threshold. None where no score does: nothing is accepted.
    """
    enough = [step for step in evidence.walk(scored) if step.images >= minimum and step.mean >= target - ROUNDING]
    return enough[-1] if enough else None


def _told(accept: float | None, reached: Accepted | None, target: float) -> str:
    if accept is None:
        return f"Nothing is accepted: no score's judge images reach the target of {target:.2f} in the mean."
    seen = f" ({reached.mean:.2f} from {reached.images})" if reached else ""
    return f"The judge images that are accepted here reach {target:.2f} in the mean{seen}. No promise: {NO_PROMISE}."
