"""The one random draw of a batch, and who of the humanly labelled may train or judge.

Both are hashes, not generator states: the same seed, key and content give the same draw on every machine, in every
order and on every replay. `draw` and `role` are salted differently, so the role says nothing about the draw.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labelloop.contracts.origins import JUDGE, TRAIN
from labelloop.contracts.records import InventoryItem

ENOUGH_LATER = 30  # sampled images of a batch, once enough images judge: what is accepted of it can be estimated


@dataclass(frozen=True)
class Tally:
    """How many sampled contents people have labelled in all, and how many of those judge."""

    answered: int = 0
    judges: int = 0


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


def fewest(minimum: int, judges: int, wanted: int) -> int:
    """The fewest images that the sample of a new batch may have, where `judges` images judge already and `wanted` are
    to, before one of the sample trains.
    """
    return minimum if judges < wanted else min(minimum, ENOUGH_LATER)


def in_role_order(contents: Iterable[str], seed: int) -> list[str]:
    """Hashes of contents (or of groups of near duplicates) in the order in which they get a role."""
    return sorted(contents, key=lambda content: (_uniform("role", seed, content), content))


def roles(contents: Iterable[str], before: Tally, wanted: int) -> tuple[dict[str, str], Tally]:
    """`train` or `judge` for each of these sampled contents, which people have labelled and which have no role yet; and
    the tally with them. In their order, so that n of them in all leave max(wanted, n // 2) that judge, or all n.

    Only sampled content may be among them: what judges the machine must not have been picked by the machine.
    """
    found, answered, judges = {}, before.answered, before.judges
    for content in contents:
        answered += 1
        judging = judges < max(wanted, answered // 2)
        found[content] = JUDGE if judging else TRAIN
        judges += judging
    return found, Tally(answered, judges)


def _uniform(salt: str, *parts: int | str) -> float:
    """The first 53 bits of a SHA-256, as a fraction; JSON keeps ("a", "bc") and ("ab", "c") apart."""
    digest = hashlib.sha256(json.dumps([salt, *parts]).encode("ascii")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
