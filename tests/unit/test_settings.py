"""Settings: one name, one meaning, loud when one is missing."""

from dataclasses import fields

import pytest
from labelloop.contracts.settings import MissingSettingError, Settings, settings
from labelloop.contracts.skeletons import PRESETS
from made_up_stack import SETTINGS


def test_every_setting_is_read_with_its_type(environment) -> None:
    read = settings()
    assert read == Settings.from_environment(SETTINGS) and read is settings()
    assert (read.classes, read.seed, read.sample_rate, read.starting_model) == (("head", "bag"), 7, 0.5, "")


@pytest.mark.parametrize("name", [field.name.upper() for field in fields(Settings)])
def test_a_missing_name_is_named(name) -> None:
    environment = {key: value for key, value in SETTINGS.items() if key != name}
    with pytest.raises(MissingSettingError, match=f"{name} is not set"):
        Settings.from_environment(environment)


def test_all_problems_are_told_at_once() -> None:
    broken = {**SETTINGS, "SEED": "seven", "SAMPLE_RATE": "half", "CLASSES": " , "}
    del broken["DATA_BUCKET"]
    with pytest.raises(MissingSettingError) as refusal:
        Settings.from_environment(broken)
    for problem in ("DATA_BUCKET is not set", "SEED: ", "SAMPLE_RATE: ", "CLASSES: expected a comma-separated list"):
        assert problem in str(refusal.value)


def test_class_names_may_hold_spaces_and_foreign_letters() -> None:
    assert Settings.from_environment({**SETTINGS, "CLASSES": " head , Mütze 😀,"}).classes == ("head", "Mütze 😀")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLASSES", "head,bag, head", "parameter Classes lists 'head' more than once"),
        ("KEY_POINTS", "nose,nose,tail,tail", "parameter KeyPoints lists 'nose', 'tail' more than once"),
        ("KEY_POINTS", "nose,nose (occluded)", "parameter KeyPoints has 'nose (occluded)'"),
    ],
)
def test_names_whose_labels_could_not_be_read_back_are_refused(name, value, said) -> None:
    with pytest.raises(MissingSettingError) as refusal:
        Settings.from_environment({**SETTINGS, name: value})
    assert f"{name}: {said}" in str(refusal.value) and "deploy again" in str(refusal.value)


def test_a_class_may_be_called_occluded() -> None:
    classes = "nose,nose (occluded),Nose"
    assert Settings.from_environment({**SETTINGS, "CLASSES": classes}).classes == tuple(classes.split(","))


def test_key_points_are_a_skeleton_whose_names_are_what_is_labelled() -> None:
    read = Settings.from_environment({**SETTINGS, "TASK": "key-points", "KEY_POINTS": "head"})
    assert read.key_points is PRESETS["head"] and read.label_names == PRESETS["head"].names
    assert read.with_choices({"KEY_POINTS": "nose,tail"}).label_names == ("nose", "tail")
    assert Settings.from_environment({**SETTINGS, "KEY_POINTS": "head"}).label_names == read.classes


def test_a_token_outlives_the_request_it_waits_for(environment) -> None:
    read = settings()
    assert read.inference_timeout_seconds > read.inference_queue_seconds + read.invocation_timeout_seconds


@pytest.mark.fault("K05")
@pytest.mark.parametrize(("text", "window"), [("", None), ("0,4000", (0, 4000)), ("-20.5,35", (-20.5, 35))])
def test_the_window_of_deep_pictures_is_one_of_the_choices_that_a_batch_pins(text, window) -> None:
    document = {**SETTINGS, "DEEP_PIXEL_WINDOW": text}
    assert Settings.from_environment(document).pixel_window == window
    assert Settings.from_environment(SETTINGS).with_choices(document).pixel_window == window


@pytest.mark.parametrize("text", ["4000", "4000,0", "7,7", "a,b", "0,inf", "nan,1", "1,2,3"])
def test_a_window_that_is_none_is_told(text) -> None:
    with pytest.raises(MissingSettingError, match="DeepPixelWindow is empty or"):
        Settings.from_environment({**SETTINGS, "DEEP_PIXEL_WINDOW": text})
