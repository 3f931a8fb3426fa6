"""Settings are one document: what runs keeps its choices, where things are is always the deployed truth."""

from pathlib import Path

import boto3
import pytest
import yaml
from batch_rounds import merge, refs, run_round
from handling import crown, execution, handle, mark, predict, registered, upload
from labelloop.batch import batches
from labelloop.store import ledger, storage
from made_up_stack import BUCKET, SETTINGS

from tests.support.names import COCO, WHOLE_BODY

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")


class Loader(yaml.SafeLoader):
    """The template's short forms are of no interest here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: suffix)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)


@pytest.mark.parametrize(("parameter", "names"), [("Classes", COCO), ("KeyPoints", WHOLE_BODY)])
def test_80_classes_and_133_key_points_can_be_deployed(parameter, names) -> None:
    assert len(names.split(",")) == {"Classes": 80, "KeyPoints": 133}[parameter]
    assert len(names.encode()) <= TEMPLATE["Parameters"][parameter]["MaxLength"] <= 4096
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    longest = sum(TEMPLATE["Parameters"].get(_title(name), {}).get("MaxLength", 64) for name in variables)
    assert sum(map(len, variables)) + longest <= 4096, "Lambda refuses more for one function"


def _title(name: str) -> str:
    return name.title().replace("_", "")


@loop
def test_a_deployment_between_two_rounds_changes_nothing_for_the_batch(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.9")
    upload(6)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.6))
    first = run_round(batch, 1, answered=1)
    for name, value in (
        ("ACCEPT_THRESHOLD", "0.1"),
        ("HUMAN_BUDGET", "100"),
        ("CLASSES", "cat"),
        ("KEEP_CONFIDENCE", "0.9"),
    ):
        change_setting(name, value)
    second = run_round(batch, 2)
    assert (first["auto"], second["auto"]) == (0, 0), "0.6 is not 0.9, whatever is deployed meanwhile"
    asked = [each for each in batches.round_decisions(batch, 2) if each.decision == "human"]
    assert len(asked) <= 3
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))


@loop
def test_a_restart_takes_the_choices_of_today_but_never_another_meaning_of_the_labels(change_setting) -> None:
    upload(6)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    run_round(batch, 1, answered=1)
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    change_setting("HUMAN_BUDGET", "6")
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "registered"
    run_round(batch, 2)
    assert sum(each.decision == "human" for each in batches.round_decisions(batch, 2)) == 5
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    change_setting("CLASSES", "bag,head")
    with pytest.raises(Exception, match="begun with other values of Classes"):
        handle("register_batch", event=trigger, execution=execution("three"))


@loop
@pytest.mark.fault("I17")
def test_a_batch_of_version_0_1_has_nothing_pinned_and_goes_on() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=f"batches/{batch}/settings.json").delete()
    run_round(batch, 1)
    assert merge(batch, 1)["human"] == 3


@loop
def test_what_a_newer_version_pinned_is_refused_with_a_sentence() -> None:
    upload(1)
    batch = registered()["batch"]["id"]
    storage.write_json(f"batches/{batch}/settings.json", {"schema": 2, "attempt": 1, "settings": {}})
    with pytest.raises(Exception, match="written by a newer version of the stack"):
        handle("begin_round", batch_id=batch, round=1)


def test_long_class_lists_are_cut_into_hyperparameters_that_sagemaker_takes(environment) -> None:
    from labelloop.contracts.settings import Settings
    from labelloop.engines import training

    classes = ",".join(f"a rather long class name number {number:03d} 口" for number in range(100))
    stack = Settings.from_environment({**SETTINGS, "CLASSES": classes})
    request = training.job_request(job="j", dataset_uri="d", images_uri="i", champion_uri="", image="i", settings=stack)
    values = request["HyperParameters"]
    assert len(values) <= 100 and all(len(value) <= 2500 for value in values.values())
    from recipe import Recipe

    assert list(Recipe.from_hyperparameters(values).classes) == classes.split(",")


@loop
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_pinned_settings_that_were_changed_stop_the_batch_until_they_are_restored(how) -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    key = f"batches/{batch}/settings.json"
    if how == "edited":
        storage.write(key, storage.read(key).replace(b'"HUMAN_BUDGET": "3"', b'"HUMAN_BUDGET": "3000"'))
    else:
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(Exception, match=f"{key} was (changed|deleted)"):
        handle("begin_round", batch_id=batch, round=1)
    told = boto3.client("s3").list_object_versions(Bucket=BUCKET, Prefix=key)
    for change in [*told.get("DeleteMarkers", ()), *told["Versions"][:-1]]:
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=key, VersionId=change["VersionId"])
    assert run_round(batch, 1)["human"] == 3


@loop
def test_a_restart_between_judgement_and_merge_ships_the_boxes_that_were_judged(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.5")
    upload(6)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.8))
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    change_setting("KEEP_CONFIDENCE", "0.9")
    registered(trigger, "two")
    handle("begin_round", batch_id=batch, round=1)
    assert merge(batch, 1)["auto"] == 3
    labels = batches.round_annotations(batch, 1)
    assert [len(label.boxes) for label in labels if not label.human] == [1, 1, 1], "0.8 was kept when it was accepted"
