"""How far people agree with one another: what two of them drew of the same image, held against each other.

No label of a machine can be told to be better than people's own are by one another, so nobody should promise more.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from labelloop import tasks
from labelloop.contracts.skeletons import Skeleton
from labelloop.people.answers import Marked
from labelloop.people.workers import read


def between(
    responses: Mapping[str, Mapping[str, Any]],
    classes: Sequence[str],
    skeleton: Skeleton | None = None,
    ignored: Collection[str] = (),
) -> list[float]:
    """For each image that two people or more drew: the mean quality (0..1) between any two of their answers.

    `responses`: the worker-response document of each image, {"answers": [{"workerId", "answerContent", ...}]}; of those
    of one person the last counts. Verdicts are no drawings; images in `ignored` (honeypots) do not count.
    """
    found = []
    for image in sorted(responses.keys() - set(ignored)):
        drawn = _drawn(responses[image].get("answers", ()), classes, skeleton)
        pairs = [_quality(one, other, skeleton) for one, other in itertools.combinations(drawn, 2)]
        found += [fmean(pairs)] if pairs else []
    return found


def over_jobs(records: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """{"images", "quality"} of all jobs of a batch, by their records; None where no image was labelled twice."""
    known = [record for record in records if record.get("double-labelled")]
    images = sum(record["double-labelled"] for record in known)
    total = sum(record["double-labelled"] * record["people-agreement"] for record in known)
    return {"images": images, "quality": round(total / images, 4)} if images else None


def _drawn(entries: Iterable[Mapping[str, Any]], classes: Sequence[str], skeleton: Skeleton | None) -> list[Marked]:
    by_worker = {str(entry.get("workerId")): read(entry, classes, skeleton) for entry in entries}
    return [answer for _, answer in sorted(by_worker.items()) if isinstance(answer, Marked)]


def _quality(one: Marked, other: Marked, skeleton: Skeleton | None) -> float:
    asked, answered = tasks.of(one.task), tasks.of(other.task)
    return asked.quality(one.marks, other.marks, skeleton) if asked is answered else 0.0
