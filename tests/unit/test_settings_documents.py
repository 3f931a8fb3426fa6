"""Settings are one document: what runs keeps its choices, where things are is always the deployed truth."""

import hashlib
import json
from pathlib import Path

import boto3
import pytest
import yaml
from batch_rounds import merge, refs, run_round
from fake_service import refused
from handling import Context, crown, execution, handle, mark, predict, registered, upload
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
def test_what_a_function_of_a_job_is_asked_goes_by_the_batch_of_the_job(change_setting) -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    from labelloop.store import settings_documents

    settings_documents.note_labeling_job("labelloop-x-r1a1", batch, "s3://data-bucket/batches/b/labeling/1/j.manifest")
    change_setting("CLASSES", "cat")
    job = "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/labelloop-x-r1a1"
    line = {"source-ref": refs(batch)[0]}
    shown = handle("pre_annotate", version="2018-10-16", labelingJobArn=job, dataObject=line)
    assert shown["taskInput"]["labels"] == ["head", "bag"]
    other = handle("pre_annotate", version="2018-10-16", labelingJobArn=job + "-other", dataObject=line)
    assert other["taskInput"]["labels"] == ["cat"], "a job that nobody noted, as of version 0.1"


@loop
def test_a_training_keeps_the_recipe_it_was_planned_with(change_setting, states, fake_service) -> None:
    from labelloop.store import settings_documents

    sagemaker = fake_service("sagemaker")
    settings_documents.pin_training("labelloop-train-1-0123abcd")
    change_setting("TRAINING_STEPS", "9")
    change_setting("TRAINING_ROLE_ARN", "arn:aws:iam::123456789012:role/replaced")
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    waits = {"task_token": "t", "execution": execution("t", "TRAIN_MODEL_ARN"), "timeout_seconds": 600}
    handle("train_challenger", **given, **waits)
    (request,) = sagemaker.requests_of("create_training_job")
    assert request["HyperParameters"]["steps"] == SETTINGS["TRAINING_STEPS"]
    assert request["RoleArn"].endswith("role/replaced"), "where things are is always the deployed truth"


@loop
@pytest.mark.parametrize(
    ("waits", "bound"),
    [
        (14400 + 1800, 14400),
        (7200 + 1800, 7200),  # the batch was begun with less: the state would stop a longer job, after it was paid for
        (1800 + 86400, 14400),  # and with more
        (600, 60),  # a waiting state of version 0.1 knows no time around the training
    ],
)
def test_a_job_never_outlives_the_state_that_waits_for_it(change_setting, states, fake_service, waits, bound) -> None:
    """The state waits by what the batch has pinned, the training is planned with what is deployed by then."""
    change_setting("TRAINING_TIMEOUT_SECONDS", "14400")
    sagemaker = fake_service("sagemaker")
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    run = execution("t", "TRAIN_MODEL_ARN")
    handle("train_challenger", **given, task_token="t", execution=run, timeout_seconds=waits)
    (request,) = sagemaker.requests_of("create_training_job")
    assert request["StoppingCondition"]["MaxRuntimeInSeconds"] == bound


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


# --- the deployment


@pytest.fixture
def deploy(aws, cloudformation):
    """`deploy(request, **changed)`: what Store Settings answers CloudFormation."""
    import store_settings

    def run(kind: str = "Create", **changed: str) -> dict:
        event = {"RequestType": kind, "StackId": "s", "RequestId": "r", "LogicalResourceId": "SettingsDocument"}
        properties = {"Settings": {**SETTINGS, **changed}}
        store_settings.handler({**event, "ResponseURL": "https://x", "ResourceProperties": properties}, Context())
        return cloudformation[-1]

    return run


def test_a_deployment_stores_the_document_under_its_hash_and_functions_verify_it(deploy, monkeypatch) -> None:
    from labelloop.store import settings_documents

    told = deploy(CLASSES=COCO)
    sha256 = told["Data"]["Sha256"]
    body = storage.read(f"settings/{sha256}.json")
    assert told["Status"] == "SUCCESS" and hashlib.sha256(body).hexdigest() == sha256
    monkeypatch.setenv("SETTINGS_SHA256", sha256)
    assert settings_documents.deployed_document()["CLASSES"] == COCO
    assert deploy(CLASSES=COCO)["Data"]["Sha256"] == sha256 != deploy(CLASSES="head")["Data"]["Sha256"]
    storage.write(f"settings/{sha256}.json", body.replace(b"person", b"parson"))
    with pytest.raises(RuntimeError, match="were changed"):
        settings_documents.deployed_document()
    monkeypatch.setenv("SETTINGS_SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match=r"cannot be read .* restore the object.* another value"):
        settings_documents.deployed_document()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CLASSES": "head,head"}, "parameter Classes lists 'head' more than once"),
        ({"CLASSES": "head, head "}, "parameter Classes lists 'head' more than once"),
        ({"CLASSES": " , "}, "CLASSES: expected a comma-separated list of names, found none"),
        ({"KEY_POINTS": "eye,eye (occluded)"}, "parameter KeyPoints has 'eye (occluded)'"),
        ({"SEED": "x"}, "SEED: "),
        ({"CLASSES": "a" * 65}, "parameter Classes has a name of 65 characters"),
        ({"CLASSES": "a\nb"}, "control character"),
    ],
)
def test_a_setting_that_cannot_work_fails_the_deployment_with_a_sentence(deploy, changed, said) -> None:
    told = deploy(**changed)
    assert told["Status"] == "FAILED" and said in told["Reason"]
    assert list(storage.keys("settings/")) == []


