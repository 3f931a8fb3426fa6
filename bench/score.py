"""S15: how near does the score come to the order of the truth?

Pictures are accepted from the best score down, so a score is as good as its order. Of each model that the benchmarks
share (zoo.py) the unseen pictures are put in the order of their scores; the area under "mean quality of the first k"
says how good that is, 0 for an order by chance and 1 for that of the true qualities: the share of the gap closed.
50 of the pictures are drawn to fit the label rule, 20 times, and the others are ordered.

S15.score: mean over the models of photographs of blood cells and of circuit boards, if there are any. Goal: .52.
Beside it the score of version 0.1, at its fixed confidence. Writes build/bench/S15.score.json.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.tasks.quality import iou
from labelloop.trust.judgement import label_quality, machine_label

from bench import photo_set, zoo
from bench.unseen import KEEP_CONFIDENCE, Unseen
from bench.zoo import Seen

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"
GOAL, JUDGES, DRAWS = 0.52, 50, 20
SETS = ("bccd", "deeppcb")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for model in zoo.STANDARD:
        zoo.get(photo_set.of_name("bccd"), model)
    rows = [row(name, seen) for name in SETS for seen in zoo.known(photo_set.of_name(name))]
    told = report(rows)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{told['goal']}.json").write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))


def row(name: str, seen: Seen) -> dict[str, Any]:
    """What of the gap this and the former score close for one model."""
    unseen = Unseen(seen.predictions, seen.truths)
    usual = LabelRule(KEEP_CONFIDENCE)
    former = [
        (former_score(prediction, usual), label_quality(prediction, truth, usual))
        for prediction, truth in unseen.images
    ]
    closed = []
    for draw in range(DRAWS):
        drawn = set(random.Random(f"{name} {seen.model.name} {draw}").sample(range(len(unseen)), JUDGES))
        everything = unseen.scored(unseen.rule(sorted(drawn)))
        closed.append(gap_closed([pair for place, pair in enumerate(everything) if place not in drawn]))
    return {
        "set": name,
        "model": seen.model.name,
        "map50": seen.facts.get("map50"),
        "closed": round(fmean(closed), 4),
        "former": round(gap_closed(former), 4),
    }


def gap_closed(scored: Sequence[tuple[float, float]]) -> float:
    """Of (score, quality) pairs. 1 where the order of the scores is that of the qualities."""
    chance = fmean(quality for _, quality in scored)
    best = area(sorted((quality for _, quality in scored), reverse=True))
    reached = area([quality for _, quality in sorted(scored, key=lambda pair: -pair[0])])
    return (reached - chance) / (best - chance) if best > chance else 1.0


def area(qualities: Iterable[float]) -> float:
    """The mean over k of the mean of the first k."""
    means, total = [], 0.0
    for count, quality in enumerate(qualities, start=1):
        total += quality
        means.append(total / count)
    return fmean(means)


def former_score(prediction: Prediction, rule: LabelRule) -> float:
    """That of version 0.1."""
    kept = [mark for mark in machine_label(prediction, rule) if isinstance(mark, Box)]
    confidences = [box.confidence or 0.0 for box in kept]
    doubts = [
        box.confidence or 0.0
        for box in prediction.boxes
        if (box.confidence or 0.0) < rule.keep_confidence
        and not any(box.label == other.label and iou(box, other) >= 0.5 for other in kept)
    ]
    trust = (math.fsum(confidences) / len(confidences) + min(confidences)) / 2 if confidences else 0.5
    return trust * (1 - max(doubts, default=0.0))


def report(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    value = round(fmean(row["closed"] for row in rows), 4)
    return {
        "goal": "S15.score",
        "value": value,
        "target": GOAL,
        "holds": value >= GOAL,
        "detail": {
            "value_is": "share of the gap from an order by chance to that of the truth which the score closes",
            "former": round(fmean(row["former"] for row in rows), 4),
            "models": list(rows),
        },
    }


if __name__ == "__main__":
    main()
