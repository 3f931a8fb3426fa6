"""The training job: reads SageMaker's channels, trains a challenger, scores it and the champion on the frozen images.

Contract: docs/architecture.md, "Training container"; folder layout and exit codes as AWS documents them
(docs.aws.amazon.com/sagemaker, "your-algorithms-training-algo"). Needs no network.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import devices
import paths  # first: makes labelloop importable
from dataset import YoloDataset, read_manifest, write_yolo_dataset
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.engines.model_descriptions import ModelDescription
from model_files import read_description, unpack_model, write_description
from recipe import Recipe
from scoring import Engine, score

FAILURE_CHARACTERS = 1024  # SageMaker shows this much as FailureReason
STOPPED_BY_SIGTERM = 143


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED_BY_SIGTERM))
    try:
        run(paths.base_dir())
    except Exception as error:
        traceback.print_exc()
        failure = paths.base_dir() / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}"[:FAILURE_CHARACTERS], "utf-8")
        sys.exit(1)


def run(base: Path) -> None:
    """Writes model/ and output/data/. Raises InvalidInputError naming the hyperparameter, channel or file at fault."""
    channels, model_dir, results = base / "input" / "data", base / "model", base / "output" / "data"
    hyperparameters = _hyperparameters(base)
    print(devices.check(hyperparameters.get("instance-type", "")), flush=True)
    recipe = Recipe.from_hyperparameters(hyperparameters)
    roles = {role: _read_role(channels / "dataset" / f"{role}.jsonl") for role in ("train", "judge")}
    with tempfile.TemporaryDirectory(prefix="labelloop-") as scratch:
        champion_dir = _champion(channels / "champion", Path(scratch) / "champion")
        dataset = write_yolo_dataset(roles["train"], recipe.classes, channels / "images", Path(scratch) / "dataset")
        if not dataset.images:
            raise InvalidInputError(_nothing_to_train_on(dataset))
        engine_name = os.environ.get("ENGINE", "detector")
        engine = importlib.import_module(engine_name)  # slow, so after everything that can be wrong with the input
        start_dir, architecture = _starting_point(champion_dir, recipe)
        print(f"training on {len(dataset.images)} images, {dataset.backgrounds} of them without a box", flush=True)
        began = time.monotonic()
        fitted = engine.fit(dataset, recipe, model_dir, start_dir)
        print(f"trained {fitted.optimizer_steps} steps in {time.monotonic() - began:.1f} s", flush=True)
        facts: dict[str, Any] = {
            "images": len(dataset.images),
            "background_images": dataset.backgrounds,
            "skipped_images": len(dataset.skipped),
            "warm_start": start_dir is not None,
            "epochs": fitted.epochs,
            "steps": fitted.optimizer_steps,
            "loss": fitted.loss,
        }
        description = ModelDescription(
            recipe.classes, recipe.image_size, engine_name, architecture, fitted.weights_sha256
        )
        write_description(model_dir, description, {"training": facts})
        figures = {
            name: _score(name, engine.load(directory), directory, roles, channels / "images", results / "scores")
            if directory
            else None
            for name, directory in (("challenger", model_dir), ("champion", champion_dir))
        }
    (results / "metrics.json").write_text(json.dumps({"judge": figures, "train": facts}, indent=2) + "\n", "utf-8")


def _score(
    name: str, detector: Engine, model_dir: Path, roles: dict[str, list[Annotation]], images_dir: Path, scores: Path
) -> dict[str, Any]:
    """Scores the judge images; returns the figures and prints them for SageMaker's metric definitions."""
    model = read_description(model_dir).short_name
    figures = score(detector, roles["judge"], images_dir, model, scores / f"{name}-judge.jsonl")
    prefix = "judge" if name == "challenger" else "champion"  # no metric's name may end with another one's
    for metric, label in (("map50", "mAP50"), ("map50_95", "mAP50_95")):
        if figures[metric] is not None:
            print(f"{prefix}_{label}={figures[metric]:.4f}", flush=True)
    return figures


def _hyperparameters(base: Path) -> dict[str, str]:
    path = base / "input" / "config" / "hyperparameters.json"
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidInputError(f"{path} is missing: SageMaker writes it, tests must") from None
    except ValueError as error:
        raise InvalidInputError(f"{path} is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise InvalidInputError(f"{path} must hold an object of strings")
    return values


def _read_role(path: Path) -> list[Annotation]:
    if not path.exists():
        raise InvalidInputError(f"channel 'dataset' lacks {path.name}: it must hold train.jsonl and judge.jsonl")
    return read_manifest(path)


def _champion(channel: Path, target: Path) -> Path | None:
    """The unpacked champion, or None where the job was given none (the first model)."""
    if not channel.is_dir():
        return None
    archive = channel / "model.tar.gz"
    if not archive.exists():
        raise InvalidInputError("channel 'champion' lacks model.tar.gz: give that object, or leave the channel out")
    target.mkdir()
    unpack_model(archive, target)
    return target


def _starting_point(champion_dir: Path | None, recipe: Recipe) -> tuple[Path | None, str]:
    """The champion to go on from, or None for random weights; and the architecture of the model to come."""
    if champion_dir is None:
        return None, recipe.architecture
    champion = read_description(champion_dir)
    if champion.architecture in ("", recipe.architecture):
        return champion_dir, champion.architecture
    print(f"the champion is a {champion.architecture}, wanted is a {recipe.architecture}: starting anew", flush=True)
    return None, recipe.architecture


def _nothing_to_train_on(dataset: YoloDataset) -> str:
    if not dataset.skipped:
        return "train.jsonl holds no image: label some images for the role 'train' first"
    shown = "; ".join(dataset.skipped[:3])
    return f"none of the {len(dataset.skipped)} images of train.jsonl can be used: {shown}"


if __name__ == "__main__":
    main()
