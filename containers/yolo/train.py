"""The training job: reads SageMaker's channels, trains a challenger, scores it and the champion on the frozen images.

Contract: docs/architecture.md, "Training container"; folder layout and exit codes as AWS documents them
(docs.aws.amazon.com/sagemaker, "your-algorithms-training-algo"). Needs no network.
"""

import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import devices
import engine_choice
import paths  # first: makes labelloop importable
import starts
from dataset import YoloDataset, read_manifest, write_yolo_dataset
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import parse_lines
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.trust import fitting
from labelloop.trust.judgement import label_quality
from model_files import read_description, unpack_model, write_description
from recipe import Recipe
from scoring import Engine, score
from starts import Start

FAILURE_CHARACTERS = 1024  # SageMaker shows this much as FailureReason
STOPPED_BY_SIGTERM = 143
# How SageMaker's metric definitions call the figures: no whole name, with its prefix, may end with another.
PRINTED = {
    "map50": "mAP50",
    "map50_95": "mAP50_95",
    "oks_map50": "oks_mAP50",
    "oks_map50_95": "oks_mAP50_95",
}
USUAL_RULE = LabelRule(0.25)  # stays where no other is better


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
        base_dir = starts.base_weights(channels / "base", Path(scratch) / "base")
        dataset = write_yolo_dataset(
            roles["train"], recipe.classes, channels / "images", Path(scratch) / "dataset", recipe.skeleton
        )
        if not dataset.images:
            raise InvalidInputError(_nothing_to_train_on(dataset))
        engine_name = engine_choice.of_job(recipe, os.environ.get("ENGINE"))
        engine = importlib.import_module(engine_name)  # slow, so after everything that can be wrong with the input
        start = starts.choose(recipe, champion_dir, base_dir)
        print(
            f"training on {len(dataset.images)} images, {dataset.backgrounds} of them show nothing, from "
            f"{start.kind} weights",
            flush=True,
        )
        job = _Job(engine_name, engine, recipe, dataset, start, roles["judge"], channels / "images", results / "scores")
        facts, challenger = job.train(model_dir)
        champion = job.score("champion", champion_dir) if champion_dir else None
        metrics = {"judge": {"challenger": challenger, "champion": champion}, "train": facts}
    (results / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")


@dataclass(frozen=True)
class _Job:
    """What is trained on what, and where the pictures lie that judge it."""

    engine_name: str
    engine: Any
    recipe: Recipe
    dataset: YoloDataset
    start: Start
    judge: list[Annotation]
    images_dir: Path
    scores: Path

    def train(self, model_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is to be known of the training, and the model's figures on the judge images; writes the model.

        Where its labels tell that the pictures are far from the base weights it is trained again, for twice as long,
        and the better of the two stays: what tells it, some tens of images that people labelled, may be wrong.
        """
        facts = self._fit(model_dir, far=False)
        figures, rule, quality = self._judged("challenger", model_dir)
        if rule is not None and starts.is_far(self.recipe, self.start, rule.keep_confidence):
            keep = rule.keep_confidence
            print(f"labels are best kept from a confidence of {keep:g} on: training anew, twice as long", flush=True)
            with tempfile.TemporaryDirectory(prefix="longer-") as scratch:
                longer = Path(scratch)
                longer_facts = self._fit(longer, far=True)
                longer_figures, longer_rule, longer_quality = self._judged("longer", longer)
                is_better = longer_quality > quality
                print(f"mean label quality {longer_quality:.3f} against {quality:.3f}: ", end="")
                print("the longer training stays" if is_better else "the first training stays", flush=True)
                if is_better:
                    shutil.copytree(longer, model_dir, dirs_exist_ok=True)
                    self._scores_of("longer").replace(self._scores_of("challenger"))
                    facts, figures, rule = longer_facts, longer_figures, longer_rule
            self._scores_of("longer").unlink(missing_ok=True)
        facts["keep_confidence"] = rule.keep_confidence if rule else None
        _print_figures("judge", figures)
        return facts, figures

    def score(self, name: str, model_dir: Path) -> dict[str, Any]:
        """Writes what the model sees in the judge images; returns its figures."""
        model = read_description(model_dir).short_name
        detector: Engine = self.engine.load(model_dir)
        figures = score(detector, self.judge, self.images_dir, model, self._scores_of(name))
        if name == "champion":
            _print_figures(name, figures)
        return figures

    def _fit(self, model_dir: Path, far: bool) -> dict[str, Any]:
        began, images = time.monotonic(), len(self.dataset.images)
        steps = starts.steps(self.recipe, self.start, images, far)
        fitted = self.engine.fit(self.dataset, self.recipe, model_dir, self.start, steps)
        print(f"trained {fitted.optimizer_steps} steps in {time.monotonic() - began:.1f} s", flush=True)
        facts = {
            **self.start.facts(),
            "kept_classes": fitted.kept_classes,
            "images": images,
            "background_images": self.dataset.backgrounds,
            "skipped_images": len(self.dataset.skipped),
            "epochs": fitted.epochs,
            "steps": fitted.optimizer_steps,
            "loss": fitted.loss,
        }
        recipe, architecture = self.recipe, self.start.architecture
        description = ModelDescription(
            recipe.classes,
            recipe.image_size,
            self.engine_name,
            architecture,
            fitted.weights_sha256,
            recipe.skeleton,
        )
        write_description(model_dir, description, {"training": facts})
        return facts

    def _judged(self, name: str, model_dir: Path) -> tuple[dict[str, Any], LabelRule | None, float]:
        """The model's figures, its label rule, and how good the labels of that are; no rule without judge images."""
        figures = self.score(name, model_dir)
        lines = parse_lines(self._scores_of(name).read_text("utf-8"), "scores")
        seen = fitting.seen(map(Prediction.from_json, lines), self.judge)
        if not seen:
            return figures, None, 0.0
        rule = fitting.label_rule(seen, USUAL_RULE, self.recipe.skeleton)
        qualities = (label_quality(prediction, truth, rule, self.recipe.skeleton) for prediction, truth in seen)
        return figures, rule, fmean(qualities)

    def _scores_of(self, name: str) -> Path:
        return self.scores / f"{name}-judge.jsonl"


def _print_figures(prefix: str, figures: dict[str, Any]) -> None:
    for metric, label in PRINTED.items():
        if figures.get(metric) is not None:
            print(f"{prefix}_{label}={figures[metric]:.4f}", flush=True)


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


def _nothing_to_train_on(dataset: YoloDataset) -> str:
    if not dataset.skipped:
        return "train.jsonl holds no image: label some images for the role 'train' first"
    shown = "; ".join(dataset.skipped[:3])
    return f"none of the {len(dataset.skipped)} images of train.jsonl can be used: {shown}"


if __name__ == "__main__":
    main()
