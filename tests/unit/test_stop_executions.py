"""Stop Executions, as CloudFormation calls it: nothing new starts, nothing runs on, no deletion is ever blocked."""

import json
import urllib.request

import pytest
from fake_service import refused
from handling import execution, handle_event
from labelloop import aws, callbacks

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
TARGET = {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": "arn:aws:iam::123456789012:role/r"}
GIVEN = {"Rules": ["labelloop-marker-uploaded"], "Schedule": "labelloop-reconcile"}


@pytest.fixture
def delete(monkeypatch, fake_service):
    """Deletes the resource; what CloudFormation was told."""
    answers = []

    class Accepted:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: answers.append(request.data) or Accepted())
    monkeypatch.setattr("stop_executions.SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr("stop_executions.SECONDS_KEPT_FOR_THE_ANSWER", 50)  # of the 60 that a test's context has
    schedule = {"Name": "labelloop-reconcile", "GroupName": "default", "ScheduleExpression": "rate(5 minutes)"}
    more = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET, "Arn": "x"}
    scheduler = fake_service("scheduler", get_schedule={**schedule, **more})
    events = fake_service("events")

    def run(kind: str = "Delete") -> dict:
        event = {"RequestType": kind, "ResponseURL": "https://x", "StackId": "s", "RequestId": "r"}
        handle_event("stop_executions", {**event, "LogicalResourceId": "StopExecutions", "ResourceProperties": GIVEN})
        return dict(json.loads(answers[-1]))

    run.scheduler, run.events = scheduler, events
    return run


def running() -> list[str]:
    from made_up_stack import SETTINGS

    states = aws.client("stepfunctions")
    machines = (SETTINGS["LABEL_BATCH_ARN"], SETTINGS["TRAIN_MODEL_ARN"])
    listed = [states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] for arn in machines]
    return [each["executionArn"] for found in listed for each in found]


@pytest.mark.fault("I02")
def test_rules_and_schedule_are_switched_off_first_and_then_nothing_runs(delete) -> None:
    arns = [execution(f"e{number}") for number in range(3)] + [execution("t", "TRAIN_MODEL_ARN")]
    callbacks.remember("labeling", "job", "token", arns[0], 600)
    callbacks.remember("inference", "shard", "token", f"{arns[1]}/infer:1", 600)  # a child that is gone
    assert sorted(running()) == sorted(arns)
    assert delete()["Status"] == "SUCCESS" and running() == []
    assert delete.events.requests_of("disable_rule") == [{"Name": "labelloop-marker-uploaded"}]
    (update,) = delete.scheduler.requests_of("update_schedule")
    assert update["State"] == "DISABLED" and update["Target"] == TARGET and "Arn" not in update


def test_what_starts_meanwhile_is_stopped_too(delete, monkeypatch) -> None:
    execution("first")
    import stop_executions

    look, looks = stop_executions._running, []

    def one_more():
        looks.append(1)
        if len(looks) == 2:
            execution("late")
        return look()

    monkeypatch.setattr(stop_executions, "_running", one_more)
    delete()
    assert running() == [] and len(looks) >= 3


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_nothing_is_stopped_unless_the_stack_is_deleted(delete, kind) -> None:
    execution("one")
    assert delete(kind)["Status"] == "SUCCESS" and len(running()) == 1


def test_whatever_is_refused_the_deletion_goes_on(delete, fake_service, monkeypatch) -> None:
    delete.events.answering(disable_rule=refused("AccessDeniedException"))
    delete.scheduler.answering(get_schedule=refused("ResourceNotFoundException"))
    arn = execution("one")
    real = aws.client("stepfunctions")
    fake_service(
        "stepfunctions",
        list_executions=lambda **request: real.list_executions(**request),
        describe_execution=lambda **request: real.describe_execution(**request),
        stop_execution=refused("ThrottlingException"),
    ).get_paginator = real.get_paginator
    monkeypatch.setattr("stop_executions.SECONDS_KEPT_FOR_THE_ANSWER", 60)
    assert delete()["Status"] == "SUCCESS", "the time is up, and people are told in the log"
    assert running() == [arn]
