"""G1.5: what two networks of key points cost over one, from the bytes of pictures to predictions.

The container's own code, on drawn scenes of nobody, one and several people, in one process and by turns: as it serves,
where the additional network looks only at pictures in which the main one saw a point, and with the main one alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
CONTAINER = ROOT / "containers" / "yolo"
MOST = 1.9
ROUNDS, PICTURES = 5, 64


def measured(model_dir: Path, images: Path) -> dict[str, Any]:
    """The report of a model and a folder of JPEG files; runs in the container's environment."""
    python = os.environ.get("LABELLOOP_YOLO_PYTHON", str(ROOT / ".venvs" / "yolo" / "bin" / "python"))
    path = os.pathsep.join(map(str, (ROOT, CONTAINER, ROOT / "functions")))
    done = subprocess.run(
        [python, "-m", "bench.two_networks", str(model_dir), str(images)],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise SystemExit(f"{model_dir}: {done.stderr[-2000:]}")
    return report(**json.loads(lines[0]))


def report(seconds: dict[str, float], pictures: int, asked: int, engine: dict[str, Any]) -> dict[str, Any]:
    """`seconds` of `one` network and of `two`, for all pictures; the additional one was asked of so many people."""
    value = round(seconds["two"] / seconds["one"], 3)
    return {
        "goal": "G1.5",
        "value": value,
        "target": MOST,
        "holds": value <= MOST,
        "detail": {
            "value_is": "seconds of two networks over those of one, bytes to predictions, the best of some rounds",
            "milliseconds_per_picture": {name: round(1000 * each / pictures, 2) for name, each in seconds.items()},
            "pictures": pictures,
            "people": asked,
            "engine": engine,
        },
    }


def main(model_dir: str, images: str) -> None:
    import paths  # noqa: F401  first: makes labelloop importable
    import pose
    from labelloop.pictures.pixels import canonicalise
    from scoring import Look, predictions

    engine = pose.load(Path(model_dir))
    bodies = [path.read_bytes() for path in sorted(Path(images).glob("*.jpg"))[:PICTURES]]

    def look() -> int:
        people = 0
        for start in range(0, len(bodies), engine.batch_size):
            looks = [Look("", canonicalise(body).rgb) for body in bodies[start : start + engine.batch_size]]
            people += sum(len(each.people or ()) for each in predictions(engine, looks, "m"))
        return people

    def alone() -> int:
        with mock.patch.object(pose, "is_somewhere", return_value=False):
            return look()

    people = look()
    best = {"one": timed(alone), "two": timed(look)}
    for _ in range(ROUNDS - 1):
        best = {"one": min(best["one"], timed(alone)), "two": min(best["two"], timed(look))}
    told = {"seconds": best, "pictures": len(bodies), "asked": people, "engine": engine.describe()}
    print("RESULT " + json.dumps(told))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
