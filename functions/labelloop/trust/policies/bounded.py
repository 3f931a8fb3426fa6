"""What policies have in common whose threshold comes from a lower bound of the accepted labels' mean quality: they are
asked anew in each round, with the chance of a mistake (alpha) and the number of open images that the round pinned.

Every doubt ends in accepting nothing, and in a sentence that says why.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts.settings import Settings
from labelloop.trust.policies import evidence
from labelloop.trust.policies.evidence import Accepted, Scored
from labelloop.trust.policies.port import Fitted, Rule

# With fewer judge images no bound is worth its name.
FEWEST_JUDGES = 50
# A handful of surely labelled images does not stand for a share of the batch.
FEWEST_ACCEPTED, LEAST_SHARE = 15, 0.30
# What all accepting rounds of a batch together may get wrong; one of the usual two gets half of it.
ALPHA = 0.05
ENDLESS = 10**9
# More judge images are only worth naming where people could ever label so many.
MOST_JUDGES = 100_000


@dataclass(frozen=True)
class Terms:
    """On what terms a round accepts: the target, its own chance of a mistake, and how many images may be accepted."""

    target: float
    alpha: float
    open: int = ENDLESS

    @classmethod
    def pinned(cls, pin: Mapping[str, Any], settings: Settings) -> Terms:
        """A pin without alpha has none to spend."""
        return cls(
            float(pin.get("target", settings.target_mean_iou)), float(pin.get("alpha", 0)), int(pin.get("open", 0))
        )

    @property
    def certainty(self) -> str:
        return f"{100 * (1 - self.alpha):.3g} %"


class Bounded(ABC):
    name: str
    spends = True

    def fit(self, scored: Scored, settings: Settings) -> dict[str, Any]:
        """What one of two rounds would accept in a batch without end: `accept` from which score on, `attainable` which
        share of the judge images for each target; `outlook` says it to people. A round has terms of its own.
        """
        evidence.check(scored)
        target = settings.target_mean_iou
        reached, promise, missing = self._told(scored, Terms(target, ALPHA / 2))
        return {
            "policy": self.name,
            "target": target,
            "accept": reached.score if reached else None,
            "images": len(scored),
            "accepted": reached.images if reached else 0,
            "mean_quality": reached.mean if reached else None,
            "attainable": evidence.curve(lambda each: self._attained(scored, each)),
            "outlook": f"{promise} {missing}".strip(),
        }

    def of_round(self, pinned: Mapping[str, Any], settings: Settings, fitted: Callable[[], Fitted]) -> Rule:
        record, terms = fitted(), Terms.pinned(pinned, settings)
        reached, promise, missing = self._told(evidence.of_record(record), terms)
        asked = f"{self.name}/{terms.target}/{terms.alpha}/{terms.open}"
        version = f"{asked}@{pinned['model']}/{record.get('dataset', 'none')}"
        return Rule(reached.score if reached else None, version, terms.target, promise, missing)

    def _told(self, scored: Scored | None, terms: Terms) -> tuple[Accepted | None, str, str]:
        """(what is accepted, what that promises or why nothing is, what is missing for more)."""
        if scored is None or terms.alpha <= 0 or len(scored) < FEWEST_JUDGES:
            return None, _why_nothing(scored, terms), ""
        reached = self.loosest(scored, terms)
        promise = self.promise(reached, len(scored), terms) if reached else _below(scored, terms)
        return reached, promise, self._missing(scored, reached, terms)

    @abstractmethod
    def loosest(self, scored: Scored, terms: Terms) -> Accepted | None:
        """The loosest threshold whose labels keep the promise, and what they are like; None where none does. At least
        FEWEST_JUDGES judge images, and an alpha to spend.
        """

    @abstractmethod
    def promise(self, reached: Accepted, judges: int, terms: Terms) -> str:
        """What holds of the labels from this threshold on, for people."""

    @abstractmethod
    def judges_needed(self, step: Accepted, judges: int, terms: Terms) -> float:
        """From about how many judge images on the labels from this threshold on would keep the promise, if they are as
        good as they seem; infinite where they are not good enough.
        """

    def _attained(self, scored: Scored, target: float) -> Accepted | None:
        return self.loosest(scored, Terms(target, ALPHA / 2)) if len(scored) >= FEWEST_JUDGES else None

    def _missing(self, scored: Scored, reached: Accepted | None, terms: Terms) -> str:
        """What it takes to accept more, or, if nothing is accepted, anything."""
        least = reached.share + 0.05 if reached else 0.0
        steps = [step for step in eligible(scored) if step.share >= least]
        needed = {step: self.judges_needed(step, len(scored), terms) for step in steps}
        step = min(needed, key=lambda step: needed[step], default=None)
        if step is not None and needed[step] <= MOST_JUDGES:
            count = math.ceil(max(needed[step], len(scored) + 1))
            return f"About {count} judge images ({len(scored)} now) may show that {step.share:.0%} can be accepted."
        if reached and least >= 1:
            return ""
        if reached:
            return f"More judge images will not help to accept more than {reached.share:.0%}: a better model will."
        return f"More judge images will not help: a better model or another target will. {self._highest(scored)}"

    def _highest(self, scored: Scored) -> str:
        for target in reversed(evidence.TARGETS):
            if reached := self._attained(scored, target):
                return (
                    f"The highest target that it can reach now is {target:.2f}, for {reached.share:.0%} of the images."
                )
        return f"It can reach no target of {evidence.TARGETS[0]:.2f} or more now."


def eligible(scored: Scored) -> list[Accepted]:
    """The thresholds that accept enough judge images to say something about them, from the strictest to the loosest."""
    fewest = max(FEWEST_ACCEPTED, math.ceil(LEAST_SHARE * len(scored)))
    return [step for step in evidence.walk(scored) if step.images >= fewest]


def _why_nothing(scored: Scored | None, terms: Terms) -> str:
    if scored is None:
        return (
            "Nothing is accepted: no usable figures of judge images stand beside this model, because it was adopted or "
            "fitted by an earlier version. The next training, or recalibration, fits it anew."
        )
    if len(scored) < FEWEST_JUDGES:
        return (
            f"Nothing is accepted: {len(scored)} judge images, and no promise is made from fewer than {FEWEST_JUDGES}. "
            f"Missing: {FEWEST_JUDGES - len(scored)}; raise SampleMinimum or SampleRate."
        )
    return (
        "Nothing more is accepted: the rounds of this batch that may accept by its judge images have done so, and "
        "another look at the same images would break the promise. People label the rest; the next batch accepts again."
    )


def _below(scored: Scored, terms: Terms) -> str:
    best = max(eligible(scored), key=lambda step: step.mean)
    seems = "below" if best.mean <= terms.target else "not surely above"
    return (
        f"Nothing is accepted: the {best.share:.0%} of {len(scored)} judge images that the model labels best have a "
        f"mean quality of {best.mean:.2f}, {seems} the target of {terms.target:.2f}."
    )
