"""How well two networks of key points tell what is hidden, on drawn scenes that trained neither: three seeds.

For each seed 150 scenes train from COCO's weights (../shared/weights/yolov8n.pt; bench/zoo.py keeps what was seen), and
100 others judge: who is found, and what is said of each of their points. A missed person's points count as outside.

G4.6a: the area under the curve of the additional confidence, visible points against occluded ones, mean over seeds.
G4.6b: the error of fitted thresholds over that of (.6, .6). Like all rules that are fitted they are cross-fitted: no
scene is judged by thresholds that it helped to fit. Beside them, without a goal: thresholds of the main confidence
alone, logistic regression (logistic_visibility.py), and what saying "visible" of every point would give.
G1.5: what two networks cost over one (two_networks.py).

Writes build/bench/<goal>.json. A training of both networks takes minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from labelloop.contracts.predictions import Prediction
from labelloop.contracts.visibility_rules import VisibilityRule
from labelloop.tasks import oks, visibility
from labelloop.tasks.visibility import Judged, VisibilityFigures

from bench import logistic_visibility, two_networks, zoo
from bench.people_scenes import PeopleScenes
from bench.zoo import Model, Seen

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"
SEEDS = (1, 2, 3)
TRAINED = 150
KEEP_CONFIDENCE = 0.25
LEAST_AUC, MOST_ERROR = 0.80, 1.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
    runs = {}
    for seed in seeds:
        scenes, model = PeopleScenes(seed), Model("coco", TRAINED, seed)
        runs[seed] = told(zoo.get(scenes, model), scenes)
        print(seed, json.dumps(runs[seed]), flush=True)
    last = zoo.ZOO / scenes.name / "jobs" / model.name / "model"
    OUT.mkdir(parents=True, exist_ok=True)
    for report in (*reports(runs), two_networks.measured(last, scenes.images)):
        (OUT / f"{report['goal']}.json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2), flush=True)


def reports(runs: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of what `told` says of each seed."""
    auc = round(fmean(run["auc"] for run in runs.values()), 4)
    errors = {rule: fmean(1 - run["rules"][rule]["accuracy"] for run in runs.values()) for rule in RULES}
    ratio = round(errors["fitted"] / errors["fixed"], 4)
    return [
        {
            "goal": "G4.6a",
            "value": auc,
            "target": LEAST_AUC,
            "holds": auc >= LEAST_AUC,
            "detail": {
                "value_is": "AUC of the additional confidence, visible against occluded, mean over seeds",
                "seeds": dict(runs),
            },
        },
        {
            "goal": "G4.6b",
            "value": ratio,
            "target": MOST_ERROR,
            "holds": ratio <= MOST_ERROR,
            "detail": {
                "value_is": "error of fitted thresholds over that of (.6, .6), of errors that are means over seeds",
                "errors": {rule: round(error, 4) for rule, error in errors.items()},
            },
        },
    ]


def told(seen: Seen, scenes: PeopleScenes) -> dict[str, Any]:
    """What one model's predictions are worth in the scenes that did not train it."""
    judged = visibility.judged_points([_kept(each) for each in seen.predictions], seen.truths)
    points = [point for of_image in judged.values() for point in of_image]
    by_kind = {
        kind: [point.seen.additional for point in points if point.seen and point.truth == kind]
        for kind in ("visible", "occluded")
    }
    figures = {rule: figures_of(judged) for rule, figures_of in RULES.items()}
    return {
        "oks_map50": oks.oks_map50(seen.predictions, seen.truths, scenes.skeleton),
        "auc": round(auc(by_kind["visible"], by_kind["occluded"]), 4),
        "missed": round(sum(point.seen is None for point in points) / len(points), 4),
        "always_visible": figures["fixed"].always_visible,
        "rules": {
            rule: {"accuracy": found.accuracy, "balanced": found.balanced, "confusion": found.confusion}
            for rule, found in figures.items()
        },
        "training_seconds": seen.facts["seconds"],
    }


def fixed(judged: Judged) -> VisibilityFigures:
    return visibility.figures(judged, VisibilityRule())


def main_only(judged: Judged) -> VisibilityFigures:
    """Of the main network alone: its one confidence has both thresholds."""
    return visibility.cross_fitted(
        {
            ref: [
                replace(point, seen=point.seen and replace(point.seen, additional=point.seen.main)) for point in points
            ]
            for ref, points in judged.items()
        }
    )


def logistic(judged: Judged) -> VisibilityFigures:
    return visibility.cross_fitted(judged, logistic_visibility.fit)


RULES = {"fixed": fixed, "fitted": visibility.cross_fitted, "main-only": main_only, "logistic": logistic}


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often one of the first is above one of the second; equal ones are so half the time."""
    ordered = sorted(negative)
    above = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in positive) / 2
    return above / (len(positive) * len(negative))


def _kept(prediction: Prediction) -> Prediction:
    """With the people who would be the label before anything is fitted."""
    people = [person for person in prediction.people or () if (person.box.confidence or 0) >= KEEP_CONFIDENCE]
    return replace(prediction, marks=tuple(people))


if __name__ == "__main__":
    main()
