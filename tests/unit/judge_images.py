"""Judge images that were never photographed: qualities that grow with the score, and spread."""

import random

from labelloop.trust.policies.evidence import Scored


def drawn(count: int, seed: int = 1, base: float = 0.45, slope: float = 0.35, spread: float = 0.12) -> Scored:
    """(score, quality) pairs; the mean quality from score s on is about base + slope * (1 + s) / 2."""
    chance = random.Random(seed)
    scores = [chance.random() for _ in range(count)]
    return [(score, min(max(chance.gauss(base + slope * score, spread), 0.0), 1.0)) for score in scores]


def alike(count: int, quality: float = 0.8) -> Scored:
    """As many with different scores, and all of one quality."""
    return [(number / count, quality) for number in range(count)]
