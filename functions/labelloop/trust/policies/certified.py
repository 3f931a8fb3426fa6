"""The policy `certified`: a lower bound of the accepted labels' mean quality, by Student's t, reaches the target.

It is an approximation, because qualities are not normally distributed: on the photographs that it was measured on, the
accepted labels missed the target in at most one of ten draws of judge images (docs/policies.md).
"""

from __future__ import annotations

import math

from labelloop.trust.distributions import student_quantile
from labelloop.trust.policies.bounded import Bounded, Terms, eligible
from labelloop.trust.policies.evidence import Accepted, Scored

# Labels that happen to be equally good do not show how good the others are.
LEAST_SPREAD = 0.02


class Certified(Bounded):
    name = "certified"

    def loosest(self, scored: Scored, terms: Terms) -> Accepted | None:
        """Looser and looser, from the strictest threshold that accepts enough on, as long as the bound holds."""
        reached = None
        for step in eligible(scored):
            if lower_bound(step, len(scored), terms) < terms.target:
                break
            reached = step
        return reached

    def promise(self, reached: Accepted, judges: int, terms: Terms) -> str:
        return (
            f"The mean quality of the labels accepted here is promised to be at least {terms.target:.2f}: the lower "
            f"bound by Student's t at {terms.certainty} ({lower_bound(reached, judges, terms):.2f}, mean "
            f"{reached.mean:.2f}, from {reached.images} of {judges} judge images) reaches it. In repeats on photos "
            "at most 1 in 10 missed such a promise; it is an approximation, and takes the images to be like the judge "
            "images."
        )

    def judges_needed(self, step: Accepted, judges: int, terms: Terms) -> float:
        """k accepted ones do if t s / sqrt(k) sqrt(1 + judges / open) is at most the distance from mean to target."""
        if step.mean <= terms.target:
            return math.inf
        images = (_margin(step, terms) / (step.mean - terms.target)) ** 2 * _finite(judges, terms)
        return images / step.share


def lower_bound(step: Accepted, judges: int, terms: Terms) -> float:
    """Of the mean quality of the open images that have this score: the judge images and they are two samples of the
    same images, so the fewer are open, the further their mean may lie away.
    """
    return step.mean - _margin(step, terms) / math.sqrt(step.images) * math.sqrt(_finite(judges, terms))


def _margin(step: Accepted, terms: Terms) -> float:
    return student_quantile(1 - terms.alpha, step.images - 1) * max(step.spread, LEAST_SPREAD)


def _finite(judges: int, terms: Terms) -> float:
    return 1 + judges / max(terms.open, 1)
