"""An engine without a model, for tests of the server: what it does is told by the colour of an image's first pixel."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from labelloop.contracts.records import Box
from PIL import Image

KILLS_THE_PROCESS = (255, 0, 0)
RAISES = (0, 255, 0)
WAITS = (0, 0, 255)  # until the file named by RELEASE_FILE exists; WAITING_FILE tells that it waits
PLAIN = (90, 90, 90)


class PoisonEngine:
    batch_size = 4

    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]:
        return [self._look(image) for image in images]

    def describe(self) -> dict[str, object]:
        return {"engine": "poison"}

    def _look(self, image: Image.Image) -> list[Box]:
        match image.getpixel((0, 0)):
            case (255, 0, 0):
                os._exit(7)
            case (0, 255, 0):
                raise RuntimeError("device-side assert triggered")
            case (0, 0, 255):
                Path(os.environ["WAITING_FILE"]).touch()
                while not Path(os.environ["RELEASE_FILE"]).exists():
                    time.sleep(0.01)
        outside = Box("head", -5.0, 4.004, image.width + 9.0, 8.0, 0.51239)
        return [Box("head", 1, 2, 3, 0.001, 0.9), outside, Box("head", 1, 2, 3, 4, 0.01), Box("head", 3, 2, 3, 4, 0.8)]


def load(model_dir: Path, image_size: int | None = None) -> PoisonEngine:
    if not model_dir.is_dir():
        raise FileNotFoundError(f"no model in {model_dir}")
    return PoisonEngine()
