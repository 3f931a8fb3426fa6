"""The models that benchmarks share: which pictures they are trained on, what the container is given, what is kept."""

import json
import subprocess
from pathlib import Path

import pytest
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, dump_line
from made_up_photographs import made_set

from bench import zoo
from bench.zoo import Model

FEW = Model("random", 3, 1)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "ZOO", tmp_path / "zoo")
    return made_set(tmp_path / "set")


@pytest.fixture
def trainings(monkeypatch) -> list[Path]:
    """The job folders that the container was started for; it leaves one box in each picture that judges."""
    folders: list[Path] = []

    def train(command, env, stdout, **_):
        folder = Path(env["SAGEMAKER_BASE_DIR"])
        folders.append(folder)
        judges = (folder / "input" / "data" / "dataset" / "judge.jsonl").read_text().splitlines()
        refs = [Annotation.from_line(line).source_ref for line in judges]
        seen = [Prediction(ref, "ok", 64, 48, "m", (Box("cell", 5, 6, 20, 16, 0.9),)) for ref in refs]
        scores = folder / "output" / "data" / "scores"
        scores.mkdir(parents=True)
        (scores / "challenger-judge.jsonl").write_text("".join(dump_line(each.to_json()) + "\n" for each in seen))
        metrics = {"judge": {"challenger": {"map50": 0.5}, "champion": None}, "train": {"steps": 60}}
        (folder / "output" / "data" / "metrics.json").write_text(json.dumps(metrics))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(zoo.subprocess, "run", train)
    return folders


def test_a_model_is_trained_once_and_kept_as_what_it_saw_in_all_other_pictures(pictures, trainings):
    first = zoo.get(pictures, FEW)
    assert zoo.get(pictures, FEW) == first and len(trainings) == 1
    trained = {annotation.source_ref for annotation in zoo.drawn(pictures, FEW)}
    assert len(trained) == 3
    assert {truth.source_ref for truth in first.truths} == set(pictures.truths) - trained
    assert {each.source_ref for each in first.predictions} == set(pictures.truths) - trained
    assert first.facts["map50"] == 0.5
    assert zoo.known(pictures) == [first]


def test_the_container_finds_the_pictures_under_their_names_and_its_hyperparameters(pictures, tmp_path):
    zoo.write_job(pictures, FEW, tmp_path / "job")
    channels = tmp_path / "job" / "input" / "data"
    for line in (channels / "dataset" / "train.jsonl").read_text().splitlines():
        key = Annotation.from_line(line).training_ref.removeprefix("s3://zoo/")
        assert (channels / "images" / key).is_file()
    told = json.loads((tmp_path / "job" / "input" / "config" / "hyperparameters.json").read_text())
    assert json.loads(told["classes"]) == ["cell", "plate"]
    assert told["base-steps"] == told["steps"] == "60" and told["seed"] == "1"
    assert not (channels / "base").exists(), "random weights"


def test_of_one_order_fewer_pictures_are_the_first_of_more_and_other_orders_are_others(pictures):
    few, more = (zoo.drawn(pictures, Model("coco", count, 1)) for count in (3, 5))
    assert more[:3] == few
    assert zoo.drawn(pictures, Model("coco", 5, 2)) != more


def test_steps_are_as_many_as_pictures_and_at_least_sixty():
    assert [Model("coco", images, 1).steps for images in (20, 60, 120)] == [60, 60, 120]


def test_a_model_is_found_again_by_its_name():
    for model in (Model("coco", 60, 1), Model("random", 120, 3), Model("coco", 60, 2, 30)):
        assert zoo._named(model.name) == model
    assert Model("coco", 60, 2, 30).steps == 30


def test_a_training_that_fails_keeps_nothing(pictures, monkeypatch):
    monkeypatch.setattr(zoo.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(SystemExit, match=r"random-003-1: the training failed, see .*log\.txt"):
        zoo.get(pictures, FEW)
    assert not zoo.known(pictures)
