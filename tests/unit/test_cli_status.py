"""`labelloop status`: what runs, what counts, what waits and what is wrong, for people and for scripts."""

import importlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import NoRegionError
from commands import champion, deploy, publish, register, run, serve
from fake_service import refused
from handling import execution, mark, registered, upload
from labelloop.contracts import settings as stack
from labelloop.contracts.layout import Files
from labelloop.store import callbacks, immutable, ledger, storage, training_lock
from made_up_stack import SETTINGS

from cli import status
from lint.rooms import FLOORS

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def told() -> dict:
    done = run("status", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_new_stack_has_nothing_and_says_so(fake_service) -> None:
    deploy(fake_service)
    found = told()
    assert found["champion"] is None and found["dataset"] is None and found["training_lock"] == ""
    assert [found[name] for name in ("batches", "trainings", "waiting", "alarms")] == [[], [], [], []]
    shown = run("status")
    assert shown.exit_code == 0 and "no model serves yet" in shown.stdout and shown.stdout.count("none") >= 5


def test_champion_and_dataset_with_what_they_rest_on(fake_service) -> None:
    deploy(fake_service, v1="InService", v2="Updating")
    first, second = register(1, "none"), register(2, "none")
    champion(second, previous=first)
    parent = publish("a")
    version = publish("b", "c")
    found = told()
    assert (found["champion"]["version"], found["champion"]["previous"]) == (second, first)
    assert found["champion"]["state"] == "Updating" and found["champion"]["thresholds"]["accept"] == 0.1
    assert (found["dataset"]["version"], found["dataset"]["parent"]) == (version, parent)
    assert (found["dataset"]["images"], found["dataset"]["human"], found["dataset"]["train"]) == (3, 3, 3)
    shown = run("status").stdout
    assert (
        second in shown and f"{found['champion']['endpoint']} (Updating)" in shown and "labels from 0.100 on" in shown
    )
    assert version in shown and "3 by people" in shown
    serve(fake_service)
    assert told()["champion"]["state"] == "gone"


def test_thresholds_or_a_card_that_cannot_be_read_are_named_and_the_rest_is_shown(fake_service) -> None:
    deploy(fake_service, v1="InService")
    champion(register(1))
    storage.write(f"datasets/{publish('a')}/card.json", b"{}")
    found = told()
    assert "is not there" in found["champion"]["thresholds"]["trouble"] and "changed" in found["dataset"]["trouble"]
    assert run("status").exit_code == 0


def test_a_running_batch_with_its_round_and_its_counts(fake_service, states) -> None:
    deploy(fake_service)
    upload(4)
    trigger = mark()
    arn = boto3.client("stepfunctions").start_execution(
        stateMachineArn=SETTINGS["LABEL_BATCH_ARN"], name="batch", input=json.dumps(trigger)
    )["executionArn"]
    batch = registered(trigger, name="other")["batch"]["id"]
    ledger.table().update_item(
        Key={"id": f"batch#{batch}"},
        UpdateExpression="SET #o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": arn},
    )
    immutable.create_json(Files(batch).round(1), {"round": 1, "model": "v000001-0123abcd"})
    row = next(each for each in told()["batches"] if each["execution"] == arn)
    assert (row["batch"], row["prefix"], row["status"]) == (batch, "incoming/week 1/", "RUNNING")
    assert (row["round"], row["model"]) == (1, "v000001-0123abcd")
    assert row["counts"] == {"human": 0, "auto": 0, "rejected": 0, "deferred": 4}
    assert batch in run("status").stdout


def test_a_training_that_runs_or_ended_with_what_it_came_to(fake_service) -> None:
    deploy(fake_service)
    arn = execution("week-1-0123abcd-2-r3-a1", "TRAIN_MODEL_ARN")
    training_lock.take(arn, 600)
    found = told()
    (row,) = found["trainings"]
    assert (row["batch"], row["round"], row["status"]) == ("week-1-0123abcd-2", 3, "RUNNING")
    assert found["training_lock"] == arn
    boto3.client("stepfunctions").stop_execution(executionArn=arn)
    assert told()["trainings"][0]["came_to"] == "aborted" and told()["training_lock"] == ""


@pytest.mark.parametrize(
    ("output", "came_to"),
    [
        ({"plan": {"status": "not-worth"}}, "not worth it"),
        ({"plan": {"status": "train"}, "comparison": {"better": True, "model_version": "v"}}, "promoted"),
        ({"plan": {"status": "train"}, "comparison": {"better": False, "reason": "so"}}, "kept the champion"),
    ],
)
def test_what_a_training_came_to(output: dict, came_to: str) -> None:
    told = {"name": "x", "arn": "a", "status": "SUCCEEDED", "started": "", "ended": "", "cause": "", "input": {}}
    assert status._training({**told, "output": output})["came_to"] == came_to


