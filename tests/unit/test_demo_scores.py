"""Every model on the same judge images: the script that runs in the container's environment, with a stand-in engine."""

import io
import json
import os
import subprocess
import sys

import pytest
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from made_up_models import model, packed
from PIL import Image

from demo import scores
from demo.errors import DemoFailed
from local import stack

ENGINE = """
from labelloop.contracts.records import Box
class Engine:
    batch_size = 2
    def __init__(self, text): self.found = [Box("head", 10, 10, 20, 20, 0.9)] if text == "good" else []
    def predict(self, images): return [list(self.found) for _ in images]
def load(model_dir): return Engine((model_dir / "architecture.yaml").read_text())
"""
KEY = 'incoming/demo/a "b" 50%20 😀.jpg'


def archive(learned):
    return packed(model(classes=["head"], engine="stand_in") | {"architecture.yaml": learned.encode()})


def picture():
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "PNG")
    return out.getvalue()


def judge():
    return Annotation(f"s3://b/{KEY}", None, 64, 48, (Box("head", 10, 10, 20, 20),), True, "x", "j").to_line(["head"])


class Bucket:
    """What Results gives of the bucket."""

    bucket = "b"

    def __init__(self, objects):
        self.read = objects.__getitem__


def test_all_models_meet_the_same_judge_images_in_one_process(tmp_path):
    (tmp_path / "stand_in.py").write_text(ENGINE)
    work = tmp_path / "work"
    (work / "models").mkdir(parents=True)
    for version, weights in (("v000001-a", "good"), ("v000002-b", "blind")):
        (work / "models" / f"{version}.tar.gz").write_bytes(archive(weights))
    (work / "images" / KEY).parent.mkdir(parents=True)
    (work / "images" / KEY).write_bytes(picture())
    (work / "judge.jsonl").write_text(judge() + "\n", "utf-8")
    path = os.pathsep.join([str(stack.REPO_ROOT / "containers" / "yolo"), str(tmp_path)])
    command = [sys.executable, str(scores.SCRIPT), "--work", str(work)]
    subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, "ENGINE": "stand_in"}, check=True, capture_output=True
    )
    found = json.loads((work / "scores.json").read_text())
    assert found["v000001-a"] == {"map50": 1.0, "map50_95": 1.0, "images": 1}
    assert found["v000002-b"]["map50"] == 0.0


def test_without_gold_there_is_no_figure(tmp_path):
    assert scores.score_models(Bucket({}), ["v1"], [], tmp_path) == scores.Scores({"v1": None})
    assert scores.score_models(Bucket({}), [], [judge()], tmp_path) == scores.Scores({})


def test_a_model_that_cannot_be_opened_is_told_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setenv("LABELLOOP_CONTAINER_PYTHON", sys.executable)
    bucket = Bucket({"models/v1/model.tar.gz": b"no archive", KEY: picture()})
    with pytest.raises(DemoFailed, match=r"could not be scored \(log: .*scores.log\)"):
        scores.score_models(bucket, ["v1"], [judge()], tmp_path)
    assert "v1.tar.gz is not a whole tar.gz archive" in (tmp_path / "scores.log").read_text()
