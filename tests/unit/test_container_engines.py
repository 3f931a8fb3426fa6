"""Which engine a job and a model are given to; no torch needed."""

import json

import engine_choice
import pytest
from drawn_people import SKELETON
from labelloop.contracts.errors import InvalidInputError
from made_up_models import description
from recipe import Recipe

OF_BOXES = {"classes": '["head"]'}
OF_PEOPLE = {"classes": '["person"]', "key-points": json.dumps(SKELETON.to_json())}


def model_of(folder, engine):
    (folder / "model.json").write_text(json.dumps(description(engine=engine)))
    return folder


@pytest.mark.parametrize(
    ("hyperparameters", "named", "engine"),
    [
        (OF_BOXES, None, "detector"),
        (OF_BOXES, "", "detector"),
        (OF_PEOPLE, None, "pose"),
        (OF_PEOPLE, "mine", "mine"),
        (OF_BOXES, "mine", "mine"),
    ],
)
def test_a_job_is_of_key_points_where_it_has_some_unless_the_container_says_another_engine(
    hyperparameters, named, engine
) -> None:
    assert engine_choice.of_job(Recipe.from_hyperparameters(hyperparameters), named) == engine


@pytest.mark.parametrize(
    ("told", "named", "engine"),
    [("detector", None, "detector"), ("pose", "", "pose"), ("pose", "mine", "mine"), ("mine", "mine", "mine")],
)
def test_a_model_tells_its_engine_unless_the_container_says_another_one(tmp_path, told, named, engine) -> None:
    assert engine_choice.of_model(model_of(tmp_path, told), named) == engine


def test_a_model_imports_no_module_of_its_choice(tmp_path) -> None:
    with pytest.raises(InvalidInputError, match=r"engine 'antigravity'.*has detector and pose: set ENGINE"):
        engine_choice.of_model(model_of(tmp_path, "antigravity"), None)


def test_an_engine_of_another_container_needs_no_model_of_ours(tmp_path) -> None:
    assert engine_choice.of_model(tmp_path, "mine") == "mine"
