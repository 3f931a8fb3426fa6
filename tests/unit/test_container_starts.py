"""What a training starts from, and for how long it goes on."""

import json

import paths  # noqa: F401  first: the container's modules
import pytest
import starts
from labelloop.contracts.errors import InvalidInputError
from made_up_models import model, packed
from recipe import Recipe
from starts import Start

BASE = "of base weights "


def recipe(**changes: str) -> Recipe:
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return Recipe.from_hyperparameters({"classes": '["head"]', "steps": "300", "warm-steps": "150", **named})


def folder(place, name: str, **changes) -> object:
    target = place / name
    target.mkdir()
    (target / "model.json").write_bytes(model(**changes)["model.json"])
    return target


def test_without_anything_a_model_starts_from_random_weights(tmp_path) -> None:
    start = starts.choose(recipe(), None, None)
    assert start == Start("random", None, "tiny, width 0.125") and not start.is_pretrained
    assert start.facts() == {"start": "random", "base_weights": "", "warm_start": False}


def test_without_base_weights_a_champion_of_the_wanted_architecture_is_gone_on_from(tmp_path, capsys) -> None:
    fits = folder(tmp_path, "fits", architecture="tiny, width 0.125")
    foreign = folder(tmp_path, "foreign", architecture="")
    other = folder(tmp_path, "other", architecture="yolov8n.yaml")
    assert starts.choose(recipe(), fits, None) == Start("champion", fits, "tiny, width 0.125")
    assert starts.choose(recipe(), foreign, None).kind == "champion"
    assert starts.choose(recipe(), other, None).kind == "random"
    assert "the champion is a yolov8n.yaml, wanted is a tiny, width 0.125: starting anew" in capsys.readouterr().out


def test_base_weights_decide_the_architecture_and_go_before_a_champion_unless_the_recipe_says(tmp_path) -> None:
    base = folder(tmp_path, "base", architecture="")
    known = json.loads((base / "model.json").read_text())["weights-sha256"][:12]
    first = starts.choose(recipe(), None, base)
    assert first == Start("base", base, BASE + known, known) and first.is_pretrained
    champion = folder(tmp_path, "champion", architecture=first.architecture)
    of_old = folder(tmp_path, "old", architecture="tiny, width 0.125")
    assert starts.choose(recipe(), champion, base) == first
    assert starts.choose(recipe(start="champion"), champion, base) == Start(
        "champion", champion, first.architecture, known
    )
    assert starts.choose(recipe(start="champion"), of_old, base) == first
    assert first.facts() == {"start": "base", "base_weights": known, "warm_start": True}


@pytest.mark.parametrize(
    ("images", "far", "steps"),
    [(1, False, 60), (60, False, 60), (61, False, 61), (9000, False, 3000), (60, True, 120), (9000, True, 6000)],
)
def test_from_base_weights_there_are_as_many_steps_as_images(images, far, steps) -> None:
    assert starts.steps(recipe(), Start("base", None, "", "0123"), images, far) == steps
    assert starts.steps(recipe(base_steps="7"), Start("base", None, "", "0123"), images, far) == 7


def test_people_take_twice_the_steps_and_are_never_trained_anew() -> None:
    of_people, base = recipe(key_points="head"), Start("base", None, "", "0123")
    assert [starts.steps(of_people, base, images) for images in (1, 150, 300, 9000)] == [400, 400, 600, 6000]
    assert starts.steps(recipe(key_points="head", base_steps="7"), base, 150) == 7
    assert not starts.is_far(of_people, base, 0.1)


def test_without_base_weights_the_recipe_has_the_steps_and_the_rate() -> None:
    random, champion = Start("random", None, ""), Start("champion", None, "")
    assert [starts.steps(recipe(), each, 1000, True) for each in (random, champion)] == [300, 150]
    assert [starts.learning_rate(recipe(), each) for each in (random, champion)] == [0.004, 0.002]
    base, later = Start("base", None, "", "0123"), Start("champion", None, "", "0123")
    assert [starts.learning_rate(recipe(), each) for each in (base, later)] == [0.001, 0.0005]


@pytest.mark.parametrize(
    ("base", "keep", "given", "far"),
    [("0123", 0.3, "0", True), ("0123", 0.35, "0", False), ("", 0.1, "0", False), ("0123", 0.1, "50", False)],
)
def test_pictures_are_far_from_the_base_weights_where_labels_are_kept_from_little_confidence_on(
    base, keep, given, far
) -> None:
    assert starts.is_far(recipe(base_steps=given), Start("base", None, "", base), keep) is far


def test_the_weights_of_the_channel_go_before_those_of_the_image(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(starts, "BAKED", tmp_path / "image" / "model.tar.gz")
    channel = tmp_path / "base"
    assert starts.base_weights(channel, tmp_path / "none") is None
    starts.BAKED.parent.mkdir()
    starts.BAKED.write_bytes(packed(model(image_size=320)))
    baked = starts.base_weights(channel, tmp_path / "baked")
    assert json.loads((baked / "model.json").read_text())["image_size"] == 320
    channel.mkdir()
    (channel / "model.tar.gz").write_bytes(packed(model(image_size=96)))
    given = starts.base_weights(channel, tmp_path / "given")
    assert json.loads((given / "model.json").read_text())["image_size"] == 96


def test_a_channel_without_its_archive_is_refused_and_not_taken_for_none(tmp_path) -> None:
    (tmp_path / "base").mkdir()
    with pytest.raises(InvalidInputError, match=r"channel 'base' lacks model\.tar\.gz"):
        starts.base_weights(tmp_path / "base", tmp_path / "out")


def test_an_archive_of_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.tar.gz").write_bytes(packed({"x": b""}))
    with pytest.raises(InvalidInputError, match="lacks"):
        starts.base_weights(tmp_path / "base", tmp_path / "out")
