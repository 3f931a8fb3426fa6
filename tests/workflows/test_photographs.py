"""README's command on real photographs: the whole demo, with a first model that starts from COCO's weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from local import stack

SHARED = stack.REPO_ROOT.parent / "shared"
PICTURES, WEIGHTS = SHARED / "data" / "bccd", SHARED / "weights" / "yolov8n.pt"
TARGET, SEED, IMAGES = 0.60, 3, 220


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """summary.json of one run; all 364 photographs are `make bench NAME=photographs`."""
    if not PICTURES.is_dir() or not WEIGHTS.is_file():
        pytest.skip("the photographs and COCO's weights are not here (../shared/data/bccd, ../shared/weights)")
    out = tmp_path_factory.mktemp("photographs") / "demo"
    command = [
        *(sys.executable, "-m", "demo", "--out", str(out), "--limit", str(IMAGES), "--weights", str(WEIGHTS)),
        *("--images", str(PICTURES / "images"), "--truth", str(PICTURES / "annotations.json")),
        *("--target", str(TARGET), "--seed", str(SEED)),
    ]
    own = {**os.environ, "LABELLOOP_STATE_DIR": str(out.parent / "state")}
    done = subprocess.run(command, cwd=stack.REPO_ROOT, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads((out / "summary.json").read_text("utf-8"))
    return found


def test_every_photograph_has_its_label(figures: dict[str, Any]) -> None:
    assert figures["images"] == IMAGES
    assert (figures["rejected"], figures["deferred"], figures["failed_parts"]) == (0, 0, [])
    assert figures["problems"] == []


def test_the_first_model_started_from_the_weights(figures: dict[str, Any]) -> None:
    """From random weights as many steps reach less than 0.1."""
    assert figures["models"][0]["judge_map50"] > 0.75


def test_what_is_accepted_is_promised_and_about_as_good(figures: dict[str, Any]) -> None:
    """With so few photographs another processor may accept none; then the report says why."""
    assert figures["target"] == TARGET
    if figures["auto"]:
        assert figures["promise"] and figures["audited"] > 0
        assert figures["auto_mean_iou"] > TARGET - 0.05
    else:
        assert figures["why_nothing"]


def test_the_command_is_the_readmes() -> None:
    readme = (stack.REPO_ROOT / "README.md").read_text("utf-8")
    assert f"WEIGHTS=yolov8n.pt TARGET={TARGET:.2f} SEED={SEED} LIMIT=" in readme
