"""S6: are the rendered scenes worth labelling? Learning curve of the tiny detector on them.

Goal: with the same number of optimiser steps a model trained on 60 pictures has mAP50-95 at least 0.10 below one
trained on 300, held out 150 pictures, mean over 3 seeds (each seed its own pictures and weights); and a model trained
on 150 pictures has mAP50 >= 0.75, so that a loop can build on it. Writes build/bench/S6.scenes.json.

1,200 steps of 8 pictures show each of 300 pictures 32 times. With 400 steps (11 times) both models are limited by the
steps, not by their pictures, and the seeds decide. Takes 15 to 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import cv2

from demo.scenes import Scene, render

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2)
SIZES = (60, 150, 300)
STEPS = 1200
HELD_OUT = 150
GAP, USEFUL = 0.10, 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--image-size", type=int, default=160)
    arguments = parser.parse_args()
    work = ROOT / "build" / "bench" / "scenes"
    shutil.rmtree(work, ignore_errors=True)
    _write_pictures(work / "val", seed=900, count=HELD_OUT)
    for seed in arguments.seeds:
        _write_pictures(work / f"pool-{seed}", seed=1000 + seed, count=max(arguments.sizes))
    runs = [(size, seed) for size in sorted(arguments.sizes, reverse=True) for seed in arguments.seeds]
    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(runs, pool.map(lambda run: _train(work, run[0], run[1], arguments), runs), strict=True))
    report = _report(results, sorted(arguments.sizes), arguments)
    out = ROOT / "build" / "bench" / "S6.scenes.json"
    out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def _report(
    results: dict[tuple[int, int], dict[str, float]], sizes: list[int], arguments: argparse.Namespace
) -> dict[str, object]:
    curve: dict[str, dict[str, Any]] = {}
    for size in sizes:
        of_size = [results[size, seed] for seed in arguments.seeds]
        curve[str(size)] = {
            **{name: round(mean(run[name] for run in of_size), 4) for name in ("map50", "map50_95", "train_seconds")},
            "runs": of_size,
        }
    gap = round(curve[str(sizes[-1])]["map50_95"] - curve[str(sizes[0])]["map50_95"], 4)
    useful = curve["150"]["map50"] if "150" in curve else None
    return {
        "goal": "S6.scenes",
        "value": gap,
        "target": GAP,
        "holds": gap >= GAP and useful is not None and useful >= USEFUL,
        "detail": {
            "value_is": f"mean mAP50-95 with {sizes[-1]} training pictures minus that with {sizes[0]}, same steps",
            "map50_at_150": useful,
            "map50_at_150_target": USEFUL,
            "steps": arguments.steps,
            "image_size": arguments.image_size,
            "held_out": HELD_OUT,
            "seeds": list(arguments.seeds),
            "curve": curve,
        },
    }


def _write_pictures(folder: Path, seed: int, count: int) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for index in range(count):
        scene = render(seed, index)
        picture = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / "images" / f"{index:04d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        (folder / "labels" / f"{index:04d}.txt").write_text(_yolo_lines(scene))


def _yolo_lines(scene: Scene) -> str:
    height, width = scene.image.shape[:2]
    lines = []
    for box in scene.boxes:
        x, y = (box["left"] + box["width"] / 2) / width, (box["top"] + box["height"] / 2) / height
        lines.append(f"0 {x:.6f} {y:.6f} {box['width'] / width:.6f} {box['height'] / height:.6f}\n")
    return "".join(lines)


def _train(work: Path, size: int, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    """One training in the yolo environment; a text file lists the first `size` pictures of the seed's pool."""
    here = work / f"train-{size}-{seed}"
    here.mkdir()
    pictures = sorted((work / f"pool-{seed}" / "images").glob("*.jpg"))[:size]
    (here / "train.txt").write_text("".join(f"{picture}\n" for picture in pictures))
    (here / "data.yaml").write_text(f"train: {here / 'train.txt'}\nval: {work / 'val' / 'images'}\nnames: [head]\n")
    python = os.environ.get("LABELLOOP_YOLO_PYTHON", str(ROOT / ".venvs" / "yolo" / "bin" / "python"))
    command = [python, str(ROOT / "bench" / "train_scenes.py"), "--data", str(here / "data.yaml")]
    command += ["--images", str(size), "--steps", str(arguments.steps), "--image-size", str(arguments.image_size)]
    command += ["--seed", str(seed), "--work", str(here)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not found:
        raise SystemExit(f"Training on {size} pictures failed (exit {done.returncode}): {done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(found[-1].removeprefix("RESULT "))
    print(f"{size} pictures, seed {seed}: {result}", flush=True)
    return result


if __name__ == "__main__":
    main()
