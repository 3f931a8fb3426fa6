"""G6.3c: is the label that is made of three people's key points better than that of the best of them?

Simulated workers (demo.annotators; jitter 3 px, 5 % missed people and points, 10 % wrong flags, 10 % people with left
for right, 3 % invented points) answer made-up images of 640 x 480 pixels with up to four people of the preset `head`;
nothing is rendered. Of their points 62 % are visible and 35 % occluded, as in the drawn scenes. Answers go through the
consolidation function's own code in requests of 50 objects, and no worker is known beforehand. The error of a label is
1 - people_quality (labelloop.tasks.people_quality), the mean over all images of a seed; the best worker is chosen in
hindsight. The detail tells each mistake alone, of one seed.

Writes build/bench/G6.3c.json. The value is over all seeds; the goal holds when it does for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from labelloop.contracts.people_values import read_people
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, PRESETS
from labelloop.people.answers import Marked, read_answer
from labelloop.people.consolidation import consolidate_payload
from labelloop.tasks import people_labels
from labelloop.tasks.people_quality import people_quality

from demo import annotators
from demo.annotators import ImageTruth, Noise, Truth

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (1, 2, 3, 4, 5)
IMAGES = 300
OBJECTS_PER_REQUEST = 50
TARGET = 0.8
SKELETON = PRESETS["head"]
ATTRIBUTE = "human-key-points"
WIDTH, HEIGHT = 640, 480
SMALLEST, LARGEST = 60, 180
MOST_PEOPLE = 4
MOST_OVERLAP = 20  # pixels that two people's boxes may share to every side
VISIBLE, OCCLUDED = 0.62, 0.97  # shares of the points, added up
PLACES = {"nose": (0.5, 0.6), "left_eye": (0.65, 0.45), "right_eye": (0.35, 0.45), "left_ear": (0.9, 0.5)}
PLACES["right_ear"] = (0.1, 0.5)
TEMPLATE = '<crowd-keypoint name="placed"><crowd-checkbox name="nothing-here">'
ALL = Noise(3.0, miss_rate=0.05, phantom_rate=0.03, wrong_visibility_rate=0.1, swap_rate=0.1)
MISTAKES = {
    "jitter": Noise(3.0),
    "missed": Noise(miss_rate=0.1),
    "wrong_flags": Noise(wrong_visibility_rate=0.1),
    "left_for_right": Noise(swap_rate=0.1),
}

Labels = Mapping[str, Sequence[Person]]
Forms = Mapping[str, Mapping[str, Any]]  # worker -> image -> form


def main() -> None:
    runs = {seed: of_seed(seed) for seed in SEEDS}
    alone = {name: of_seed(SEEDS[0], noise=noise) for name, noise in MISTAKES.items()}
    report = _report(runs, alone)
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "G6.3c.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def of_seed(seed: int, images: int = IMAGES, noise: Noise = ALL) -> dict[str, float]:
    """The errors of one seed, and `ratio`: consolidated over best single worker."""
    truth = draw_truth(seed, images)
    forms = answered(truth, replace(noise, seed=seed))
    singles = [_error(truth, {image: _people(form) for image, form in own.items()}) for own in forms.values()]
    found = {
        "best_worker": min(singles),
        "worst_worker": max(singles),
        "consolidated": _error(truth, consolidated(forms)),
    }
    return {**found, "ratio": found["consolidated"] / found["best_worker"]}


def draw_truth(seed: int, images: int) -> Truth:
    random = Random(f"consolidation bench of people {seed}")
    drawn = {f"{n:05d}": ImageTruth(WIDTH, HEIGHT, (), tuple(_apart(random))) for n in range(images)}
    return Truth((), drawn, skeleton=SKELETON)


def answered(truth: Truth, noise: Noise) -> Forms:
    """What three workers answer."""
    shown = {"labels": people_labels.offered(SKELETON.names, MOST_PEOPLE)}
    return {
        worker: {image: annotators.answer(truth, noise, worker, image, TEMPLATE, shown) for image in truth.images}
        for worker in annotators.worker_names(3)
    }


def consolidated(forms: Forms) -> Labels:
    """What the consolidation function makes of the answers."""
    images = sorted(next(iter(forms.values())))
    labels: dict[str, Sequence[Person]] = {}
    for start in range(0, len(images), OBJECTS_PER_REQUEST):
        payload = [_dataset_object(image, forms) for image in images[start : start + OBJECTS_PER_REQUEST]]
        for entry in consolidate_payload(payload, ATTRIBUTE, (), skeleton=SKELETON):
            value = entry["consolidatedAnnotation"]["content"][ATTRIBUTE]
            metadata = {"class-map": value["class-map"]}
            labels[entry["datasetObjectId"]] = read_people(value, metadata, SKELETON.names, entry["datasetObjectId"])
    return labels


def _apart(random: Random) -> Iterator[Person]:
    """Up to four people of whom no two are on top of one another."""
    there: list[Box] = []
    for _ in range(random.randint(0, MOST_PEOPLE)):
        side = random.uniform(SMALLEST, LARGEST)
        box = Box(PERSON, random.uniform(0, WIDTH - side), random.uniform(0, HEIGHT - side), side, side)
        if not any(_on_top(box, other) for other in there):
            there.append(box)
            yield Person(box, tuple(_point(name, box, random) for name in SKELETON.names))


def _on_top(one: Box, other: Box) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return min(across, down) > MOST_OVERLAP


def _point(name: str, box: Box, random: Random) -> KeyPoint:
    draw, (x, y) = random.random(), PLACES[name]
    if draw > OCCLUDED:
        return KeyPoint(name, None, None, "outside")
    left, top = box.left + (x + random.gauss(0, 0.04)) * box.width, box.top + (y + random.gauss(0, 0.04)) * box.height
    return KeyPoint(name, left, top, "visible" if draw < VISIBLE else "occluded")


def _dataset_object(image: str, forms: Forms) -> dict[str, Any]:
    annotations = [
        {"workerId": worker, "annotationData": {"content": json.dumps(own[image])}} for worker, own in forms.items()
    ]
    return {"datasetObjectId": image, "dataObject": {"s3Uri": f"s3://bench/{image}"}, "annotations": annotations}


def _people(form: Mapping[str, Any]) -> Sequence[Person]:
    read = read_answer(form, (), SKELETON)
    assert isinstance(read, Marked)
    return read.marks


def _error(truth: Truth, labels: Labels) -> float:
    return fmean(1 - people_quality(labels[image], real.people, SKELETON) for image, real in truth.images.items())


def _report(runs: Mapping[int, Mapping[str, float]], alone: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    parts = ("best_worker", "worst_worker", "consolidated")
    means = {name: fmean(found[name] for found in runs.values()) for name in parts}
    return {
        "goal": "G6.3c",
        "value": round(means["consolidated"] / means["best_worker"], 4),
        "target": TARGET,
        "holds": all(found["ratio"] <= TARGET for found in runs.values()),
        "detail": {
            "value_is": "mean error of the consolidated label over that of the best worker, all seeds",
            "mean_errors": {name: round(value, 4) for name, value in means.items()},
            "each_mistake_alone": {
                name: {part: round(found[part], 4) for part in ("best_worker", "consolidated")}
                for name, found in alone.items()
            },
            "seeds": {
                str(seed): {name: round(value, 4) for name, value in found.items()} for seed, found in runs.items()
            },
            "images_per_seed": IMAGES,
            "objects_per_request": OBJECTS_PER_REQUEST,
        },
    }


if __name__ == "__main__":
    main()
