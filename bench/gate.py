"""S12: does the gate promote better models, and only them?

Pairs of the models that all benchmarks share (zoo.py), of the photographs of blood cells. Which of two is better, and
by how much, says mAP50 on all pictures that trained neither. 20 or 50 of these pictures are drawn to judge them, 150
times, and the gate decides as in the loop (`promotion.compare`), each model with the label rule that fits it there.

S12.better: share of promotions where the challenger is better by 3 points or more; goals .80 with 20 pictures, .90 with
50, each in the mean over pairs. S12.worse: where it is worse by 3 points or more; at most .10 and .05.
S12.lost: promotions of better models from which a rare class was taken: of its objects 1 to 9 are left in the drawn
pictures, of which the champion's labels have at least half, and the challenger's none. Goal: none.
Beside them, without a goal, `GateRule=strict`. Takes minutes; writes build/bench/<goal>.json.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest import mock

from labelloop import tasks
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.tasks.boxes import Boxes
from labelloop.tasks.quality import map50
from labelloop.trust import fitting, promotion
from labelloop.trust.judgement import machine_label
from labelloop.trust.promotion import Contender, GateSettings

from bench import photo_set, zoo
from bench.zoo import Seen

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"
SIZES = (20, 50)
DRAWS, DRAWS_OF_LOST = 150, 40
TRULY = 0.03
BETTER, WORSE = {20: 0.80, 50: 0.90}, {20: 0.10, 50: 0.05}
MOST_RARE = 9
USUAL = LabelRule(0.25)


@dataclass(frozen=True)
class Pair:
    """Two models, the pictures that trained neither, and mAP50 of the challenger there less that of the champion."""

    challenger: Seen
    champion: Seen
    truths: tuple[Annotation, ...]
    difference: float

    @property
    def name(self) -> str:
        return f"{self.challenger.model.name} against {self.champion.model.name}"


@contextmanager
def remembered() -> Iterator[None]:
    """How good the labels of an image are by each rule is worked out once, however often it is drawn."""
    work_out, trusts = Boxes.qualities, cache(Boxes().trusts)

    @cache
    def once(prediction: Prediction, truth: tuple[Box, ...], rules: tuple[LabelRule, ...]) -> list[float]:
        return work_out(Boxes(), prediction, truth, rules)

    with mock.patch.multiple(
        Boxes,
        qualities=lambda self, prediction, truth, rules, skeleton=None: once(prediction, tuple(truth), tuple(rules)),
        trusts=lambda self, prediction, rules: trusts(prediction, tuple(rules)),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--strict", action="store_true", help="GateRule=strict, too, which takes ten times as long")
    chosen = parser.parse_args()
    models = _of_the_zoo()
    apart = [pair for pair in pairs(models) if abs(pair.difference) >= TRULY]
    with remembered():
        report(apart, chosen.draws, chosen.strict)


def report(apart: Sequence[Pair], draws: int, strict: bool) -> None:
    rates = {rule: table(apart, rule, draws) for rule in ("better", *(["strict"] if strict else []))}
    better = [pair for pair in apart if pair.difference > 0]
    lost = {pair.name: lost_classes(pair, min(draws, DRAWS_OF_LOST)) for pair in better}
    OUT.mkdir(parents=True, exist_ok=True)
    for told in (*reports(rates), report_of_lost(lost)):
        (OUT / f"{told['goal']}.json").write_text(json.dumps(told, indent=2) + "\n")
        print(json.dumps(told, indent=2))


def pairs(models: Sequence[Seen]) -> Iterator[Pair]:
    """Every two of them, in both roles."""
    for challenger in models:
        for champion in models:
            if challenger is champion:
                continue
            theirs = {truth.source_ref for truth in champion.truths}
            common = tuple(truth for truth in challenger.truths if truth.source_ref in theirs)
            new, old = (map50(seen.predictions, common) for seen in (challenger, champion))
            assert new is not None and old is not None
            yield Pair(challenger, champion, common, round(new - old, 4))


def table(apart: Sequence[Pair], rule: str, draws: int) -> list[dict[str, Any]]:
    """Of each pair, how often the challenger is promoted with each number of judge images."""
    return [
        {
            "pair": pair.name,
            "difference": pair.difference,
            **{str(size): round(fmean(promoted(pair, size, rule, draws)), 4) for size in SIZES},
        }
        for pair in sorted(apart, key=lambda pair: (-pair.difference, pair.name))
    ]


def promoted(pair: Pair, size: int, rule: str, draws: int) -> list[bool]:
    return [
        _better(pair, random.Random(f"{pair.name} {size} {draw}").sample(pair.truths, size), rule, draw)
        for draw in range(draws)
    ]


def lost_classes(pair: Pair, draws: int) -> dict[str, dict[str, int]]:
    """By class, with 50 judge images: in how many draws there was something to lose, and how often it was promoted."""
    told = {}
    for label in sorted({box.label for truth in pair.truths for box in truth.boxes}):
        blind = replace(
            pair.challenger, predictions=tuple(_without(each, label) for each in pair.challenger.predictions)
        )
        tried = promotions = 0
        for draw in range(draws):
            chance = random.Random(f"{pair.name} {label} {draw}")
            judges, champion = _thinned(pair, label, chance)
            if _labelled(champion, judges, label):
                tried += 1
                promotions += _better(replace(pair, challenger=blind, champion=champion), judges, "better", draw)
        told[label] = {"draws": tried, "promoted": promotions}
    return told


def _thinned(pair: Pair, label: str, chance: random.Random) -> tuple[list[Annotation], Seen]:
    """50 judge images in which one to nine objects of the class are left, and what the champion saw: it knows the class
    only there.
    """
    drawn = chance.sample(pair.truths, SIZES[-1])
    rare = [truth for truth in drawn if any(box.label == label for box in truth.boxes)]
    left = {truth.source_ref for truth in chance.sample(rare, min(chance.randint(1, MOST_RARE), len(rare)))}
    judges, number = [], 0
    for truth in drawn:
        boxes = []
        for box in truth.boxes:
            if box.label == label:
                number += truth.source_ref in left
                if truth.source_ref not in left or number > MOST_RARE:
                    continue
            boxes.append(box)
        judges.append(replace(truth, marks=tuple(boxes)))
    seen = tuple(each if each.source_ref in left else _without(each, label) for each in pair.champion.predictions)
    return judges, replace(pair.champion, predictions=seen)


def _labelled(champion: Seen, judges: Sequence[Annotation], label: str) -> bool:
    """Whether the champion's labels have at least half of the objects of the class."""
    images = fitting.seen(champion.predictions, judges)
    rule = fitting.label_rule(images, USUAL)
    objects = found = 0
    for prediction, truth in images:
        hits = tasks.of(prediction.task).found(machine_label(prediction, rule), truth.marks)
        of_class = {place for place, box in enumerate(truth.marks) if box.label == label}
        objects += len(of_class)
        found += len(hits & of_class)
    return objects > 0 and found * 2 >= objects


