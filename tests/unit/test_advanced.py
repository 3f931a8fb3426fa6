"""Recipes and advanced settings: the document is the one of before, no knob is lost, and what will not do is told."""

import json
import re
from pathlib import Path

import pytest
from handling import Context
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import advanced
from labelloop.contracts.settings import MissingSettingError, Settings
from labelloop.store import storage

from lint.project import Project
from local import stack

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Project(ROOT).template
GIVEN = TEMPLATE["Resources"]["SettingsDocument"]["Properties"]["Settings"]
# The parameters, and the documents that Store Settings wrote of them, at the last commit that had 71.
BEFORE = json.loads((ROOT / "tests" / "support" / "settings_before_recipes.json").read_text())
for _document in BEFORE["documents"].values():
    _document["JUDGE_FUNCTION_ARN"] = ""  # came later
KNOBS = advanced.TRAINING | advanced.LIMITS
# Knobs that never were parameters.
LATER = {
    "BASE_STEPS": "0",
    "BASE_LEARNING_RATE": "0.001",
    "START": "base",
    "AUDIT_MINIMUM": "20",
    "DOUBLE_LABEL_RATE": "0",
    "JUDGE_IMAGES": "50",
    "SECOND_TRAINING": "when-it-pays",
    "MOST_PEOPLE": "6",
    "JUDGE_MINIMUM": "20",
}
CHANGED = {"SAMPLE_MINIMUM": "110"}  # another default since
for _document in BEFORE["documents"].values():
    _document.update(LATER, BASE_WEIGHTS="", GATE_RULE="better", PROMOTION_TOLERANCE="-0.05", AUDIT_RATE="0.02")
    _document.update({name: value for name, value in CHANGED.items() if _document[name] == "30"})
    for _name in advanced.GONE:
        del _document[_name]
BEFORE["parameters"]["PromotionTolerance"].update(Default="-0.05", MinValue=-0.5)
# Whoever updates a stack keeps what it was deployed with; other defaults are for new ones.
for _document in BEFORE["documents"].values():
    _document |= {"ACCEPT_POLICY": "certified", "TARGET_MEAN_IOU": "0.7"}
BEFORE["parameters"]["AcceptPolicy"].update(
    Default="certified", AllowedValues=["certified", "strict", "target-quality", "fixed"]
)
BEFORE["parameters"]["TargetMeanIou"].update(Default=0.7)
BEFORE["parameters"]["KeyPoints"]["AllowedPattern"] += r"|\s*\{[\s\S]*\}\s*"  # a skeleton is a document, too
PLACES = {
    "TrainingRecipeOverrides": [advanced.parameter_of(name) for name in advanced.TRAINING],
    "AdvancedSettings": [advanced.parameter_of(name) for name in advanced.LIMITS],
}


def properties(**parameters: str) -> dict[str, str]:
    """What the template hands to Store Settings for these parameters; as recorded, resources have no names."""
    values = {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()} | parameters
    return {name: _value(reference, values) for name, reference in GIVEN.items()}


def _value(reference: object, values: dict[str, str]) -> str:
    if isinstance(reference, dict):
        return values.get(reference.get("Ref", ""), "of the stack")
    return str(reference)


@pytest.fixture
def stored(aws, cloudformation):
    """`stored(new, old)`: the answer to CloudFormation, and the document in the bucket, if there is one."""
    import store_settings

    def run(new: dict[str, str], old: dict[str, str] | None = None) -> tuple[dict, dict | None]:
        event = {"RequestType": "Update" if old else "Create", "StackId": "s", "RequestId": "r"}
        event |= {"LogicalResourceId": "SettingsDocument", "ResponseURL": "https://x"}
        event["ResourceProperties"] = {"Settings": new}
        if old:
            event |= {"OldResourceProperties": {"Settings": old}, "PhysicalResourceId": "labelloop-settings"}
        store_settings.handler(event, Context())
        told = cloudformation[-1]
        sha256 = told.get("Data", {}).get("Sha256")
        return told, json.loads(storage.read(f"settings/{sha256}.json")) if sha256 else None

    return run


def refused(**parameters: str) -> str:
    with pytest.raises(MissingSettingError) as told:
        advanced.completed(properties(**parameters))
    return str(told.value)


def test_with_the_defaults_the_document_is_exactly_the_one_of_before(stored) -> None:
    told, document = stored(properties())
    assert told["Status"] == "SUCCESS" and document == BEFORE["documents"]["defaults"]


def test_what_samconfig_deploys_locally_makes_exactly_the_document_of_before(stored) -> None:
    told, document = stored(properties(**stack._configured_parameters("local")))
    assert told["Status"] == "SUCCESS" and document == BEFORE["documents"]["local"]


