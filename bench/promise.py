"""S14: are the promises kept? Judge images are drawn again and again, and what is accepted is held against the truth.

Models from COCO's weights, taught with 200 of the 364 photographs of blood cells (../shared/data/bccd), and with 60,
from the cache that the benchmarks share (zoo.py). Of the images that a model was not taught with 50, 100 or 200 are
drawn to judge it, with replacement, 500 times; each time the loop's own functions fit label rule, score and policy to
them, and what the policy would accept of all unseen images is looked up in the truth. Target 0.65. The unseen images
are all that judge images are drawn from, so the batch counts as one without end.

S14.violations: share of draws in which the mean quality of the accepted labels lies below the target, the largest of
the sizes and models, for `certified`. Goal: at most .10, and two standard errors of so many draws.
S14.share: share of the images that it accepts with the models of 200 images, as parts of .28, .37 and .45, the smallest
of the three sizes.

Beside it, without a goal: `target-quality`, which is Ground Truth's rule, `strict`, and `certified` in one of two
rounds that accept (half of the alpha). Takes some minutes. Writes build/bench/<goal>.json.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any, cast

from labelloop.contracts.settings import Settings
from labelloop.trust import policies
from labelloop.trust.policies.bounded import ALPHA, ENDLESS

from bench import photo_set, zoo
from bench.unseen import Unseen

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"
TARGET, DRAWS = 0.65, 500
SHARES = {50: 0.28, 100: 0.37, 200: 0.45}
MOST_VIOLATIONS = 0.10
MODELS = {200: tuple(zoo.Model("coco", 200, order) for order in (1, 2)), 60: zoo.OF_60}


@dataclass(frozen=True)
class Question:
    """Which policy is asked, with which alpha, about models of so many training images."""

    policy: str
    alpha: float = ALPHA
    images: int = 200

    @property
    def name(self) -> str:
        return f"{self.policy}, alpha {self.alpha:g}, {self.images} training images"


GOAL = Question("certified")
KEPT = (GOAL, Question("certified", images=60))
QUESTIONS = (
    *KEPT,
    Question("certified", ALPHA / 2),
    Question("strict"),
    Question("target-quality"),
    Question("target-quality", images=60),
)


@dataclass(frozen=True)
class Draw:
    """What one draw of judge images accepted of the unseen images: which share, and how good it truly is."""

    share: float
    mean: float | None

    def misses(self, target: float) -> bool:
        return self.mean is not None and self.mean < target - 1e-9


Cell = dict[str, float]
Cells = Mapping[str, Mapping[int, Cell]]


def main() -> None:
    pictures = photo_set.of_name("bccd")
    unseen = {
        images: [Unseen(seen.predictions, seen.truths) for seen in (zoo.get(pictures, model) for model in models)]
        for images, models in MODELS.items()
    }
    cells = {asked.name: cells_of(unseen[asked.images], asked) for asked in QUESTIONS}
    for report in (violations(cells), shares(cells)):
        (OUT / f"{report['goal']}.json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))


def cells_of(models: Sequence[Unseen], asked: Question) -> dict[int, Cell]:
    found = {judges: summary(draws(models, asked, judges), TARGET) for judges in SHARES}
    print(asked.name, found, flush=True)
    return found


def draws(models: Sequence[Unseen], asked: Question, judges: int, target: float = TARGET) -> list[Draw]:
    """DRAWS of them, of one model after the other; the same every time."""
    return [draw(models[number % len(models)], asked, judges, target, number) for number in range(DRAWS)]


def draw(unseen: Unseen, asked: Question, judges: int, target: float, seed: int) -> Draw:
    drawn = random.Random(f"{seed} {judges}").choices(range(len(unseen)), k=judges)
    everything = unseen.scored(unseen.rule(drawn))
    pin = {"model": "m", "target": target, "alpha": asked.alpha, "open": ENDLESS}
    fitted = {"dataset": "d", "scored": [everything[place] for place in drawn]}
    rule = policies.of(asked.policy).of_round(pin, _settings(target), lambda: fitted)
    accepted = [quality for score, quality in everything if rule.accepts(score)]
    return Draw(len(accepted) / len(everything), fmean(accepted) if accepted else None)


def summary(made: Sequence[Draw], target: float) -> Cell:
    return {
        "share": round(fmean(each.share for each in made), 4),
        "violations": round(fmean(each.misses(target) for each in made), 4),
        "nothing": round(fmean(each.mean is None for each in made), 4),
    }


def violations(cells: Cells) -> dict[str, Any]:
    allowed = MOST_VIOLATIONS + 2 * math.sqrt(MOST_VIOLATIONS * (1 - MOST_VIOLATIONS) / DRAWS)
    most = max(cell["violations"] for asked in KEPT for cell in cells[asked.name].values())
    return _report("S14.violations", most, round(allowed, 4), most <= allowed, cells)


def shares(cells: Cells) -> dict[str, Any]:
    least = min(cell["share"] / SHARES[judges] for judges, cell in cells[GOAL.name].items())
    return _report("S14.share", round(least, 4), 1.0, least >= 1, cells)


def _report(goal: str, value: float, target: float, holds: bool, cells: Cells) -> dict[str, Any]:
    told = {"quality_target": TARGET, "draws": DRAWS, "share_goals": SHARES, "by_judge_images": cells}
    return {"goal": goal, "value": value, "target": target, "holds": holds, "detail": told}


def _settings(target: float) -> Settings:
    """What policies read of the settings beside the pin."""
    return cast(Settings, SimpleNamespace(target_mean_iou=target, judge_minimum=10, accept_threshold=0.5))


if __name__ == "__main__":
    main()
