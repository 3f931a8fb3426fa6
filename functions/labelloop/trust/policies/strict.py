"""The policy `strict`: Learn-then-Test (Angelopoulos, Bates, Candes, Jordan and Lei, 2021). It assumes nothing about
the distribution of qualities but that they lie in 0..1, and that the judge images were drawn at random.

Split fixed-sequence testing: a quarter of the judge images, the pilot, says which thresholds are tested, and in which
order; on the others each is tested in turn, until one fails. The null hypothesis "labels from this score on have a mean
quality below the target" is tested by betting (Waudby-Smith and Ramdas, JRSSB 2024): who bets the same stake on each
label to be better than the target multiplies a capital, if the null is true, by 1 / alpha or more with a chance of at
most alpha. The pilot says which stake, too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from labelloop.trust.policies import evidence
from labelloop.trust.policies.bounded import Bounded, Terms
from labelloop.trust.policies.evidence import Accepted, Scored

PILOT = 0.25
# Shares of the largest stake, 1 / target, with which no label can turn the capital into debts.
STAKES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


@dataclass(frozen=True)
class Wager:
    """A threshold to be tested and the stake of the bet."""

    score: float
    stake: float

    def p_value(self, scored: Scored, target: float) -> float:
        """By Markov's inequality: one over what a capital of 1 has become."""
        return math.exp(min(-logarithm_of_capital(qualities_from(scored, self.score), target, self.stake), 0.0))


class Strict(Bounded):
    name = "strict"

    def loosest(self, scored: Scored, terms: Terms) -> Accepted | None:
        pilot, others = split(scored)
        accept = None
        for test in sequence(pilot, terms.target):
            if test.p_value(others, terms.target) > terms.alpha:
                break
            accept = test.score
        return None if accept is None else [step for step in evidence.walk(scored) if step.score >= accept][-1]

    def promise(self, reached: Accepted, judges: int, terms: Terms) -> str:
        return (
            f"The mean quality that labels accepted here have in images like the {judges} judge images is at least "
            f"{terms.target:.2f}, with a certainty of {terms.certainty} or more and whatever the distribution of their "
            f"qualities (mean {reached.mean:.2f}, from {reached.images} of the judge images)."
        )

    def judges_needed(self, step: Accepted, judges: int, terms: Terms) -> float:
        """The capital must grow to 1 / alpha: by the mean and the spread, and without the pilot."""
        gain = max(_gain(stake / terms.target, step.mean - terms.target, step.spread) for stake in STAKES)
        return -math.log(terms.alpha) / gain / step.share / (1 - PILOT) if gain > 0 else math.inf


def split(scored: Scored) -> tuple[Scored, Scored]:
    """The pilot and the others: by chance, but the same whenever it is asked. The lot of an image is a hash of its own
    figures: drawn by rank, the pilot would say how many of the others lie between any two of it.
    """
    ranked = sorted(scored, reverse=True)
    lots = [hashlib.sha256(f"pilot {pair} {place}".encode()).digest() for place, pair in enumerate(ranked)]
    pilot = set(sorted(range(len(ranked)), key=lambda place: lots[place])[: round(PILOT * len(ranked))])
    return (
        [pair for place, pair in enumerate(ranked) if place in pilot],
        [pair for place, pair in enumerate(ranked) if place not in pilot],
    )


def sequence(pilot: Scored, target: float) -> list[Wager]:
    """From the threshold that the pilot speaks for most, looser and looser, each with its best stake."""
    grown: list[float] = []
    tests: list[Wager] = []
    for step in evidence.walk(pilot):
        qualities = qualities_from(pilot, step.score)
        capital = {stake: logarithm_of_capital(qualities, target, stake) for stake in STAKES}
        best = max(capital, key=lambda stake: capital[stake])
        grown.append(capital[best])
        tests.append(Wager(step.score, best))
    return tests[grown.index(max(grown)) :] if grown else []


def logarithm_of_capital(qualities: Sequence[float], target: float, stake: float) -> float:
    """What a capital of 1 has become when each label has multiplied it by 1 + stake (quality - target) / target."""
    return math.fsum(math.log1p(stake * (quality - target) / target) for quality in qualities)


def qualities_from(scored: Scored, score: float) -> list[float]:
    return [quality for own, quality in scored if own >= score]


def _gain(bet: float, over: float, spread: float) -> float:
    """log(1 + x) up to its square, in the mean, for x = bet times what a label lies over the target."""
    return bet * over - bet * bet * (over * over + spread * spread) / 2