def test_every_setting_that_was_a_parameter_is_one_or_has_its_default_and_bounds_here() -> None:
    gone = set(BEFORE["parameters"]) - set(TEMPLATE["Parameters"]) - set(map(advanced.parameter_of, advanced.GONE))
    later = {advanced.parameter_of(name) for name in LATER}
    assert gone == {name for names in PLACES.values() for name in names} - later
    for setting, knob in KNOBS.items():
        if setting in LATER:
            continue
        was = BEFORE["parameters"][advanced.parameter_of(setting)]
        assert knob.default == CHANGED.get(setting, str(was["Default"]))
        assert (was["Type"] == "String") is (knob.kind is str)
        assert knob.kind is Settings.__dataclass_fields__[setting.lower()].type
        if "MinValue" in was:
            assert (knob.least, knob.most) == (was["MinValue"], was["MaxValue"])
        assert list(knob.choices) == [str(value) for value in was.get("AllowedValues", [])]
        assert knob.pattern == was.get("AllowedPattern", "")


def test_what_is_still_a_parameter_has_the_default_and_bounds_it_had() -> None:
    for name in set(BEFORE["parameters"]) & set(TEMPLATE["Parameters"]):
        was = BEFORE["parameters"][name]
        assert {key: value for key, value in TEMPLATE["Parameters"][name].items() if key in was} == was


@pytest.mark.parametrize("setting", KNOBS)
def test_every_knob_can_be_turned_to_both_ends_of_its_range_and_not_beyond(setting) -> None:
    knob, name = KNOBS[setting], advanced.parameter_of(setting)
    (place,) = [place for place, names in PLACES.items() if name in names]
    whole = BEFORE["documents"]["defaults"]
    if knob.choices or knob.pattern:
        good, bad = knob.choices or ("tiny.yaml", "yolo11s.yaml"), ["other", "tinyXyaml", "tiny.yaml\n", "97"]
    else:
        good = [f"{end:f}" if knob.kind is float else str(end) for end in (knob.least, knob.most)]
        bad = [str(knob.least - 1), str(knob.most + 1)]
    for value in good:
        written = json.dumps(value) if knob.kind is str else value
        document = advanced.completed(properties(**{place: f'{{"{name}": {written}}}'}))
        assert document == {**whole, setting: value}
        Settings.from_environment(document)
    for value in bad:
        written = json.dumps(value) if knob.kind is str or not re.fullmatch("[-0-9.]+", value) else value
        assert f"parameter {place}, field '{name}'" in refused(**{place: f'{{"{name}": {written}}}'})


@pytest.mark.parametrize("recipe", advanced.RECIPES)
def test_a_recipe_sets_what_it_says_and_single_values_go_before_it(recipe) -> None:
    whole = BEFORE["documents"]["defaults"]
    assert advanced.completed(properties(TrainingRecipe=recipe)) == {**whole, **advanced.RECIPES[recipe]}
    single = properties(TrainingRecipe=recipe, TrainingRecipeOverrides='{"WARM_STEPS": 77}')
    assert advanced.completed(single) == {**whole, **advanced.RECIPES[recipe], "WARM_STEPS": "77"}
    assert advanced.RECIPES["standard"] == {}
    assert set(advanced.RECIPES) == set(TEMPLATE["Parameters"]["TrainingRecipe"]["AllowedValues"])


