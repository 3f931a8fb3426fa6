"""mAP50 of every model on the final judge images, measured by the container's own code in its own environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labelloop.contracts.manifests import Annotation

from demo.errors import DemoFailed
from demo.results import Results
from local import stack

SCRIPT = Path(__file__).with_name("score_models.py")


def score_models(
    results: Results, versions: Sequence[str], judge: Sequence[str], work: Path
) -> dict[str, float | None]:
    """mAP50 per version; None for all without judge images. Raises DemoFailed when the container's code fails."""
    if not versions or not judge:
        return dict.fromkeys(versions)
    (work / "models").mkdir(parents=True)
    for version in versions:
        (work / "models" / f"{version}.tar.gz").write_bytes(results.read(f"models/{version}/model.tar.gz"))
    (work / "judge.jsonl").write_text("".join(line + "\n" for line in judge), "utf-8")
    for line in judge:
        key = Annotation.from_line(line).source_ref.removeprefix(f"s3://{results.bucket}/")
        path = work / "images" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(results.read(key))
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
    scores = json.loads((work / "scores.json").read_text("utf-8"))
    return {version: scores[version]["map50"] for version in versions}


def container_python() -> str:
    return os.environ.get("LABELLOOP_CONTAINER_PYTHON") or str(stack.REPO_ROOT / ".venvs" / "yolo" / "bin" / "python")
