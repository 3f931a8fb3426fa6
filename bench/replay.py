"""The loop, replayed: what each policy would have accepted of a labelled set, how good that was, and what it saved.

`python -m bench.replay [--set bccd | --images FOLDER --truth FILE] [--targets .60 .65] [--policies certified ...]`

What models saw in the pictures is cached (zoo.py), so a replay takes seconds where the loop takes minutes; label rule,
score, policy, audit and gate are the loop's own functions. People answer with the truth. Prints tables in Markdown:

models    how good each is, which label rule all its unseen pictures fit, which share of the gap the score closes
promise   judge images are drawn with replacement: accepted share / share of draws that miss the target
loop      one batch: people label what trained the model, the judge images, the audit and what is not accepted
gate      of every two models that differ by 3 points, how often the challenger is promoted
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from labelloop.trust import audit, forecast, policies, spending
from labelloop.trust.audit import Looked
from labelloop.trust.policies.bounded import ALPHA

from bench import gate, photo_set, promise, score, zoo
from bench.photo_set import PhotoSet
from bench.unseen import Unseen
from bench.zoo import Seen

JUDGES = 50
SIZES = (50, 100, 200)
AUDIT_RATE, AUDIT_MINIMUM = 0.02, 20
POLICIES = ("certified", "strict", "target-quality")
TARGETS = (0.55, 0.60, 0.65, 0.70, 0.78)
Row = Sequence[Any]


@dataclass(frozen=True)
class Batch:
    """What became of one replayed batch: shares of all its pictures, and the true mean quality of what was accepted,
    None where nothing was. `contradicted`: the audit took it back.
    """

    accepted: float
    people: float
    mean: float | None
    contradicted: bool

    @property
    def saving(self) -> float:
        """Of the price of people labelling everything; an audit costs as much as a label."""
        return 1 - self.people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="bccd", help="a folder of ../shared/data")
    parser.add_argument("--images", type=Path, help="a folder of pictures of your own")
    parser.add_argument("--truth", type=Path, help="their COCO detection file")
    parser.add_argument("--targets", type=float, nargs="+", default=TARGETS)
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--seeds", type=int, default=200, help="draws of each cell")
    parser.add_argument("--without-gate", action="store_true", help="leave the table out that takes minutes")
    chosen = parser.parse_args()
    pictures = _set(chosen.set, chosen.images, chosen.truth)
    models = _models(pictures)
    print(f"{pictures.name}: {len(pictures.truths)} pictures, classes {', '.join(pictures.classes)}")
    for title, rows in tables(models, chosen.policies, chosen.targets, chosen.seeds, not chosen.without_gate):
        print(f"\n### {title}\n\n{markdown(rows)}", flush=True)


def tables(
    models: Sequence[Seen], names: Sequence[str], targets: Sequence[float], seeds: int, with_gate: bool = True
) -> Iterable[tuple[str, list[Row]]]:
    unseen = {seen.model.name: Unseen(seen.predictions, seen.truths) for seen in models}
    yield "models", models_table(models, unseen)
    yield "promise: accepted share / share of draws below the target", promise_table(unseen, names, targets, seeds)
    yield (
        f"loop, {JUDGES} judge images: accepted, its IoU / below the target / saving",
        loop_table(models, unseen, names, targets, seeds),
    )
    if with_gate:
        with gate.remembered():
            yield "gate: share of promotions", gate_table(models, min(seeds, gate.DRAWS))


def models_table(models: Sequence[Seen], unseen: dict[str, Unseen]) -> list[Row]:
    rows: list[Row] = [
        ("model", "mAP50", "quality at .25", "quality", "keep", "NMS", "gap closed", "by the score of 0.1")
    ]
    for seen in models:
        name, own = seen.model.name, unseen[seen.model.name]
        rule = own.rule(range(len(own)))
        usual, fitted = (fmean(quality for _, quality in own.scored(each)) for each in (own.rule([]), rule))
        closed = score.row("", seen)
        nms = "off" if rule.nms_iou >= 1 else f"{rule.nms_iou:g}"
        mean = "-" if seen.facts.get("map50") is None else f"{seen.facts['map50']:.3f}"
        rows.append(
            (name, mean, _two(usual), _two(fitted), _two(rule.keep_confidence), nms, _two(closed["closed"]),
             _two(closed["former"]))
        )  # fmt: skip
    return rows


def promise_table(unseen: dict[str, Unseen], names: Sequence[str], targets: Sequence[float], seeds: int) -> list[Row]:
    rows: list[Row] = [("policy", "target", *(f"{size} judges" for size in SIZES))]
    models = list(unseen.values())
    for name in names:
        for target in targets:
            cells = []
            for size in SIZES:
                made = [
                    promise.draw(models[seed % len(models)], promise.Question(name, ALPHA / 2), size, target, seed)
                    for seed in range(seeds)
                ]
                told = promise.summary(made, target)
                cells.append(f"{told['share']:.2f}/{told['violations']:.2f}")
            rows.append((name, f"{target:.2f}", *cells))
    return rows


def loop_table(
    models: Sequence[Seen], unseen: dict[str, Unseen], names: Sequence[str], targets: Sequence[float], seeds: int
) -> list[Row]:
    rows: list[Row] = [("model", "policy", "target", "accepted", "IoU", "below", "saving", "contradicted")]
    for seen in models:
        if len(unseen[seen.model.name]) < 2 * JUDGES:
            continue
        for name in names:
            for target in targets:
                batches = [
                    batch(unseen[seen.model.name], seen.model.images, name, target, seed) for seed in range(seeds)
                ]
                rows.append((seen.model.name, name, f"{target:.2f}", *summary(batches, target)))
    return rows


def batch(unseen: Unseen, trained: int, policy: str, target: float, seed: int) -> Batch:
    """The round that accepts, of a batch whose first two rounds of work were the pictures that trained the model and
    those that judge it. The others are open; what is accepted is audited before it is published.
    """
    whole, chance = trained + len(unseen), random.Random(f"batch {seed}")
    judges = chance.sample(range(len(unseen)), JUDGES)
    scored = unseen.scored(unseen.rule(judges))
    others = sorted(set(range(len(unseen))) - set(judges))
    question = {"model": "m", "thresholds_uri": "t", "accept_policy": policy, "target": target}
    rounds = forecast.accepting_rounds(whole, forecast.WHEN_IT_PAYS)
    pin = {**question, **spending.terms([], rounds, question, len(others))}
    judged = sorted(scored[place] for place in judges)
    fitted = {"dataset": "d", "scored": judged}
    rule = policies.of(policy).of_round(pin, promise._settings(target), lambda: fitted)
    accepted = [scored[place] for place in others if rule.accepts(scored[place][0])]
    places = {str(number): audit.place(seed, str(number), "") for number in range(len(accepted))}
    looked = [accepted[int(number)] for number in sorted(audit.draw(places, AUDIT_RATE, AUDIT_MINIMUM))]
    finding = audit.find(
        [own for own, _ in accepted],
        [Looked(own, quality, quality >= 1) for own, quality in looked],
        [pair for pair in judged if rule.accepts(pair[0])],
        rule.target,
    )
    taken = [] if finding.contradicted else accepted
    people = whole - len(taken) + (len(looked) if taken else 0)
    mean = fmean(quality for _, quality in taken) if taken else None
    return Batch(len(taken) / whole, min(people, whole) / whole, mean, finding.contradicted)


def summary(batches: Sequence[Batch], target: float) -> Row:
    accepted = sorted(each.accepted for each in batches)
    low, high = accepted[len(accepted) // 10], accepted[-1 - len(accepted) // 10]
    means = [each.mean for each in batches if each.mean is not None]
    return (
        f"{fmean(accepted):.2f} [{low:.2f}, {high:.2f}]",
        _two(fmean(means)) if means else "-",
        _two(fmean(each.mean is not None and each.mean < target - 1e-9 for each in batches)),
        f"{fmean(each.saving for each in batches):+.2f}",
        _two(fmean(each.contradicted for each in batches)),
    )


def gate_table(models: Sequence[Seen], draws: int) -> list[Row]:
    apart = [pair for pair in gate.pairs(models) if abs(pair.difference) >= gate.TRULY]
    rows: list[Row] = [("challenger against champion", "mAP50", *(f"{size} judges" for size in gate.SIZES))]
    for row in gate.table(apart, "better", draws):
        rows.append((row["pair"], f"{row['difference']:+.3f}", *(_two(row[str(size)]) for size in gate.SIZES)))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _set(name: str, images: Path | None, truth: Path | None) -> PhotoSet:
    if images is None or truth is None:
        return photo_set.of_name(name)
    return PhotoSet(images.resolve().parent.name or "own", images, truth)


def _models(pictures: PhotoSet) -> list[Seen]:
    known = zoo.known(pictures)
    return known or [zoo.get(pictures, model) for model in zoo.STANDARD if model.images * 3 <= len(pictures.truths)]


def _two(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