@pytest.mark.parametrize("recipe", advanced.RECIPES)
def test_a_recipe_keeps_to_the_bounds_of_its_knobs(recipe) -> None:
    values = advanced.RECIPES[recipe]
    given = {
        advanced.parameter_of(name): value if KNOBS[name].kind is str else KNOBS[name].kind(value)
        for name, value in values.items()
    }
    document = advanced.completed(properties(TrainingRecipeOverrides=json.dumps(given)))
    assert document == {**BEFORE["documents"]["defaults"], **values}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"AdvancedSettings": '{"ShardSise": 64}'}, "'ShardSise': there is no such setting; did you mean ShardSize?"),
        ({"AdvancedSettings": '{"Nonsense": 1}'}, "field 'Nonsense': it is none of Seed, "),
        ({"AdvancedSettings": '{"ShardSize": "64"}'}, "'ShardSize': \"64\" is not a whole number: give 1 to 512, with"),
        ({"AdvancedSettings": '{"ShardSize": 64.0}'}, "field 'ShardSize': 64.0 is not a whole number: give 1 to 512"),
        ({"AdvancedSettings": '{"ShardSize": 513}'}, "field 'ShardSize': 513 is out of range: give 1 to 512"),
        ({"AdvancedSettings": '{"ShardSize": true}'}, "field 'ShardSize': true is not a whole number"),
        ({"AdvancedSettings": '{"ShardSize": null}'}, "field 'ShardSize': null is not a whole number"),
        ({"AdvancedSettings": '{"KeepConfidence": NaN}'}, "field 'KeepConfidence': NaN is not a number"),
        ({"AdvancedSettings": '{"SampleMinimum": [0.2]}'}, "field 'SampleMinimum': "),
        ({"AdvancedSettings": '{"SampleMinimum": {"of": 0.2}}'}, "field 'SampleMinimum': "),
        ({"AdvancedSettings": '{"KeepConfidence": 1e-400}'}, "field 'KeepConfidence': 1e-400 is not a number"),
        ({"AdvancedSettings": '{"ShardSize": 64, "ShardSize": 65}'}, "field 'ShardSize' is given twice"),
        ({"AdvancedSettings": '{"ShardSize": 64, "SHARD_SIZE": 64}'}, "field 'ShardSize' is given twice"),
        ({"AdvancedSettings": '{"TrainingSteps": 64}'}, "TrainingSteps is given in the parameter TrainingRecipe"),
        ({"AdvancedSettings": '{"HumanBudget": 64}'}, "field 'HumanBudget': it cannot be given here"),
        ({"AdvancedSettings": '{"DataBucket": "mine"}'}, "field 'DataBucket': it cannot be given here"),
        ({"AdvancedSettings": '["ShardSize"]'}, "parameter AdvancedSettings is no JSON object"),
        ({"AdvancedSettings": '"ShardSize"'}, "parameter AdvancedSettings is no JSON object"),
        ({"AdvancedSettings": "{ShardSize: 64}"}, "parameter AdvancedSettings is no JSON (Expecting property name"),
        ({"AdvancedSettings": "[" * 4000}, "parameter AdvancedSettings is no JSON"),
        ({"AdvancedSettings": '{"InferenceAmiVersion": "al3"}'}, 'field \'InferenceAmiVersion\': "al3" is not allowed'),
        ({"TrainingRecipeOverrides": '{"BaseModel": "resnet"}'}, 'field \'BaseModel\': "resnet" is not allowed'),
        ({"TrainingRecipeOverrides": '{"BaseModel": 8}'}, "field 'BaseModel': 8 is not allowed"),
        ({"TrainingRecipeOverrides": '{"Seed": 1}'}, "Seed is given in the parameter AdvancedSettings now"),
        ({"TrainingRecipe": "fast"}, "parameter TrainingRecipe is 'fast': choose one of quick, standard, thorough"),
    ],
)  # fmt: skip
def test_what_will_not_do_fails_the_deployment_with_the_field_and_nothing_is_stored(stored, given, said) -> None:
    told, document = stored(properties(**given))
    assert told["Status"] == "FAILED" and document is None
    assert said in told["Reason"] and next(iter(given)) in told["Reason"]
    assert list(storage.keys("settings/")) == []


def test_all_problems_are_told_at_once() -> None:
    said = refused(AdvancedSettings='{"A": 1, "ShardSize": 0}', TrainingRecipeOverrides='{"B": 1}', TrainingRecipe="x")
    for field in ("'A'", "'ShardSize'", "'B'", "TrainingRecipe is 'x'"):
        assert field in said


