"""How fast the container's engine is beside `ultralytics.predict`: `python -m bench.container [--pictures N]`.

64 BCCD photographs, yolov8n with COCO's weights at 640 pixels, from decoded pictures to boxes; each side in a process
of its own, in turns, the best of some rounds, on one core and on two. Both keep their memory alike (malloc settings),
and both take all cores that they are given. Both figures say how many boxes were found.

S11.container.one, S11.container.two: how many times as fast. Where the processor is not fast at bfloat16
(containers/yolo/processor.py) there is no target, and the figure is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
WEIGHTS, PICTURES = SHARED / "weights" / "yolov8n.pt", SHARED / "data" / "bccd" / "images"
CONTAINER = ROOT / "containers" / "yolo"
TARGETS = {1: 1.8, 2: 1.5}
NAMES = {1: "one", 2: "two"}
SIDES = ("labelloop", "ultralytics")
BATCH, SIZE = 8, 640


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        print("RESULT " + json.dumps({"labelloop": ours, "ultralytics": theirs}[chosen.side](chosen.pictures)))
        return
    for cores in TARGETS:
        if cores <= len(os.sched_getaffinity(0)):
            write(compared(cores, chosen.pictures, chosen.rounds))


def compared(cores: int, pictures: int, rounds: int) -> dict[str, Any]:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for side in SIDES:
            result = in_a_process(side, cores, pictures)
            if side not in best or result["seconds"] < best[side]["seconds"]:
                best[side] = result
    value = round(best["ultralytics"]["seconds"] / best["labelloop"]["seconds"], 3)
    is_fast = best["labelloop"]["precision"] == "bfloat16"
    return {
        "goal": f"S11.container.{NAMES[cores]}",
        "value": value,
        "target": TARGETS[cores] if is_fast else None,
        "holds": value >= TARGETS[cores] if is_fast else None,
        "detail": {
            "value_is": "how many times as fast as ultralytics.predict, of equal malloc settings",
            "cores": cores,
            "milliseconds_per_picture": {side: round(1000 * best[side]["seconds"] / pictures, 1) for side in SIDES},
            "boxes": {side: best[side]["boxes"] for side in SIDES},
            "precision": best["labelloop"]["precision"],
        },
    }


def in_a_process(side: str, cores: int, pictures: int) -> dict[str, Any]:
    python = os.environ.get("LABELLOOP_YOLO_PYTHON", str(ROOT / ".venvs" / "yolo" / "bin" / "python"))
    given = sorted(os.sched_getaffinity(0))[:cores]
    command = [python, "-m", "bench.container", "--side", side, "--pictures", str(pictures)]
    path = os.pathsep.join(map(str, (ROOT, CONTAINER, ROOT / "functions")))
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, given)), *command],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(cores)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise SystemExit(f"{side}: {done.stderr[-2000:]}")
    return dict(json.loads(lines[0]))


def ours(pictures: int) -> dict[str, Any]:
    import detector
    from labelloop.engines import base_weights
    from model_files import unpack_model

    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "model.tar.gz"
        archive.write_bytes(base_weights.packed(WEIGHTS.read_bytes(), WEIGHTS.name))
        (Path(scratch) / "model").mkdir()
        unpack_model(archive, Path(scratch) / "model")
        engine = detector.load(Path(scratch) / "model", SIZE)
    loaded = opened(pictures)
    engine.predict(loaded[:BATCH])
    began = time.perf_counter()
    found = [
        boxes
        for start in range(0, len(loaded), engine.batch_size)
        for boxes in engine.predict(loaded[start : start + engine.batch_size])
    ]
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "boxes": sum(map(len, found)), "precision": engine.describe()["precision"]}


def theirs(pictures: int) -> dict[str, Any]:
    import libraries  # the same environment, memory and threads
    import numpy as np
    from inference import CONFIDENCE_FLOOR, MOST_BOXES, NMS_IOU
    from ultralytics import YOLO

    assert libraries.THREADS
    model = YOLO(str(WEIGHTS))
    loaded = [np.asarray(picture)[:, :, ::-1].copy() for picture in opened(pictures)]
    how = {"conf": CONFIDENCE_FLOOR, "iou": NMS_IOU, "max_det": MOST_BOXES, "imgsz": SIZE, "verbose": False}
    model.predict(loaded[:BATCH], batch=BATCH, **how)
    began = time.perf_counter()
    found = [
        result
        for start in range(0, len(loaded), BATCH)
        for result in model.predict(loaded[start : start + BATCH], batch=BATCH, **how)
    ]
    return {"seconds": time.perf_counter() - began, "boxes": sum(len(result.boxes) for result in found)}


def opened(count: int) -> list[Any]:
    from PIL import Image

    return [Image.open(path).convert("RGB") for path in sorted(PICTURES.glob("*.jpg"))[:count]]


def write(report: dict[str, Any]) -> None:
    out = ROOT / "build" / "bench" / f"{report['goal']}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
