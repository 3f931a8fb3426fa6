"""An engine for the real serve.py and train.py without a network: it sees coloured squares, or, where a training names
key points, the one person whose points these squares are.

ENGINE=scripted_engine, with this folder on PYTHONPATH. The interface is that of containers/yolo/detector.py.
Every picture has a difficulty in 0..1, drawn from its pixels. A model that learned from n pictures draws each box too
small, or each point too far to the right, by an error that grows with the difficulty and shrinks with n, and is the
less confident the larger the error is.

In the folder SCRIPT_DIR: while `hold-training` or `hold-inference` exists, fit or a served predict waits.
A picture whose first pixel is poison ends the serving process (not the training job, which scores it too).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scripted_model
from labelloop.contracts.records import Box, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import PERSON, Skeleton
from model_files import read_description
from pictures import CELL, CLASS, COLOURS, OCCLUDED_BELOW, POISON, SIDE
from PIL import Image

HALF_LEARNED_AFTER = 4  # pictures
COLOUR_TOLERANCE = 90
FORGIVEN = 0.05
MOST_PIXELS_OFF = 20.0


@dataclass(frozen=True)
class Fitted:
    weights_sha256: str
    epochs: int
    optimizer_steps: int
    loss: dict[str, float]
    kept_classes: list[str]


class ScriptedEngine:
    batch_size = 8

    def __init__(self, learned: int, skeleton: Skeleton | None = None) -> None:
        self.skeleton = skeleton
        self.unskilled = HALF_LEARNED_AFTER / (HALF_LEARNED_AFTER + learned)
        self.serving = multiprocessing.parent_process() is not None

    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]] | list[list[SeenPerson]]:
        if self.serving:
            _hold("hold-inference")
            if any(image.getpixel((0, 0)) == POISON for image in images):
                os._exit(9)
        if self.skeleton is not None:
            return [[self._person(image, self.skeleton)] for image in images]
        return [self._look(image) for image in images]

    def describe(self) -> dict[str, Any]:
        return {"engine": "scripted", "unskilled": self.unskilled, "classes": [CLASS]}

    def _look(self, image: Image.Image) -> list[Box]:
        error = self._error(image)
        kept, confidence = 1 - 0.6 * error, _confidence(error)
        return [
            Box(CLASS, left, top, width * kept, height * kept, confidence)
            for left, top, width, height in find_squares(image)
        ]

    def _person(self, image: Image.Image, skeleton: Skeleton) -> SeenPerson:
        error = self._error(image)
        squares = {(left // CELL) + 2 * (top // CELL): (left, top, side) for left, top, side, _ in find_squares(image)}
        points = []
        for cell, name in enumerate(skeleton.names):
            if cell not in squares:
                points.append(SeenPoint(name, SIDE / 2, SIDE / 2, 0.05, 0.05))
                continue
            left, top, side = squares[cell]
            place = left + side // 2 + MOST_PIXELS_OFF * error, float(top + side // 2)
            points.append(SeenPoint(name, *place, 0.95, 0.05 if side < OCCLUDED_BELOW else 0.95))
        return SeenPerson(Box(PERSON, 0, 0, SIDE, SIDE, _confidence(error)), tuple(points))

    def _error(self, image: Image.Image) -> float:
        return max(0.0, self.unskilled * _difficulty(image) - FORGIVEN)


def load(model_dir: Path, image_size: int | None = None) -> ScriptedEngine:
    learned = scripted_model.learned((model_dir / "weights.safetensors").read_bytes())
    return ScriptedEngine(learned, read_description(model_dir).skeleton)


def fit(dataset: Any, recipe: Any, model_dir: Path, start: Any, steps: int) -> Fitted:
    _hold("hold-training")
    lines = sorted(
        f"{image.source_ref} {image.boxes if image.people is None else image.people}" for image in dataset.images
    )
    body = scripted_model.weights(len(lines), hashlib.sha256("\n".join(lines).encode()).digest())
    model_dir.mkdir(parents=True, exist_ok=True)
    (model_dir / "weights.safetensors").write_bytes(body)
    (model_dir / "architecture.yaml").write_bytes(scripted_model.ARCHITECTURE)
    return Fitted(scripted_model.sha256(body), 1, 1, {"loss": round(1 / (1 + len(lines)), 5)}, [])


def find_squares(image: Image.Image) -> list[tuple[int, int, int, int]]:
    """left, top, width, height of the square in each quarter that has one."""
    pixels = np.asarray(image).astype(int)
    found = []
    for cell, colour in enumerate(COLOURS):
        x, y = cell % 2 * CELL, cell // 2 * CELL
        quarter = pixels[y : y + CELL, x : x + CELL]
        rows, columns = np.nonzero(np.abs(quarter - colour).sum(axis=2) < COLOUR_TOLERANCE)
        if rows.size > CELL:
            left, top = x + int(columns.min()), y + int(rows.min())
            found.append((left, top, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1))
    return found


def _confidence(error: float) -> float:
    return round(0.97 - 0.7 * error, 4)


def _difficulty(image: Image.Image) -> float:
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4], "big") / 2**32


def _hold(name: str) -> None:
    while "SCRIPT_DIR" in os.environ and (Path(os.environ["SCRIPT_DIR"]) / name).exists():
        time.sleep(0.05)
