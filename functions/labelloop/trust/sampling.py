"""The one random draw of a batch, and who of the humanly labelled may train or judge.

Both are hashes, not generator states: the same seed, key and content give the same draw on every machine, in every
order and on every replay. `draw` and `role` are salted differently, so the role says nothing about the draw.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labelloop.contracts.records import InventoryItem


@dataclass(frozen=True)
class Shares:
    """How the sampled images are divided among the roles: any non-negative numbers with a positive sum."""

    train: float = 0.5
    judge: float = 0.5

    def __post_init__(self) -> None:
        shares = (self.train, self.judge)
        if not all(0 <= share < math.inf for share in shares) or sum(shares) <= 0:
            raise ValueError(f"the role shares must be non-negative and not all zero, but are {shares}")


def draw(seed: int, key: str, etag: str) -> float:
    """The place of one pinned object in its batch's random order, uniform in [0, 1). The key holds the prefix."""
    return _uniform("draw", seed, key, etag)


def draw_sample(
    items: Sequence[InventoryItem], rate: float, minimum: int, maximum: int | None = None
) -> list[InventoryItem]:
    """The items in their order, with `sampled` and `inclusion_probability` set.

    Of N items the n with the smallest draws are the sample, n = max(ceil(rate * N), min(minimum, N)), at most `maximum`
    (what a sample can tell goes by its own size, not by the batch's). Every item's inclusion probability is n / N,
    sampled or not, because each was equally likely to be among them.
    """
    if not 0 <= rate <= 1 or minimum < 0 or (maximum is not None and maximum < 1):
        raise ValueError(
            f"the sample needs a rate in 0..1, a minimum of at least 0 and a maximum of at least 1, not {rate}, "
            f"{minimum} and {maximum}"
        )
    if not items:
        return []
    # The product may lie a rounding error above a whole number, and ceil would then add an image.
    size = max(math.ceil(rate * len(items) - 1e-9), min(minimum, len(items)))
    size = size if maximum is None else min(size, maximum)
    sample = {item.key for item in sorted(items, key=lambda item: (item.draw, item.key))[:size]}
    probability = size / len(items)
    return [replace(item, sampled=item.key in sample, inclusion_probability=probability) for item in items]


def role_of(sha256: str, sampled: bool, shares: Shares, seed: int) -> str:
    """`train` or `judge` for content with this hash (or its near-duplicate group's hash).

    Only sampled content may judge: what judges the machine must not have been picked by the machine.
    """
    if not sampled:
        return "train"
    point = _uniform("role", seed, sha256) * (shares.train + shares.judge)
    return "judge" if point < shares.judge else "train"


def _uniform(salt: str, *parts: int | str) -> float:
    """The first 53 bits of a SHA-256, as a fraction; JSON keeps ("a", "bc") and ("ab", "c") apart."""
    digest = hashlib.sha256(json.dumps([salt, *parts]).encode("ascii")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