@pytest.mark.parametrize(
    "names",
    ['it\'s,a "quoted" one', "Gehäuse,😀,口", "</script>,<b>", "a b,c  d", "{{ x }},{% y %}", "a" * 64, "\\,/,%20"],
)
def test_names_people_use_can_be_deployed_and_read_back(deploy, monkeypatch, names) -> None:
    from labelloop.contracts.settings import Settings
    from labelloop.store import settings_documents

    monkeypatch.setenv("SETTINGS_SHA256", deploy(CLASSES=names)["Data"]["Sha256"])
    read = Settings.from_environment(settings_documents.deployed_document())
    assert list(read.classes) == [name.strip() for name in names.split(",")]


def test_more_names_than_ground_truth_takes_are_told_at_deployment_and_refused_before_a_job(deploy) -> None:
    from labelloop.contracts.errors import InvalidInputError
    from labelloop.contracts.settings import Settings
    from labelloop.people import ground_truth

    built = {"TRAINING_IMAGE": "", "INFERENCE_IMAGE": "repository@sha256:00aa"}
    assert deploy(**built)["Data"]["Notices"] == "none"
    notice = deploy(CLASSES=COCO)["Data"]["Notices"]
    assert "Classes lists 80 names" in notice and "at most 50" in notice
    assert "KeyPoints lists 133 names" in deploy(TASK="key-points", KEY_POINTS=WHOLE_BODY)["Data"]["Notices"]
    with pytest.raises(InvalidInputError, match="at most 50"):
        ground_truth._check_ready(Settings.from_environment({**SETTINGS, "CLASSES": COCO}))


def test_an_image_that_may_change_under_its_name_is_told_at_deployment(deploy) -> None:
    notice = deploy(TRAINING_IMAGE="repository:latest", INFERENCE_IMAGE="repository@sha256:00aa")["Data"]["Notices"]
    assert "TrainingImage is named by a tag" in notice and "InferenceImage" not in notice
    both = deploy(TRAINING_IMAGE="a", INFERENCE_IMAGE="b:1", CLASSES=COCO)["Data"]["Notices"]
    assert "InferenceImage is named by a tag" in both and "Classes lists 80 names" in both


def test_deleting_the_stack_keeps_the_documents_and_is_never_refused(deploy) -> None:
    sha256 = deploy()["Data"]["Sha256"]
    assert deploy("Delete", CLASSES="head,head")["Status"] == "SUCCESS"
    assert storage.exists(f"settings/{sha256}.json")


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


def test_whatever_goes_wrong_cloudformation_hears_of_it(deploy, fake_service, monkeypatch) -> None:
    """One that is not answered is waited for, and then nobody knows why."""
    monkeypatch.setattr("store_settings.SECONDS_FOR_A_NEW_ROLE", 0)
    fake_service("s3", put_object=refused("AccessDenied", "no bucket policy lets you"))
    told = deploy()
    assert told["Status"] == "FAILED" and "no bucket policy lets you" in told["Reason"]


def test_a_role_that_was_just_made_has_a_while_until_s3_knows_it(deploy, fake_service, monkeypatch) -> None:
    monkeypatch.setattr("store_settings.SECONDS_BETWEEN_TRIES", 0)
    answers = [refused("AccessDenied"), refused("AccessDenied"), {}]

    def put(**_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    fake_service("s3", put_object=put)
    assert deploy()["Status"] == "SUCCESS" and answers == []


def test_a_refusal_fits_into_what_cloudformation_reads_and_stays_a_sentence(deploy) -> None:
    """Custom resource response objects: at most 4,096 bytes, or nothing of it is seen."""
    names = [f"{'車' * 60}{number}" for number in range(10)]
    twice = ",".join(names + names)
    assert len(twice.encode()) <= 4096, "a parameter holds it"
    told = deploy(CLASSES=twice, KEY_POINTS=twice)
    assert told["Status"] == "FAILED" and "more than once" in told["Reason"]
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= 4096


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
