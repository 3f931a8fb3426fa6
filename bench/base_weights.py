"""What base weights are worth, and what a later model should start from: `python -m bench.base_weights`.

The models of bench/zoo.py on BCCD: 60 pictures and 60 steps from COCO's weights in three draws, and random weights
beside them. Then the first draw with 120 pictures, from the base weights on all of them, and on from the model of 60.
One step of 16 pictures takes half a second on two cores; what the zoo holds already is not trained again.

S11.base_weights: mAP50 in unseen pictures of the models of 60 pictures, mean over the three draws.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import photo_set, zoo
from bench.photo_set import PhotoSet
from bench.zoo import Model

TARGET = 0.87
EARLIER, LATER = Model("coco", 60, 1), Model("coco", 120, 1)


def main() -> None:
    pictures = photo_set.of_name("bccd")
    figures = {model.name: map50(pictures, model) for model in (*zoo.OF_60, Model("random", 60, 1), LATER)}
    from_champion = on_from(pictures, EARLIER, LATER)
    value = round(fmean(figures[model.name] for model in zoo.OF_60), 4)
    report = {
        "goal": "S11.base_weights",
        "value": value,
        "target": TARGET,
        "holds": value >= TARGET,
        "detail": {
            "value_is": "mAP50 in unseen pictures after 60 pictures and 60 steps, mean of three draws",
            "models": figures,
            "later_model_of_120": {"from the base weights": figures[LATER.name], "on from the champion": from_champion},
        },
    }
    out = zoo.ROOT / "build" / "bench" / f"{report['goal']}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def map50(pictures: PhotoSet, model: Model) -> float:
    return float(zoo.get(pictures, model).facts["map50"])


def on_from(pictures: PhotoSet, earlier: Model, later: Model) -> float:
    """mAP50 of a model of the later one's pictures that goes on from the earlier one, of the first of them."""
    zoo.get(pictures, earlier)
    jobs = zoo.ZOO / pictures.name / "jobs"
    folder = jobs / f"{later.name}-on"
    shutil.rmtree(folder, ignore_errors=True)
    zoo.write_job(pictures, later, folder)
    told = folder / "input" / "config" / "hyperparameters.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "start": "champion"}))
    pack(jobs / earlier.name / "model", folder / "input" / "data" / "champion" / "model.tar.gz")
    python = os.environ.get("LABELLOOP_YOLO_PYTHON", str(zoo.ROOT / ".venvs" / "yolo" / "bin" / "python"))
    command = [python, str(zoo.ROOT / "containers" / "yolo" / "train.py")]
    subprocess.run(command, env={**os.environ, "SAGEMAKER_BASE_DIR": str(folder)}, check=True)
    metrics: dict[str, Any] = json.loads((folder / "output" / "data" / "metrics.json").read_text())
    return float(metrics["judge"]["challenger"]["map50"])


def pack(model_dir: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    with tarfile.open(target, "w:gz") as tar:
        for path in sorted(model_dir.iterdir()):
            tar.add(path, path.name)


if __name__ == "__main__":
    main()
