"""G6.3: is the label of several people better than that of the best of them, and than a plain average?

Simulated workers (demo.annotators; jitter 4 px, 10 % misses, 5 % phantoms, 5 % wrong class) answer made-up images of
640 x 480 pixels with up to six boxes of two classes; nothing is rendered. Their answers go through the consolidation
function's own code in requests of 50 objects, and no worker is known beforehand. The error of a label is
1 - image_quality (labelloop.tasks.quality: one-to-one overlap, same class), the mean over all images of a seed.

G6.3a: three such workers; error of the consolidated label over that of the best single one, chosen in hindsight.
G6.3b: the third worker is adversarial (random boxes in every image); error of the consolidated label over that of plain
averaging. Plain averaging is what one would do without looking at who drew a box: the same matching of boxes, kept
where two of three drew one, every edge the unweighted mean, the class the most frequent, the alphabetically first among
equals. `keep_all` in the detail is the same without the two of three.

The detail also tells what becomes of requests of one object each, and of workers who answered ten honeypots before.
Writes build/bench/G6.3a.json and G6.3b.json. A goal's value is over all seeds; it holds when it does for each of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts.records import Box
from labelloop.people.consolidation import consolidate_payload
from labelloop.people.worker_rows import FEWEST_HONEYPOTS
from labelloop.people.workers import LEAST_RELIABILITY, History, is_unreliable, reliability
from labelloop.tasks.boxes import ANSWER_ATTRIBUTE
from labelloop.tasks.clustering import same_objects
from labelloop.tasks.quality import image_quality

from demo import annotators
from demo.annotators import ImageTruth, Noise, Truth
from demo.annotators.noise import ADVERSARIAL

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (1, 2, 3, 4, 5)
IMAGES = 500
OBJECTS_PER_REQUEST = 50
HONEYPOTS = 10
WORKER_MINIMUM_QUALITY = 0.5  # the parameter's default
CLASSES = ("bag", "head")
WIDTH, HEIGHT = 640, 480
SMALLEST, LARGEST = 40, 180
MOST_BOXES = 6
BEST_SINGLE_SHARE, PLAIN_AVERAGE_SHARE = 0.8, 0.7

Answers = Mapping[str, Mapping[str, Any]]  # worker -> image -> form
Labels = Mapping[str, Sequence[Box]]


def main() -> None:
    runs = {seed: (with_honest_workers(seed), with_an_adversary(seed)) for seed in SEEDS}
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    for goal, target, place in (("G6.3a", BEST_SINGLE_SHARE, 0), ("G6.3b", PLAIN_AVERAGE_SHARE, 1)):
        report = _report(goal, target, {seed: run[place] for seed, run in runs.items()})
        (out / f"{goal}.json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))


def with_honest_workers(seed: int, images: int = IMAGES) -> dict[str, float]:
    """The errors of one seed, and `ratio`: consolidated over best single worker."""
    truth = draw_truth(seed, images)
    answers = answered(truth, _noise(seed))
    singles = [_error(truth, _drawn(forms)) for forms in answers.values()]
    found = {
        "best_worker": min(singles),
        "worst_worker": max(singles),
        "plain_average": _error(truth, plain_average(answers)),
        "consolidated_one_by_one": _error(truth, consolidated(answers, objects=1)),
        "consolidated": _error(truth, consolidated(answers)),
    }
    return {**found, "ratio": found["consolidated"] / found["best_worker"]}


def with_an_adversary(seed: int, images: int = IMAGES) -> dict[str, float]:
    """The errors of one seed, and `ratio`: consolidated over plain average."""
    noise = _noise(seed, {"2": ADVERSARIAL})
    truth, known = draw_truth(seed, images), draw_truth(seed + 1_000, HONEYPOTS)
    answers = answered(truth, noise)
    *good, bad = answers
    on_honeypots = answered(known, noise)
    trust = {worker: _trust(1 - _error(known, _drawn(forms))) for worker, forms in on_honeypots.items()}
    found = {
        "best_worker": min(_error(truth, _drawn(answers[worker])) for worker in good),
        "adversary": _error(truth, _drawn(answers[bad])),
        "plain_average": _error(truth, plain_average(answers)),
        "keep_all": _error(truth, plain_average(answers, at_least=1)),
        "consolidated_one_by_one": _error(truth, consolidated(answers, objects=1)),
        "consolidated_one_by_one_with_honeypots": _error(truth, consolidated(answers, trust, objects=1)),
        "consolidated_with_honeypots": _error(truth, consolidated(answers, trust)),
        "consolidated": _error(truth, consolidated(answers)),
    }
    return {**found, "ratio": found["consolidated"] / found["plain_average"]}


def draw_truth(seed: int, images: int) -> Truth:
    random = Random(f"consolidation bench {seed}")
    boxes = [[_random_box(random) for _ in range(random.randint(0, MOST_BOXES))] for _ in range(images)]
    return Truth(CLASSES, {f"{number:05d}": ImageTruth(WIDTH, HEIGHT, tuple(b)) for number, b in enumerate(boxes)})


def answered(truth: Truth, noise: Noise) -> Answers:
    """What three workers answer."""
    return {
        worker: {image: annotators.answer(truth, noise, worker, image) for image in truth.images}
        for worker in annotators.worker_names(3)
    }


def consolidated(
    answers: Answers, trust: Mapping[str, float] | None = None, objects: int = OBJECTS_PER_REQUEST
) -> Labels:
    """What the consolidation function makes of the answers, in requests of so many objects."""
    images = sorted(next(iter(answers.values())))
    labels: dict[str, list[Box]] = {}
    for start in range(0, len(images), objects):
        payload = [_dataset_object(image, answers) for image in images[start : start + objects]]
        for entry in consolidate_payload(payload, ANSWER_ATTRIBUTE, CLASSES, reliability=trust):
            value = entry["consolidatedAnnotation"]["content"][ANSWER_ATTRIBUTE]
            labels[entry["datasetObjectId"]] = [
                Box(CLASSES[box["class_id"]], box["left"], box["top"], box["width"], box["height"])
                for box in value["annotations"]
            ]
    return labels


def plain_average(answers: Answers, at_least: int = 2) -> Labels:
    by_worker = {worker: _drawn(forms) for worker, forms in answers.items()}
    images = sorted(next(iter(answers.values())))
    labels = {}
    for image in images:
        clusters = same_objects({worker: drawn[image] for worker, drawn in by_worker.items()}, lambda box: box)
        labels[image] = [_mean_box(list(cluster.values())) for cluster in clusters if len(cluster) >= at_least]
    return labels


def _trust(honeypot_quality: float) -> float:
    """As labelloop.store.ledger gives it to the consolidation function."""
    history = History(HONEYPOTS, honeypot_quality)
    flagged = is_unreliable(history, WORKER_MINIMUM_QUALITY, FEWEST_HONEYPOTS)
    return LEAST_RELIABILITY if flagged else reliability(history)


def _noise(seed: int, profiles: Mapping[str, str] | None = None) -> Noise:
    return Noise(4.0, miss_rate=0.1, phantom_rate=0.05, wrong_class_rate=0.05, seed=seed, workers=profiles or {})


def _mean_box(boxes: Sequence[Box]) -> Box:
    votes = Counter(box.label for box in boxes)

    def mean(edge: Callable[[Box], float]) -> float:
        return fmean(edge(box) for box in boxes)

    left, top = mean(lambda box: box.left), mean(lambda box: box.top)
    right, bottom = mean(lambda box: box.left + box.width), mean(lambda box: box.top + box.height)
    return Box(min(votes, key=lambda name: (-votes[name], name)), left, top, right - left, bottom - top)


def _random_box(random: Random) -> Box:
    width, height = random.uniform(SMALLEST, LARGEST), random.uniform(SMALLEST, LARGEST)
    left, top = random.uniform(0, WIDTH - width), random.uniform(0, HEIGHT - height)
    return Box(random.choice(CLASSES), left, top, width, height)


def _dataset_object(image: str, answers: Answers) -> dict[str, Any]:
    annotations = [
        {"workerId": worker, "annotationData": {"content": json.dumps(forms[image])}}
        for worker, forms in answers.items()
    ]
    return {"datasetObjectId": image, "dataObject": {"s3Uri": f"s3://bench/{image}"}, "annotations": annotations}


def _drawn(forms: Mapping[str, Any]) -> Labels:
    return {
        image: [
            Box(box["label"], box["left"], box["top"], box["width"], box["height"])
            for box in form["annotatedResult"]["boundingBoxes"]
        ]
        for image, form in forms.items()
    }


def _error(truth: Truth, labels: Labels) -> float:
    return fmean(
        1 - image_quality(labels[image], [Box(b.label, b.left, b.top, b.width, b.height) for b in real.boxes])
        for image, real in truth.images.items()
    )


def _report(goal: str, target: float, by_seed: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    names = list(next(iter(by_seed.values())))
    means = {name: fmean(found[name] for found in by_seed.values()) for name in names if name != "ratio"}
    over = "best_worker" if goal == "G6.3a" else "plain_average"
    value = round(means["consolidated"] / means[over], 4)
    return {
        "goal": goal,
        "value": value,
        "target": target,
        "holds": all(found["ratio"] <= target for found in by_seed.values()),
        "detail": {
            "value_is": f"mean error of the consolidated label over that of {over.replace('_', ' ')}, all seeds",
            "mean_errors": {name: round(value, 4) for name, value in means.items()},
            "seeds": {
                str(seed): {name: round(value, 4) for name, value in found.items()} for seed, found in by_seed.items()
            },
            "images_per_seed": IMAGES,
            "objects_per_request": OBJECTS_PER_REQUEST,
            "honeypots": HONEYPOTS,
        },
    }


if __name__ == "__main__":
    main()
