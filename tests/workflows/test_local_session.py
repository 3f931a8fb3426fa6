"""docs/local.md holds what it shows: its blocks, run as one script against the deployed stack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from loop import Loop

from local import stack

PAGE = stack.REPO_ROOT / "docs" / "local.md"
# The stack is here already, and stays for the other tests.
NEITHER_STARTS_NOR_ENDS = 'set -euo pipefail\nmake() { echo make "$@"; }\n'
AS_SHIPPED = {
    "HUMAN_BUDGET": "200", "SAMPLE_RATE": "0.15", "SAMPLE_MINIMUM": "110", "JUDGE_IMAGES": "50",
    "JUDGE_MINIMUM": "20", "RETRAIN_MINIMUM": "50", "MAX_ROUNDS": "5",
}  # fmt: skip
SECONDS = 300


def test_the_session_on_the_page_labels_sixty_pictures(loop: Loop, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(blocks) > 5
    (tmp_path / "build").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{stack.REPO_ROOT}{os.pathsep}{stack.REPO_ROOT / 'functions'}",
        "LABELLOOP_STATE_DIR": str(loop.server.state_dir),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
    }
    with loop.settings("RegisterBatch", "PlanTraining", **AS_SHIPPED):
        done = subprocess.run(
            ["bash", "-c", NEITHER_STARTS_NOR_ENDS + "\n".join(blocks)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    states = next(line.split("\t") for line in done.stdout.splitlines() if line.startswith("Register Batch"))
    assert states[-1] == "Batch Labeled" and "Request Labels" in states
    assert '"LabelingJobStatus": "Completed"' in done.stdout
    assert done.stdout.rstrip().splitlines()[-2:] == ["SUCCEEDED", "make down"]
    (manifest,) = (tmp_path / "build" / "batches").glob("*/annotations.manifest")
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert len(lines) == 60
    assert all(line["boxes-metadata"]["human-annotated"] == "yes" for line in lines)
    assert (manifest.parent / "report.html").stat().st_size > 0
    assert json.loads((manifest.parent / "summary.json").read_text())["human"] == 60
