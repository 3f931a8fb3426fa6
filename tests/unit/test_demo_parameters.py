"""What the demo asks of the stack: from nothing and with weights; every value is one that the template takes."""

import json

import pytest
from labelloop.contracts import advanced
from labelloop.contracts.skeletons import PRESETS, named, skeleton
from template_documents import TEMPLATE

from demo import parameters
from demo.parameters import Choices, stack_parameters


def asked(weights="", target=None, seed=7, longer=(320,), count=600):
    return stack_parameters(["red cell", "white cell"], longer, count, Choices(seed, target, weights))


def test_the_seed_is_the_stacks():
    assert json.loads(asked(seed=3)["AdvancedSettings"])["Seed"] == 3
    assert json.loads(asked("weights/yolov8n.pt", seed=4)["AdvancedSettings"])["Seed"] == 4


def test_some_images_are_labelled_twice():
    for weights in ("", "weights/yolov8n.pt"):
        assert json.loads(asked(weights)["AdvancedSettings"])["DoubleLabelRate"] == 0.1


def test_the_target_is_the_one_that_was_asked_for():
    assert asked(target=0.6)["TargetMeanIou"] == "0.6"
    assert asked("weights/yolov8n.pt", target=0.6)["TargetMeanIou"] == "0.6"
    assert "TargetMeanIou" in asked() and "TargetMeanIou" not in asked("weights/yolov8n.pt")


def test_with_weights_only_the_picture_size_and_the_number_of_people_are_the_demos():
    given = asked("weights/yolov8n.pt", longer=(640,))
    assert given["WorkersPerObject"] == "3" and "WorkersPerObject" not in asked()
    assert given["BaseWeights"] == "weights/yolov8n.pt"
    assert json.loads(given["TrainingRecipeOverrides"]) == {"ImageSize": 320, "TrainingBatchSize": 16}


@pytest.mark.parametrize(
    ("sides", "size"), [([320], 160), ([640, 640, 640], 224), ([4000], 224), ([100], 96), ([400], 192)]
)
def test_from_nothing_the_training_size_is_near_half_the_pictures(sides, size):
    assert parameters.image_size(sides) == size
    assert json.loads(asked(longer=sides)["TrainingRecipeOverrides"])["ImageSize"] == size


@pytest.mark.parametrize("weights", ["", "weights/yolov8n.pt"])
def test_the_stack_takes_every_value(weights):
    given = asked(weights)
    overrides = {
        "TRAINING_RECIPE_OVERRIDES": given["TrainingRecipeOverrides"],
        "ADVANCED_SETTINGS": given["AdvancedSettings"],
    }
    assert advanced.completed(overrides)["SEED"] == "7"
    assert set(given) <= set(TEMPLATE["Parameters"])


def of_people(points, weights="", sides=(320,), most=2, target=None):
    return stack_parameters(["head"], sides, 600, Choices(7, target, weights, points), most)


@pytest.mark.parametrize("weights", ["", "weights/yolov8n.pt"])
@pytest.mark.parametrize("points", [*PRESETS.values(), named(["Nase", "left ear", 'the "right" ear'])])
def test_the_stack_of_key_points_has_their_skeleton(points, weights):
    given = of_people(points, weights)
    assert given["Task"] == "key-points" and "Classes" not in given
    assert skeleton(given["KeyPoints"]) == points
    assert set(given) <= set(TEMPLATE["Parameters"])


def test_a_preset_goes_by_its_name():
    assert [of_people(each)["KeyPoints"] for each in PRESETS.values()] == list(PRESETS)


def test_two_networks_learn_from_small_pictures_and_a_target_is_the_one_asked_for():
    given = of_people(PRESETS["head"], "weights/yolov8n.pt")
    assert json.loads(given["TrainingRecipeOverrides"]) == {"ImageSize": 160, "TrainingBatchSize": 16}
    assert of_people(PRESETS["head"])["TargetMeanIou"] == "0.6" and "TargetMeanIou" not in given
    assert of_people(PRESETS["head"], target=0.7)["TargetMeanIou"] == "0.7"


@pytest.mark.parametrize(("most", "offered"), [(0, None), (6, None), (7, 7), (99, 20)])
def test_pages_offer_points_for_everybody(most, offered):
    assert json.loads(of_people(PRESETS["head"], most=most)["AdvancedSettings"]).get("MostPeople") == offered
