"""How a network looks at pictures: where and how exactly it computes, and in what rectangles. Engines share it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import libraries  # first: sets what torch and ultralytics read
import numpy as np
import processor
import torch
import ultralytics
from PIL import Image
from ultralytics.data.augment import LetterBox
from ultralytics.utils import nms

CONFIDENCE_FLOOR = 0.05
NMS_IOU = 0.6
MOST_BOXES = 1000
STRIDE = 32
# ultralytics gives up on the rest of a batch, without an error, when suppression takes longer than this.
NMS_SECONDS_PER_IMAGE = 3600.0


@dataclass(frozen=True)
class Machine:
    """`batch_size`: how many pictures a network looks at together."""

    device: torch.device
    precision: torch.dtype
    batch_size: int

    def describe(self) -> dict[str, object]:
        on_cuda = self.device.type == "cuda"
        return {
            "engine": "ultralytics " + ultralytics.__version__,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(0) if on_cuda else f"cpu, {libraries.THREADS} threads",
            "precision": str(self.precision).removeprefix("torch."),
            "batch-size": self.batch_size,
        }


def machine() -> Machine:
    """The first GPU at half precision, else all cores at the precision that suits the processor."""
    torch.set_num_threads(libraries.THREADS)
    if torch.cuda.is_available():
        return Machine(torch.device("cuda:0"), torch.float16, 32)
    precision = torch.bfloat16 if processor.computes_in_bfloat16() else torch.float32
    return Machine(torch.device("cpu"), precision, 8)


def ready(network: Any, on: Machine) -> Any:
    """The network as it looks at pictures on this machine; the given one is changed."""
    network = network.fuse().eval().to(on.device, memory_format=torch.channels_last).to(on.precision)
    _decode_exactly(network.model[-1])
    return network


def batches(
    images: Sequence[Image.Image], image_size: int, batch_size: int
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """(indices, pixels) of images of one rectangle: pixels of (images, height, width, 3), red, green and blue.

    Every image is brought to the smallest rectangle that holds it at the model's size and runs beside images of the
    same rectangle, so what is seen in it does not depend on its neighbours.
    """
    by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    letterbox = LetterBox((image_size, image_size), auto=True, stride=STRIDE)
    for index, image in enumerate(images):
        boxed = letterbox(image=np.asarray(image))
        by_shape[boxed.shape].append((index, boxed))
    for members in by_shape.values():
        for start in range(0, len(members), batch_size):
            indices, pixels = zip(*members[start : start + batch_size], strict=True)
            yield indices, np.stack(pixels)


def looked(network: Any, pixels: np.ndarray, on: Machine) -> list[torch.Tensor]:
    """Rows of left, top, right, bottom, confidence, class, and of a network of key points x, y and confidence of each,
    for each picture of (pictures, height, width, 3), in letterboxed pixels; confidences from 0.05 on.

    Channels stay last, as a picture has them and as convolutions want them: nothing is copied into another order.
    """
    batch = torch.from_numpy(pixels).to(on.device).permute(0, 3, 1, 2).to(on.precision) / 255
    rows: list[torch.Tensor] = nms.non_max_suppression(
        network(batch),
        conf_thres=CONFIDENCE_FLOOR,
        iou_thres=NMS_IOU,
        max_det=MOST_BOXES,
        nc=len(network.names),
        max_time_img=NMS_SECONDS_PER_IMAGE,
        end2end=network.end2end,
    )
    return rows


def _decode_exactly(head: torch.nn.Module) -> None:
    """Places are decoded at single precision: at half of it, a pixel of a large picture is not told from the next."""
    decode = head._inference
    head.dfl.float()

    def exactly(outputs: dict[str, Any]) -> torch.Tensor:
        feats = [each.float() for each in outputs["feats"]]
        return decode({name: feats if name == "feats" else each.float() for name, each in outputs.items()})

    head._inference = exactly
