"""Models that are trained once and that all benchmarks share: `python -m bench.zoo [--set bccd] [--images N ...]`.

Each is what the training container makes of some random pictures of a labelled set, in a job folder as SageMaker lays
it out, and kept as what it saw in all other pictures of the set: build/zoo/<set>/<model>.jsonl, with the names of the
pictures that it was trained on and its figures in <model>.json. Delete the folder after a change of the container.

Those of COCO's weights (../shared/weights/yolov8n.pt) take as many steps as pictures, at least 60; of random weights
just as many, for a weak model beside them. One step of 16 pictures at 320 pixels takes half a second on two cores.
S13.map50: mAP50 in unseen pictures of the models of 60 pictures and 60 steps, mean over three draws of the pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.skeletons import Skeleton
from labelloop.engines import base_weights

from bench import photo_set

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / "build" / "zoo"
WEIGHTS = ROOT.parent / "shared" / "weights" / "yolov8n.pt"
BATCH, FEWEST_STEPS = 16, 60
MAP50 = 0.87


class LabelledSet(Protocol):
    """Pictures whose labels are known: a PhotoSet, for example. `skeleton`: of people's key points, None of boxes."""

    @property
    def name(self) -> str: ...

    @property
    def images(self) -> Path: ...

    @property
    def image_size(self) -> int: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def skeleton(self) -> Skeleton | None: ...

    @property
    def truths(self) -> Mapping[str, Annotation]: ...


@dataclass(frozen=True)
class Model:
    """`order`: the number of the draw of the pictures, and the seed of the training. `given_steps` makes a model
    weaker than it could be; 0 is what the product takes.
    """

    start: str  # coco | random
    images: int
    order: int
    given_steps: int = 0

    @property
    def name(self) -> str:
        given = f"-{self.given_steps}" if self.given_steps else ""
        return f"{self.start}-{self.images:03d}-{self.order}{given}"

    @property
    def steps(self) -> int:
        return self.given_steps or max(FEWEST_STEPS, self.images)


OF_60 = tuple(Model("coco", 60, order) for order in (1, 2, 3))
# Stopped early, so that others are a few points better: what a gate must see.
WEAKENED = (Model("coco", 60, 1, 15), Model("coco", 60, 2, 20))
STANDARD = (*OF_60, *WEAKENED, Model("coco", 20, 1), Model("coco", 120, 1), Model("random", 60, 1))


@dataclass(frozen=True)
class Seen:
    """What a model saw in the pictures that it was not trained on, and what is in them."""

    model: Model
    predictions: tuple[Prediction, ...]
    truths: tuple[Annotation, ...]
    facts: dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="bccd", help="a folder of ../shared/data")
    parser.add_argument("--models", nargs="+", default=[], help="like coco-060-1 (six of them)")
    chosen = parser.parse_args()
    pictures = photo_set.of_name(chosen.set)
    models = [_named(name) for name in chosen.models] or STANDARD
    for seen in (get(pictures, model) for model in models):
        print(seen.model.name, json.dumps(seen.facts), flush=True)
    report = _report(pictures)
    if report:
        _write(report)


def unseen(
    name: str, training_images: int | None = None, start: str = "coco"
) -> list[tuple[tuple[Prediction, ...], tuple[Annotation, ...]]]:
    """(predictions, truths) of each model of the standard zoo that was trained on so many pictures; trains those that
    are missing.
    """
    pictures = photo_set.of_name(name)
    whole = [model for model in STANDARD if not model.given_steps and model.start == start]
    chosen = [model for model in whole if training_images in (None, model.images)]
    return [(seen.predictions, seen.truths) for seen in (get(pictures, model) for model in chosen)]


def known(pictures: LabelledSet) -> list[Seen]:
    """All models of the set that were ever trained, in the order of their names."""
    return [get(pictures, _named(path.stem)) for path in sorted((ZOO / pictures.name).glob("*.json"))]


def get(pictures: LabelledSet, model: Model) -> Seen:
    """From the cache; trained where it is not there."""
    kept = ZOO / pictures.name / f"{model.name}.json"
    if not kept.is_file():
        _train(pictures, model, kept)
    facts = json.loads(kept.read_text())
    trained = set(facts.pop("trained_on"))
    lines = kept.with_suffix(".jsonl").read_text().splitlines()
    truths = tuple(truth for ref, truth in pictures.truths.items() if ref not in trained)
    return Seen(model, tuple(Prediction.from_json(json.loads(line)) for line in lines), truths, facts)


