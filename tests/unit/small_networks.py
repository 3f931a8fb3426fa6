"""A small detector in a folder, as version 0.1 stored it and as it is stored now.

torch, ultralytics and the container's modules are imported late: test modules skip where they are not there.
"""

import importlib
import json
from pathlib import Path

from made_up_models import description

HEAD = ("head",)


def described(folder: Path, classes=HEAD, **changes) -> Path:
    told = description(classes=list(classes), **{"weights-sha256": "absent", **changes})
    (folder / "model.json").write_text(json.dumps(told))
    return folder


def old_model(folder: Path, classes=HEAD, seed: int = 0, points: int = 0) -> Path:
    """weights.pt as version 0.1 wrote it, of random weights that see something; of `points` as ultralytics has it."""
    torch, networks = importlib.import_module("torch"), importlib.import_module("networks")
    architectures = importlib.import_module("architectures")
    torch.manual_seed(seed)
    network = networks.built(architectures.with_points({**networks.tiny(0.125), "nc": len(classes)}, points))
    network.model[-1].cv3[0][-1].bias.data.fill_(0.5)
    network.names, network.args = dict(enumerate(classes)), {"task": "detect", "imgsz": 64}
    network = network.eval().half()
    torch.save({"model": network, "train_args": network.args, "version": "8", "epoch": -1}, folder / "weights.pt")
    return described(folder, classes)


def stored_now(old: Path, folder: Path) -> Path:
    """The same model as it is stored now."""
    from model_files import read_model, write_weights

    model = read_model(old)
    write_weights(folder, importlib.import_module("architectures").checked(model.architecture, HEAD), model.tensors)
    return described(folder)
