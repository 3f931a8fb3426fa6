"""The YOLO engine, on ultralytics and torch. Another engine offers the same `load` and `fit`.

    load(model_dir)       -> a detector with `batch_size`, `predict(images)` and `describe()`
    fit(dataset, recipe, model_dir, start, steps)  trains, writes weights and architecture; returns a Fitted

No pickle is opened here: networks are built of the verified data that model_files reads.

ultralytics is AGPL-3.0 (README.md says what follows from it).
"""

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libraries  # first: sets what torch and ultralytics read
import networks
import numpy as np
import processor
import starts
import torch
import trainer
import ultralytics
from dataset import YoloDataset
from labelloop.contracts.records import Box
from model_files import Model
from PIL import Image
from recipe import Recipe
from starts import Start
from ultralytics.data.augment import LetterBox
from ultralytics.utils import nms, ops

CONFIDENCE_FLOOR = 0.05
NMS_IOU = 0.6
MOST_BOXES = 1000
STRIDE = 32
# ultralytics gives up on the rest of a batch, without an error, when suppression takes longer than this.
NMS_SECONDS_PER_IMAGE = 3600.0


class Detector:
    """One loaded model. Not safe for concurrent use."""

    def __init__(self, model: Model, image_size: int) -> None:
        torch.set_num_threads(libraries.THREADS)
        self.device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        self.half = self.device.type == "cuda"
        self.batch_size = 32 if self.half else 8
        self.image_size = image_size
        self.precision = (
            torch.float16 if self.half else torch.bfloat16 if processor.computes_in_bfloat16() else torch.float32
        )
        self.model = networks.network(model).fuse().eval().to(self.device, memory_format=torch.channels_last)
        self.model = self.model.to(self.precision)
        _decode_exactly(self.model.model[-1])

    @torch.inference_mode()
    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]:
        """Boxes in pixels of each RGB image, from a confidence of 0.05 on, in no promised order.

        Every image is brought to the smallest rectangle that holds it at the model's size and runs beside images of the
        same rectangle, so its boxes do not depend on its neighbours.
        """
        by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
        letterbox = LetterBox((self.image_size, self.image_size), auto=True, stride=STRIDE)
        for index, image in enumerate(images):
            boxed = letterbox(image=np.asarray(image))
            by_shape[boxed.shape].append((index, boxed))
        boxes: list[list[Box]] = [[] for _ in images]
        for shape, members in by_shape.items():
            for start in range(0, len(members), self.batch_size):
                group = members[start : start + self.batch_size]
                for (index, _), rows in zip(group, self._forward(np.stack([m[1] for m in group])), strict=True):
                    boxes[index] = self._boxes(rows, shape, images[index])
        return boxes

    def describe(self) -> dict[str, object]:
        return {
            "engine": "ultralytics " + ultralytics.__version__,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(0) if self.half else f"cpu, {libraries.THREADS} threads",
            "precision": str(self.precision).removeprefix("torch."),
            "batch-size": self.batch_size,
            "classes": [self.model.names[index] for index in sorted(self.model.names)],
        }

    def _forward(self, pixels: np.ndarray) -> list[torch.Tensor]:
        """Rows of left, top, right, bottom, confidence, class for each RGB picture, in letterboxed pixels.

        Channels stay last, as a picture has them and as convolutions want them: nothing is copied into another order.
        """
        batch = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).to(self.precision) / 255
        return nms.non_max_suppression(
            self.model(batch),
            conf_thres=CONFIDENCE_FLOOR,
            iou_thres=NMS_IOU,
            max_det=MOST_BOXES,
            nc=len(self.model.names),
            max_time_img=NMS_SECONDS_PER_IMAGE,
        )

    def _boxes(self, rows: torch.Tensor, letterboxed: tuple[int, ...], image: Image.Image) -> list[Box]:
        ops.scale_boxes(letterboxed[:2], rows[:, :4], (image.height, image.width))
        return [
            Box(self.model.names[int(label)], left, top, right - left, bottom - top, confidence)
            for left, top, right, bottom, confidence, label in rows.float().cpu().tolist()
        ]


@dataclass(frozen=True)
class Fitted:
    """What training produced; `weights_sha256` covers the tensors, so equal models are told without their files.
    `kept_classes`: whose outputs are those of the weights that it started from.
    """

    weights_sha256: str
    epochs: int
    optimizer_steps: int
    loss: dict[str, float]
    kept_classes: list[str]


def load(model_dir: Path, image_size: int | None = None) -> Detector:
    """At the size the model was trained at, unless another is given.

    Raises InvalidInputError where one of the model's files is missing or not what it must be.
    """
    model = networks.read(model_dir)
    return Detector(model, image_size or model.description.image_size)


def fit(dataset: YoloDataset, recipe: Recipe, model_dir: Path, start: Start, steps: int) -> Fitted:
    """Trains for about so many optimiser steps, in whole rounds over the images, and writes weights and architecture.

    The same dataset, recipe, start and machine give the same bytes: seeds are fixed, kernels are deterministic.
    """
    epochs, batches = recipe.epochs(len(dataset.images), steps), recipe.batches(len(dataset.images))
    kept: list[str] = []

    def network() -> torch.nn.Module:
        if start.folder is None:
            architecture = networks.tiny(recipe.width) if recipe.is_tiny else networks.stock(recipe.base_model)
            return networks.built({**architecture, "nc": len(recipe.classes)})
        source = networks.network(networks.read(start.folder))
        made, kept[:] = networks.taught(source, recipe.classes)
        return made

    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        chosen: dict[str, Any] = {
            "data": str(dataset.data_yaml),
            "project": scratch,
            "epochs": epochs,
            "imgsz": recipe.image_size,
            "batch": recipe.batch_size,
            "nbs": recipe.batch_size,  # the default accumulates 64 images for one optimiser step
            "lr0": starts.learning_rate(recipe, start),
            "seed": recipe.seed,
        }
        trained, loss = trainer.train(chosen, recipe.classes, network, averaged=start.is_pretrained)
    return Fitted(networks.save(trained, recipe.classes, model_dir), epochs, epochs * batches, loss, kept)


def _decode_exactly(head: torch.nn.Module) -> None:
    """Boxes are decoded at single precision: at half of it, a pixel of a large picture is not told from the next."""
    decode = head._inference
    head.dfl.float()

    def exactly(outputs: dict[str, Any]) -> torch.Tensor:
        feats = [each.float() for each in outputs["feats"]]
        return decode({**{name: outputs[name].float() for name in ("boxes", "scores")}, "feats": feats})

    head._inference = exactly
