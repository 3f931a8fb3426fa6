"""mAP50 of every model on the final judge images, and what the last one says of pictures that none trained on: measured
by the container's own code in its own environment.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import parse_lines

from demo.errors import DemoFailed
from demo.results import Results
from local import stack

SCRIPT = Path(__file__).with_name("score_models.py")


@dataclass(frozen=True)
class Scores:
    """`judge`: mAP50 of each version on the judge images, of people by object key-point similarity; None for all
    without such images. `predictions`: what the asked version says of the unseen images.
    """

    judge: Mapping[str, float | None]
    predictions: tuple[Prediction, ...] = ()


def score_models(
    results: Results,
    versions: Sequence[str],
    judge: Sequence[str],
    work: Path,
    asked: str = "",
    unseen: Sequence[Annotation] = (),
) -> Scores:
    """`judge` are manifest lines; `asked` is the version that looks at the `unseen` images. Raises DemoFailed when the
    container's code fails.
    """
    if not versions or not judge:
        return Scores(dict.fromkeys(versions))
    (work / "models").mkdir(parents=True)
    for version in versions:
        (work / "models" / f"{version}.tar.gz").write_bytes(results.read(f"models/{version}/model.tar.gz"))
    (work / "judge.jsonl").write_text("".join(line + "\n" for line in judge), "utf-8")
    if asked:
        lines = "".join(image.to_line() + "\n" for image in unseen)
        (work / f"unseen-{asked}.jsonl").write_text(lines, "utf-8")
    for image in (*map(Annotation.from_line, judge), *unseen):
        key = image.source_ref.removeprefix(f"s3://{results.bucket}/")
        path = work / "images" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(results.read(key))
    _run(work)
    found = json.loads((work / "scores.json").read_text("utf-8"))
    figures = {version: found[version].get("oks_map50", found[version]["map50"]) for version in versions}
    return Scores(figures, _predictions(work / f"seen-{asked}.jsonl") if asked else ())


def _run(work: Path) -> None:
    done = subprocess.run(
        [container_python(), str(SCRIPT), "--work", str(work)],
        env={**os.environ, "PYTHONPATH": str(stack.REPO_ROOT / "containers" / "yolo")},
        capture_output=True,
        text=True,
        check=False,
    )
    (work / "scores.log").write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode:
        raise DemoFailed(f"The models could not be scored (log: {work / 'scores.log'}):\n{done.stderr[-1500:]}")


def _predictions(path: Path) -> tuple[Prediction, ...]:
    return tuple(Prediction.from_json(record) for record in parse_lines(path.read_text("utf-8"), str(path)))


def container_python() -> str:
    return os.environ.get("LABELLOOP_CONTAINER_PYTHON") or str(stack.REPO_ROOT / ".venvs" / "yolo" / "bin" / "python")