def drawn(pictures: LabelledSet, model: Model) -> list[Annotation]:
    """The pictures that it is trained on. The same order with fewer pictures draws the first of them."""
    shuffled = random.Random(f"zoo {pictures.name} {model.order}").sample(sorted(pictures.truths), len(pictures.truths))
    return [pictures.truths[ref] for ref in shuffled[: model.images]]


def hyperparameters(pictures: LabelledSet, model: Model) -> dict[str, str]:
    told = {"base-steps": str(model.steps), "steps": str(model.steps)}
    if pictures.skeleton:  # key points take other steps, which the product knows
        told = {"base-steps": str(model.given_steps), "key-points": json.dumps(pictures.skeleton.to_json())}
    return {
        **told,
        "classes": json.dumps(list(pictures.classes)),
        "image-size": str(pictures.image_size),
        "batch-size": str(BATCH),
        "seed": str(model.order),
        "base-model": "yolov8n.yaml",
    }


def write_job(pictures: LabelledSet, model: Model, folder: Path) -> None:
    """The folder that SageMaker would give the container."""
    trained = drawn(pictures, model)
    refs = {annotation.source_ref for annotation in trained}
    others = [truth for ref, truth in pictures.truths.items() if ref not in refs]
    channels = folder / "input" / "data"
    for name in ("dataset", *(["base"] if model.start == "coco" else [])):
        (channels / name).mkdir(parents=True)
    (folder / "input" / "config").mkdir()
    (folder / "input" / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters(pictures, model)))
    names = pictures.skeleton.names if pictures.skeleton else pictures.classes
    _write_manifest(channels / "dataset" / "train.jsonl", trained, names)
    _write_manifest(channels / "dataset" / "judge.jsonl", others, names)
    (channels / "images").symlink_to(pictures.images.resolve())
    if model.start == "coco":
        (channels / "base" / "model.tar.gz").write_bytes(base_weights.packed(WEIGHTS.read_bytes(), WEIGHTS.name))


def _train(pictures: LabelledSet, model: Model, kept: Path) -> None:
    folder = kept.parent / "jobs" / model.name
    shutil.rmtree(folder, ignore_errors=True)
    write_job(pictures, model, folder)
    print(f"{model.name}: training for {model.steps} steps", file=sys.stderr, flush=True)
    python = os.environ.get("LABELLOOP_YOLO_PYTHON", str(ROOT / ".venvs" / "yolo" / "bin" / "python"))
    began = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        done = subprocess.run(
            [python, str(ROOT / "containers" / "yolo" / "train.py")],
            env={**os.environ, "SAGEMAKER_BASE_DIR": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{model.name}: the training failed, see {folder / 'log.txt'}")
    results = folder / "output" / "data"
    metrics = json.loads((results / "metrics.json").read_text())
    facts = {
        **metrics["judge"]["challenger"],
        "training": metrics["train"],
        "seconds": round(time.monotonic() - began, 1),
        "trained_on": [annotation.source_ref for annotation in drawn(pictures, model)],
    }
    shutil.copyfile(results / "scores" / "challenger-judge.jsonl", kept.with_suffix(".jsonl"))
    kept.write_text(json.dumps(facts, indent=1) + "\n")


def _report(pictures: LabelledSet) -> dict[str, Any] | None:
    figures = {
        path.stem: json.loads(path.read_text())["map50"] for path in sorted((ZOO / pictures.name).glob("*.json"))
    }
    of_60 = [figures[model.name] for model in OF_60 if model.name in figures]
    if pictures.name != "bccd" or len(of_60) < len(OF_60):
        return None
    value = round(fmean(of_60), 4)
    return {
        "goal": "S13.map50",
        "value": value,
        "target": MAP50,
        "holds": value >= MAP50,
        "detail": {"value_is": "mAP50 in unseen pictures after 60 pictures and 60 steps", "models": figures},
    }


def _write(report: dict[str, Any]) -> None:
    out = ROOT / "build" / "bench" / f"{report['goal']}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def _named(name: str) -> Model:
    start, *numbers = name.split("-")
    return Model(start, *map(int, numbers))


def _write_manifest(path: Path, labelled: Iterable[Annotation], names: tuple[str, ...]) -> None:
    path.write_text("".join(annotation.to_line(names) + "\n" for annotation in labelled), "utf-8")


if __name__ == "__main__":
    main()
