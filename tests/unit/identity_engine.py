"""An engine without a model, for tests of who the container's process is: it tells by what it may do."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labelloop.contracts.records import Box
from PIL import Image


@dataclass(frozen=True)
class Fitted:
    weights_sha256: str = "ab" * 32
    epochs: int = 1
    optimizer_steps: int = 1
    loss: float = 0.0
    kept_classes: tuple[str, ...] = ()


class IdentityEngine:
    batch_size = 4

    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]:
        return [[] for _ in images]

    def describe(self) -> dict[str, object]:
        return {"engine": "identity", "may": may()}


def load(model_dir: Path, image_size: int | None = None) -> IdentityEngine:
    (model_dir / "model.json").read_text()
    return IdentityEngine()


def fit(dataset, recipe, model_dir: Path, start, steps: int) -> Fitted:
    (model_dir / "weights.safetensors").write_text(json.dumps(may()))
    return Fitted()


def may() -> dict[str, object]:
    code = Path(os.environ["CODE"])
    return {
        "users": [*os.getresuid(), *os.getresgid()],
        "groups": os.getgroups(),
        "become root": succeeds(os.setuid, 0) or succeeds(os.setresuid, 0, 0, 0) or succeeds(os.setgroups, [0]),
        "change code": any(os.access(path, os.W_OK) for path in (code, *code.rglob("*"))),
        "add code": succeeds((code / "added.py").write_text, ""),
        "add to the working directory": succeeds(Path("added.py").write_text, ""),
        "working directory": os.listdir(),  # noqa: PTH208 - of where it is, whatever that is called
        "works in its code": Path.cwd() == code,
        "write": all(
            succeeds((Path(place) / "x").write_text, "")
            for place in (os.environ["HOME"], tempfile.gettempdir(), os.environ["YOLO_CONFIG_DIR"])
        ),
        "new privileges": "NoNewPrivs:\t1" not in Path("/proc/self/status").read_text(),
        "capabilities": [
            line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
        ],
    }


def succeeds(function, *arguments) -> bool:
    try:
        function(*arguments)
    except OSError:
        return False
    return True