@given(st.text(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_whatever_stands_there_it_is_taken_or_refused_with_the_parameter(text) -> None:
    try:
        advanced.completed(properties(AdvancedSettings=text))
    except MissingSettingError as told:
        assert "parameter AdvancedSettings" in str(told)


# --- from a deployment that gave each of them by itself


def test_an_update_from_before_with_the_defaults_goes_through(stored) -> None:
    unchanged = {name: gone.default for name, gone in advanced.GONE.items()}
    told, document = stored(properties(), {**BEFORE["documents"]["defaults"], **unchanged})
    assert told["Status"] == "SUCCESS" and document == BEFORE["documents"]["defaults"]


def test_an_update_that_would_lose_a_choice_is_refused_with_what_to_give_where(stored) -> None:
    """sam drops parameters that a template has not, and says nothing."""
    old = {**BEFORE["documents"]["defaults"], "TRAINING_STEPS": "500", "SEED": "7", "BASE_MODEL": "tiny.yaml"}
    told, document = stored(properties(), old)
    assert told["Status"] == "FAILED" and document is None
    for said in (
        'give {"TrainingSteps": 500} there to keep it',
        "TrainingSteps was deployed as 500 and would become 3000",
        'AdvancedSettings now: give {"Seed": 7}',
        'TrainingRecipeOverrides now: give {"BaseModel": "tiny.yaml"}',
    ):
        assert said in told["Reason"]
    recipe = '{"TrainingSteps": 500, "BaseModel": "yolov8n.yaml"}'
    told, document = stored(properties(AdvancedSettings='{"Seed": 7}', TrainingRecipeOverrides=recipe), old)
    assert told["Status"] == "SUCCESS"
    assert document == {**BEFORE["documents"]["defaults"], "TRAINING_STEPS": "500", "SEED": "7"}


@pytest.mark.parametrize(
    ("gone", "successor"), [("GOLD_SHARE", "JudgeImages"), ("CALIBRATION_MINIMUM", "JudgeMinimum")]
)
def test_a_choice_of_what_is_gone_is_told_until_its_successor_is_chosen(stored, gone, successor) -> None:
    whole = BEFORE["documents"]["defaults"]
    told, document = stored(properties(), {**whole, gone: "0.4"})
    assert told["Status"] == "FAILED" and document is None
    assert f"{advanced.parameter_of(gone)} was deployed as 0.4 and is gone: " in told["Reason"]
    assert f'give {{"{successor}": ' in told["Reason"] and "AdvancedSettings" in told["Reason"]
    chosen = json.dumps({successor: 31})
    told, document = stored(properties(AdvancedSettings=chosen), {**whole, gone: "0.4"})
    assert told["Status"] == "SUCCESS" and "31" in document.values() and gone not in document


def test_a_rollback_to_a_version_that_had_what_is_gone_goes_through(stored) -> None:
    old = {**BEFORE["documents"]["defaults"], "GOLD_SHARE": "0.4"}
    assert stored(old, properties())[0]["Status"] == stored(old, old)[0]["Status"] == "SUCCESS"


def test_what_is_gone_had_these_defaults_and_has_a_successor() -> None:
    for name, gone in advanced.GONE.items():
        was = BEFORE["parameters"][advanced.parameter_of(name)]
        assert float(gone.default) == was["Default"] and gone.successor in KNOBS
        assert advanced.parameter_of(gone.successor) in gone.why


def test_a_choice_made_by_a_recipe_or_written_otherwise_is_not_lost(stored) -> None:
    old = {**BEFORE["documents"]["defaults"], "TRAINING_STEPS": "500", "KEEP_CONFIDENCE": "0.250"}
    told, _ = stored(properties(TrainingRecipe="quick"), old)
    assert told["Status"] == "SUCCESS"


def test_the_rollback_to_a_version_that_gave_each_by_itself_keeps_what_it_gave(stored) -> None:
    old = {**BEFORE["documents"]["defaults"], "TRAINING_STEPS": "500"}
    told, document = stored(old, properties())
    assert told["Status"] == "SUCCESS" and document == old


def test_the_next_deployment_may_take_an_override_away_again(stored) -> None:
    told, document = stored(properties(), properties(AdvancedSettings='{"Seed": 7}'))
    assert told["Status"] == "SUCCESS" and document == BEFORE["documents"]["defaults"]


@pytest.mark.parametrize("gone", list(map(advanced.parameter_of, advanced.GONE)))
def test_what_is_gone_is_told_as_a_parameter_and_as_a_field(gone, monkeypatch) -> None:
    monkeypatch.setattr(stack, "host_parameters", dict)
    with pytest.raises(stack.DeployFailed, match=f"{gone} is gone: .*Judge(Images|Minimum) in AdvancedSettings"):
        stack._overrides("local", {gone: "1"})
    assert f"field '{gone}': {gone} is gone: " in refused(AdvancedSettings=f'{{"{gone}": 1}}')


MOVED = set(map(advanced.parameter_of, KNOBS)) - set(map(advanced.parameter_of, LATER))


@pytest.mark.parametrize("name", sorted(MOVED))
def test_a_deployment_from_here_with_an_old_name_is_told_where_it_went(name, monkeypatch) -> None:
    monkeypatch.setattr(stack, "host_parameters", dict)
    with pytest.raises(stack.DeployFailed, match=f"{name} is given in the parameter (Training|Advanced)"):
        stack._overrides("local", {name: "1"})
    example = re.search(r"as in (\{.*\})$", advanced.moved(name))
    assert example
    (place,) = [place for place, names in PLACES.items() if name in names]
    document = advanced.completed(properties(**{place: example[1]}))
    assert Settings.from_environment(document) == Settings.from_environment(BEFORE["documents"]["defaults"])


def test_what_is_still_a_parameter_moved_nowhere() -> None:
    assert not any(map(advanced.moved, TEMPLATE["Parameters"]))


def test_fields_given_on_top_of_samconfig_add_to_its_own(monkeypatch) -> None:
    monkeypatch.setattr(stack, "host_parameters", dict)
    given = stack._overrides("local", {"TrainingRecipeOverrides": '{"TrainingSteps": 9}', "HumanBudget": "1"})
    (recipe,) = [each for each in given if each.startswith("ParameterKey=TrainingRecipeOverrides")]
    value = json.loads(recipe.partition("ParameterValue=")[2].strip('"').replace('\\"', '"'))
    assert (value["TrainingSteps"], value["WarmSteps"], value["BaseModel"]) == (9, 150, "tiny.yaml")
