"""The drawn scenes of people that benchmarks train and judge on: whole labels, drawn once."""

import json

import pytest
from labelloop.contracts.manifests import Annotation

from bench import people_scenes, zoo
from bench.people_scenes import PeopleScenes
from bench.zoo import Model


@pytest.fixture
def scenes(tmp_path, monkeypatch) -> PeopleScenes:
    monkeypatch.setattr(people_scenes, "FOLDER", tmp_path / "scenes")
    return PeopleScenes(3, 8)


def test_every_scene_is_labelled_with_people_of_the_skeleton(scenes) -> None:
    assert len(scenes.truths) == 8
    people = [person for truth in scenes.truths.values() for person in truth.people]
    assert people and all(tuple(point.label for point in person.points) == scenes.skeleton.names for person in people)
    assert {person.box.label for person in people} == set(scenes.classes)
    for ref in scenes.truths:
        assert (scenes.images / ref.removeprefix("s3://zoo/")).is_file()


def test_scenes_that_are_there_are_not_drawn_again(scenes, monkeypatch) -> None:
    first = dict(scenes.truths)
    monkeypatch.setattr(people_scenes, "write_batch", None)
    assert PeopleScenes(3, 8).truths == first


def test_the_container_is_asked_for_key_points(scenes, tmp_path) -> None:
    zoo.write_job(scenes, Model("random", 5, 1), tmp_path / "job")
    told = json.loads((tmp_path / "job/input/config/hyperparameters.json").read_text())
    assert json.loads(told["key-points"]) == scenes.skeleton.to_json()
    assert (told["image-size"], told["classes"]) == ("160", '["person"]')
    assert told["base-steps"] == "0" and "steps" not in told, "as many as the container takes"
    judges = [
        Annotation.from_line(line)
        for line in (tmp_path / "job/input/data/dataset/judge.jsonl").read_text().splitlines()
    ]
    assert len(judges) == 3
    for judge in judges:
        drawn = scenes.truths[judge.source_ref].people
        assert [person.box for person in judge.people] == [person.box for person in drawn]
        said = [[(point.label, point.visibility) for point in person.points] for person in (*judge.people, *drawn)]
        assert said[: len(drawn)] == said[len(drawn) :]
