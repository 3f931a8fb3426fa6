"""The YOLO engine, on ultralytics and torch. Another engine offers the same `load` and `fit`.

    load(model_dir)       -> a detector with `batch_size`, `predict(images)` and `describe()`
    fit(dataset, recipe, model_dir, start, steps)  trains, writes weights and architecture; returns a Fitted

No pickle is opened here: networks are built of the verified data that model_files reads.

ultralytics is AGPL-3.0 (README.md says what follows from it).
"""

from collections.abc import Sequence
from pathlib import Path

import architectures
import inference  # first: sets what torch and ultralytics read
import networks
import torch
import trainer
from dataset import YoloDataset
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from model_files import Model
from PIL import Image
from recipe import Recipe
from starts import Start
from trainer import Fitted
from ultralytics.utils import ops


class Detector:
    """One loaded model. Not safe for concurrent use."""

    def __init__(self, model: Model, image_size: int) -> None:
        self.machine = inference.machine()
        self.batch_size = self.machine.batch_size
        self.image_size = image_size
        self.model = inference.ready(networks.network(model), self.machine)

    @torch.inference_mode()
    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]:
        """Boxes in pixels of each RGB image, from a confidence of 0.05 on, in no promised order."""
        boxes: list[list[Box]] = [[] for _ in images]
        for indices, pixels in inference.batches(images, self.image_size, self.batch_size):
            seen = inference.looked(self.model, pixels, self.machine)
            for index, rows in zip(indices, seen, strict=True):
                boxes[index] = self._boxes(rows, pixels.shape[1:3], images[index])
        return boxes

    def describe(self) -> dict[str, object]:
        return {
            **self.machine.describe(),
            "classes": [self.model.names[index] for index in sorted(self.model.names)],
        }

    def _boxes(self, rows: torch.Tensor, letterboxed: tuple[int, ...], image: Image.Image) -> list[Box]:
        ops.scale_boxes(letterboxed, rows[:, :4], (image.height, image.width))
        return [
            Box(self.model.names[int(label)], left, top, right - left, bottom - top, confidence)
            for left, top, right, bottom, confidence, label in rows.float().cpu().tolist()
        ]


def load(model_dir: Path, image_size: int | None = None) -> Detector:
    """At the size the model was trained at, unless another is given.

    Raises InvalidInputError where one of the model's files is missing or not what it must be.
    """
    model = networks.read(model_dir)
    if architectures.checked(model.architecture, model.description.classes).get(architectures.POINTS):
        raise InvalidInputError(
            f"{model_dir} holds one network of key points, as ultralytics trains it: it can be base weights, and a "
            "model of key points is two networks"
        )
    return Detector(model, image_size or model.description.image_size)


def fit(dataset: YoloDataset, recipe: Recipe, model_dir: Path, start: Start, steps: int) -> Fitted:
    """Trains for about so many optimiser steps, in whole rounds over the images, and writes weights and architecture.

    The same dataset, recipe, start and machine give the same bytes: seeds are fixed, kernels are deterministic.
    """
    kept: list[str] = []

    def network() -> torch.nn.Module:
        if start.folder is None:
            return networks.built(networks.chosen(recipe))
        source = networks.network(networks.read(start.folder))
        made, kept[:] = networks.taught(source, recipe.classes)
        return made

    trained, loss = trainer.fitted(dataset.data_yaml, len(dataset.images), recipe, start, steps, network)
    epochs, batches = recipe.epochs(len(dataset.images), steps), recipe.batches(len(dataset.images))
    return Fitted(networks.save(trained, recipe.classes, model_dir), epochs, epochs * batches, loss, kept)