def test_labelling_jobs_that_wait_with_how_many_were_answered(fake_service) -> None:
    deploy(fake_service)
    row = callbacks.remember("labeling", "job-1", "token", "execution", 600)
    callbacks.mark_started(row, batch="week-1")
    callbacks.remember("labeling", "not-made-yet", "token", "execution", 600)
    counters = {"HumanLabeled": 3, "Unlabeled": 7, "TotalLabeled": 3, "MachineLabeled": 0, "FailedNonRetryableError": 0}
    fake_service("sagemaker", describe_labeling_job={"LabelCounters": counters})
    (job,) = told()["waiting"]
    assert (job["name"], job["batch"], job["answered"], job["images"]) == ("job-1", "week-1", 3, 10)


def test_open_alarms_of_this_stack_only(fake_service) -> None:
    deploy(fake_service)
    cloudwatch = boto3.client("cloudwatch")
    for name, topic in (("ours", SETTINGS["NOTIFICATION_TOPIC"]), ("theirs", "arn:aws:sns:us-east-1:1:x")):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription="Look [here]",
            AlarmActions=[topic],
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )
        assert told()["alarms"] == []
    for name in ("ours", "theirs"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="because")
    (alarm,) = told()["alarms"]
    assert (alarm["name"], alarm["reason"]) == ("ours", "because")
    assert "Look [here]" in run("status").stdout, "brackets are no markup"


def test_only_the_last_ended_executions_are_shown(fake_service) -> None:
    deploy(fake_service)
    for number in range(4):
        boto3.client("stepfunctions").stop_execution(executionArn=execution(f"t{number}", "TRAIN_MODEL_ARN"))
    execution("running", "TRAIN_MODEL_ARN")
    done = json.loads(run("status", "--json", "--last", "2").stdout)
    assert [row["status"] for row in done["trainings"]].count("RUNNING") == 1 and len(done["trainings"]) == 3


def complaint(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 2 and "Traceback" not in done.output and done.stdout == ""
    return done.stderr


def test_a_stack_that_is_not_there_is_named_with_what_to_do(fake_service) -> None:
    missing = refused("ValidationError", "Stack with id nowhere does not exist")
    service = fake_service("cloudformation", describe_stacks=missing)
    service.meta = type("Meta", (), {"region_name": "us-east-1"})
    told = complaint("status", "--stack", "nowhere")
    assert "no stack nowhere in us-east-1" in told and "--stack" in told and "AWS_PROFILE" in told


def test_a_stack_without_the_outputs_is_none_of_this_version(fake_service) -> None:
    fake_service("cloudformation", describe_stacks={"Stacks": [{"Outputs": []}]})
    assert "no labelloop stack, or one of an earlier version" in complaint("status")


def test_settings_that_are_gone_are_named(fake_service) -> None:
    deploy(fake_service)
    boto3.resource("s3").Bucket(SETTINGS["DATA_BUCKET"]).objects.filter(Prefix="settings/").delete()
    stack.deployed.cache_clear()
    assert "cannot be read" in complaint("status")


ODD_INPUTS = [
    "[1]",
    '"x"',
    "null",
    '{"object":"x"}',
    '{"bucket":"b","object":{}}',
    '{"bucket":{"name":[1]},"object":{"key":7}}',
    '{"bucket":{"name":"b"},"object":{"key":"\\ud800"}}',
    '{"batch":3,"plan":3,"comparison":"x","dataset":[1],"dataset_version":"\\ud800"}',
    '{"batch":{"id":[]},"dataset":{"gold":"x","calibration":{}}}',
    "[" * 100_000 + "]" * 100_000,
]


@pytest.mark.parametrize("given", ODD_INPUTS, ids=lambda given: given[:60])
def test_an_execution_that_somebody_started_with_anything_is_shown_without_a_batch(fake_service, given: str) -> None:
    deploy(fake_service)
    listed = {"executionArn": "arn:x", "name": "by-hand", "startDate": datetime.now(UTC), "status": "FAILED"}
    described = {"status": "FAILED", "startDate": listed["startDate"], "input": given, "output": given, "cause": "so"}
    fake_service("stepfunctions", list_executions={"executions": [listed]}, describe_execution=described)
    found = told()
    assert [(row["batch"], row["status"], row["cause"]) for row in found["batches"]] == [("", "FAILED", "so")]
    assert [(row["batch"], row["came_to"]) for row in found["trainings"]] == [("", "failed")]
    assert run("status").exit_code == 0
    watched = run("watch")
    assert watched.exit_code == 2 and "No batch was started yet" in watched.stderr


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refused("AccessDenied", "you may not"), "you may not"),
        (NoRegionError(), "AWS_DEFAULT_REGION"),
    ],
)
def test_what_aws_refuses_is_said_in_a_sentence(fake_service, error: Exception, told: str) -> None:
    fake_service("cloudformation", describe_stacks=error)
    assert told in complaint("status")


def test_what_is_installed_is_the_command_and_every_package_of_the_domain() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    functions = ROOT / "functions"
    packages = {
        ".".join(file.parent.relative_to(functions).parts) for file in (functions / "labelloop").rglob("__init__.py")
    }
    assert len(packages) > len(FLOORS)
    assert set(project["tool"]["setuptools"]["packages"]) == {"cli", *packages}
    module, _, function = project["project"]["scripts"]["labelloop"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
