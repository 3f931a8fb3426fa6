"""Runs in the yolo environment: train the tiny detector once on a YOLO-format data set and print its held-out mAP.

    python bench/train_scenes.py --data data.yaml --steps 300 --images 60 --seed 0 --work DIR

Prints one JSON line: {"map50", "map50_95", "train_seconds"}. No network, one thread (the caller runs two at once).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

TINY = """
nc: 1
depth_multiple: 0.33
width_multiple: 0.125
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 3, C2f, [128, True]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 6, C2f, [256, True]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 6, C2f, [512, True]]
  - [-1, 1, Conv, [1024, 3, 2]]
  - [-1, 3, C2f, [1024, True]]
  - [-1, 1, SPPF, [1024, 5]]
head:
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 6], 1, Concat, [1]]
  - [-1, 3, C2f, [512]]
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 4], 1, Concat, [1]]
  - [-1, 3, C2f, [256]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [[-1, 12], 1, Concat, [1]]
  - [-1, 3, C2f, [512]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [[-1, 9], 1, Concat, [1]]
  - [-1, 3, C2f, [1024]]
  - [[15, 18, 21], 1, Detect, [nc]]
"""
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, required=True, help="number of training images the data set holds")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        YOLO_OFFLINE="true",
        YOLO_AUTOINSTALL="false",
        YOLO_CONFIG_DIR=str(arguments.work),
        YOLO_VERBOSE="false",
        MPLBACKEND="Agg",
        OMP_NUM_THREADS="1",
    )
    _make_torchvision_importable()
    from ultralytics import YOLO
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = 1
    network = arguments.work / "tiny.yaml"
    network.write_text(TINY)
    started = time.monotonic()
    steps_per_epoch = -(-arguments.images // BATCH)
    YOLO(str(network), task="detect").train(
        data=str(arguments.data),
        epochs=round(arguments.steps / steps_per_epoch),
        imgsz=arguments.image_size,
        batch=BATCH,
        nbs=BATCH,
        device="cpu",
        workers=0,
        amp=False,
        plots=False,
        val=False,
        cache="ram",
        optimizer="AdamW",
        lr0=0.004,
        lrf=0.05,
        warmup_epochs=25 / steps_per_epoch,
        mosaic=0.0,
        close_mosaic=0,
        scale=0.2,
        patience=0,
        pretrained=False,
        seed=arguments.seed,
        deterministic=True,
        exist_ok=True,
        project=str(arguments.work),
        name="run",
        verbose=False,
    )
    trained = time.monotonic()
    metrics = YOLO(str(arguments.work / "run" / "weights" / "last.pt")).val(
        data=str(arguments.data),
        imgsz=arguments.image_size,
        batch=BATCH,
        device="cpu",
        workers=0,
        plots=False,
        verbose=False,
        project=str(arguments.work),
        name="val",
        exist_ok=True,
    )
    result = {
        "map50": round(float(metrics.box.map50), 4),
        "map50_95": round(float(metrics.box.map), 4),
        "train_seconds": round(trained - started, 1),
    }
    print("RESULT " + json.dumps(result), flush=True)


def _make_torchvision_importable() -> None:
    """A CUDA build of torchvision beside a CPU build of torch lacks its operators; declare the two its import needs."""
    try:
        import torchvision

        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    import cv2
    import torch

    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        corners = boxes.detach().cpu().double().numpy().copy()
        corners[:, 2:] -= corners[:, :2]
        kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.detach().cpu().double().tolist(), 0.0, iou_threshold)
        return torch.as_tensor(list(kept), dtype=torch.int64)

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    _make_torchvision_importable.library = library  # type: ignore[attr-defined]  # operators live as long as this
    import torchvision

    torchvision.extension._has_ops = lambda: True


if __name__ == "__main__":
    main()