def _without(prediction: Prediction, label: str) -> Prediction:
    return replace(prediction, marks=tuple(box for box in prediction.boxes if box.label != label))


def _better(pair: Pair, judges: Sequence[Annotation], rule: str, seed: int) -> bool:
    refs = {truth.source_ref for truth in judges}
    new, old = (
        Contender(seen.model.name, "drawn", [each for each in seen.predictions if each.source_ref in refs], 0.5)
        for seen in (pair.challenger, pair.champion)
    )
    settings = GateSettings(SIZES[0], 0.0, -0.05, USUAL, seed, rule)
    return promotion.compare(new, old, judges, settings).better


def reports(rates: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = rates["better"]
    better, worse = [row for row in rows if row["difference"] > 0], [row for row in rows if row["difference"] < 0]
    if not better:
        raise SystemExit(f"No two models of the zoo differ by {TRULY}: train others (python -m bench.zoo --models ...)")
    detail = {"pairs": rates, "draws_each": DRAWS, "truly": TRULY}
    shares = {size: round(fmean(row[str(size)] for row in better), 4) for size in SIZES}
    wrong = {size: round(fmean(row[str(size)] for row in worse), 4) for size in SIZES}
    return [
        {
            "goal": "S12.better",
            "value": min(shares[size] - BETTER[size] for size in SIZES),
            "target": 0.0,
            "holds": all(shares[size] >= BETTER[size] for size in SIZES),
            "detail": {"value_is": "share of promotions less its goal, the smaller", "shares": shares, "goals": BETTER}
            | detail,
        },
        {
            "goal": "S12.worse",
            "value": max(wrong[size] - WORSE[size] for size in SIZES),
            "target": 0.0,
            "holds": all(wrong[size] <= WORSE[size] for size in SIZES),
            "detail": {"value_is": "share of promotions less its limit, the larger", "shares": wrong, "limits": WORSE},
        },
    ]


def report_of_lost(lost: dict[str, dict[str, dict[str, int]]]) -> dict[str, Any]:
    cells = [cell for classes in lost.values() for cell in classes.values()]
    promotions, tried = (sum(cell[name] for cell in cells) for name in ("promoted", "draws"))
    return {
        "goal": "S12.lost",
        "value": promotions,
        "target": 0,
        "holds": promotions == 0 and tried > 0,
        "detail": {"value_is": "promotions of models that lose a rare class", "draws": tried, "pairs": lost},
    }


def _of_the_zoo() -> list[Seen]:
    pictures = photo_set.of_name("bccd")
    for model in zoo.STANDARD:
        zoo.get(pictures, model)
    return zoo.known(pictures)


if __name__ == "__main__":
    main()
