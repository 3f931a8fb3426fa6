"""Several people sort the same items into classes: what is each item really, and who confuses what with what?

A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied
Statistics 28 (1979), 20-28: expectation maximisation over the items' true classes and one confusion matrix per worker.
To the likelihood comes a prior, without which three votes of strangers say nothing: each worker's matrix starts from
PRIOR_VOTES made-up votes per class, of which the worker's reliability is the share of right ones. With few votes the
result therefore is the reliability-weighted vote, with many it is Dawid and Skene's. The prior is never below chance,
where a vote says nothing: below it a vote would speak against what it says, which one must know, not suppose.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

PRIOR_VOTES = 4.0
UNKNOWN_RELIABILITY = 0.8
MOST_ROUNDS = 100
SETTLED = 1e-7

Item = TypeVar("Item", bound=Hashable)
Confusion = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Consensus(Generic[Item]):
    """`posteriors`: per item the probability of each class. `confusion`: per worker, true class, class said: how often.

    `prevalence`: the share of each class among the items. `votes`: what the consensus is about.
    """

    votes: Mapping[Item, Mapping[str, str]]
    posteriors: dict[Item, dict[str, float]]
    confusion: dict[str, Confusion]
    prevalence: dict[str, float]

    def label(self, item: Item) -> str:
        """What all say, as there is nobody to believe instead; else the most probable class, among equals the one
        with most votes, then the first of the class list.
        """
        said, posterior = Counter(self.votes[item].values()), self.posteriors[item]
        if len(said) == 1:
            return next(iter(said))
        return max(posterior, key=lambda name: (round(posterior[name], 9), said[name]))  # max keeps the first


def dawid_skene(
    votes: Mapping[Item, Mapping[str, str]], classes: Sequence[str], reliability: Mapping[str, float] | None = None
) -> Consensus[Item]:
    """Consensus on votes {item: {worker: class}}; reliability is each worker's share of right votes, in (0, 1].

    Deterministic and independent of the order of items and workers: sums are exact (math.fsum), products are sums of
    logarithms. A vote for a class that is not in `classes` raises KeyError.
    """
    told = reliability or {}
    workers = {worker for by_worker in votes.values() for worker in by_worker}
    prior = {worker: _prior(told.get(worker, UNKNOWN_RELIABILITY), classes) for worker in workers}
    confusion, prevalence = prior, {name: 1 / len(classes) for name in classes}
    posteriors = _expect(votes, confusion, prevalence)
    for _ in range(MOST_ROUNDS):
        confusion, prevalence = _maximise(votes, posteriors, prior, classes)
        before, posteriors = posteriors, _expect(votes, confusion, prevalence)
        moved = (abs(now - before[item][name]) for item in posteriors for name, now in posteriors[item].items())
        if max(moved, default=0.0) < SETTLED:
            break
    return Consensus(votes, posteriors, confusion, prevalence)


def _prior(reliability: float, classes: Sequence[str]) -> Confusion:
    """A worker who is right as often as told, at least by chance, and errs evenly; never quite certain: nobody is."""
    right = min(max(reliability, 1 / len(classes)), 0.99)
    wrong = (1 - right) / max(len(classes) - 1, 1)
    return {true: {said: right if said == true else wrong for said in classes} for true in classes}


def _expect(
    votes: Mapping[Item, Mapping[str, str]], confusion: Mapping[str, Confusion], prevalence: Mapping[str, float]
) -> dict[Item, dict[str, float]]:
    log_prevalence = {name: math.log(share) for name, share in prevalence.items()}
    log_confusion = {
        worker: {true: {said: math.log(share) for said, share in row.items()} for true, row in matrix.items()}
        for worker, matrix in confusion.items()
    }
    posteriors = {}
    for item, by_worker in votes.items():
        logs = {
            true: math.fsum([start, *(log_confusion[worker][true][said] for worker, said in by_worker.items())])
            for true, start in log_prevalence.items()
        }
        highest = max(logs.values())
        odds = {true: math.exp(value - highest) for true, value in logs.items()}
        total = math.fsum(odds.values())
        posteriors[item] = {true: value / total for true, value in odds.items()}
    return posteriors


def _maximise(
    votes: Mapping[Item, Mapping[str, str]],
    posteriors: Mapping[Item, Mapping[str, float]],
    prior: Mapping[str, Confusion],
    classes: Sequence[str],
) -> tuple[dict[str, Confusion], dict[str, float]]:
    seen: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for item, by_worker in votes.items():
        for worker, said in by_worker.items():
            for true, share in posteriors[item].items():
                seen[worker, true, said].append(share)
    confusion = {}
    for worker, matrix in prior.items():
        counts = {
            true: {said: math.fsum([PRIOR_VOTES * row[said], *seen[worker, true, said]]) for said in classes}
            for true, row in matrix.items()
        }
        confusion[worker] = {
            true: {said: count / math.fsum(row.values()) for said, count in row.items()} for true, row in counts.items()
        }
    # One made-up item per class keeps the share of a class that nobody has seen yet above zero.
    items = {name: math.fsum([1.0, *(posterior[name] for posterior in posteriors.values())]) for name in classes}
    total = math.fsum(items.values())
    return confusion, {name: count / total for name, count in items.items()}
