"""Stop Executions, as CloudFormation calls it: nothing new starts, nothing runs on, no deletion is ever blocked."""

import time

import pytest
from fake_service import refused
from handling import execution, handle_event
from labelloop.store import aws, callbacks
from made_up_stack import SETTINGS

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
TARGET = {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": "arn:aws:iam::123456789012:role/r"}
MACHINES = [SETTINGS["LABEL_BATCH_ARN"], SETTINGS["TRAIN_MODEL_ARN"]]
GIVEN = {"Machines": MACHINES, "Rules": ["labelloop-marker-uploaded"], "Schedule": "labelloop-reconcile"}


@pytest.fixture
def delete(monkeypatch, fake_service, cloudformation):
    """Deletes the resource; what CloudFormation was told."""
    monkeypatch.setattr("stop_executions.SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr("stop_executions.SECONDS_KEPT_FOR_THE_ANSWER", 50)  # of the 60 that a test's context has
    schedule = {"Name": "labelloop-reconcile", "GroupName": "default", "ScheduleExpression": "rate(5 minutes)"}
    more = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET, "Arn": "x"}
    scheduler = fake_service("scheduler", get_schedule={**schedule, **more})
    events, formation = (
        fake_service("events"),
        fake_service("cloudformation", describe_stacks=stack("DELETE_IN_PROGRESS")),
    )

    def run(kind: str = "Delete") -> dict:
        event = {"RequestType": kind, "ResponseURL": "https://x", "StackId": "s", "RequestId": "r"}
        handle_event("stop_executions", {**event, "LogicalResourceId": "StopExecutions", "ResourceProperties": GIVEN})
        return cloudformation[-1]

    run.scheduler, run.events, run.formation = scheduler, events, formation
    return run


def stack(status: str) -> dict:
    return {"Stacks": [{"StackName": "s", "StackStatus": status}]}


def running() -> list[str]:
    states = aws.client("stepfunctions")
    listed = [states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] for arn in MACHINES]
    return [each["executionArn"] for found in listed for each in found]


def states_that_refuse(fake_service, method: str, code: str, times: int = 10**9) -> None:
    """Step Functions, which refuses one method as often."""
    real, refusals = aws.client("stepfunctions"), []

    def answer(name):
        def call(**request):
            if name == method and len(refusals) < times:
                refusals.append(1)
                raise refused(code)
            return getattr(real, name)(**request)

        return call

    fake_service(
        "stepfunctions", **{name: answer(name) for name in ("list_executions", "describe_execution", "stop_execution")}
    )


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


@pytest.mark.parametrize("when", [[2], [2, 3, 4]])
def test_what_starts_meanwhile_is_stopped_too(delete, monkeypatch, when) -> None:
    execution("first")
    import stop_executions

    look, looks = stop_executions._running, []

    def one_more(machines):
        looks.append(1)
        if len(looks) in when:
            execution(f"late {len(looks)}")
        return look(machines)

    monkeypatch.setattr(stop_executions, "_running", one_more)
    delete()
    assert running() == [] and len(looks) == when[-1] + 2, "lists lag: the last two looks found none"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_nothing_is_stopped_unless_the_stack_is_deleted(delete, kind) -> None:
    execution("one")
    assert delete(kind)["Status"] == "SUCCESS" and len(running()) == 1


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "IMPORT_ROLLBACK_IN_PROGRESS",
    ],
)
def test_an_update_that_is_rolled_back_ends_nothing(delete, status) -> None:
    """The update that brought this resource failed: CloudFormation deletes it again, and the old version works on."""
    delete.formation.answering(describe_stacks=stack(status))
    arn = execution("one")
    assert delete()["Status"] == "SUCCESS" and running() == [arn]
    assert delete.events.calls == delete.scheduler.calls == [], "markers still start batches"


@pytest.mark.parametrize("told", [stack("ROLLBACK_IN_PROGRESS"), refused("AccessDenied"), {"Stacks": []}])
def test_a_failed_creation_and_a_stack_that_cannot_be_asked_are_ended(delete, told) -> None:
    delete.formation.answering(describe_stacks=told)
    execution("one")
    assert delete()["Status"] == "SUCCESS" and running() == []


@pytest.mark.parametrize("method", ["list_executions", "describe_execution", "stop_execution"])
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalServerError"])
def test_whatever_is_refused_the_deletion_goes_on(delete, fake_service, monkeypatch, method, code) -> None:
    delete.events.answering(disable_rule=refused("AccessDeniedException"))
    delete.scheduler.answering(get_schedule=refused("ResourceNotFoundException"))
    arn = execution("one")
    callbacks.remember("labeling", "job", "token", arn, 600)
    states_that_refuse(fake_service, method, code)
    monkeypatch.setattr("stop_executions.SECONDS_KEPT_FOR_THE_ANSWER", 60)
    assert delete()["Status"] == "SUCCESS", "the time is up, and people are told in the log"


@pytest.mark.parametrize("method", ["list_executions", "stop_execution"])
def test_what_is_throttled_is_tried_again(delete, fake_service, method) -> None:
    execution("one"), execution("two", "TRAIN_MODEL_ARN")
    states_that_refuse(fake_service, method, "ThrottlingException", times=3)
    assert delete()["Status"] == "SUCCESS" and running() == []


def test_machines_that_never_were_hold_nothing_up(delete, fake_service) -> None:
    states_that_refuse(fake_service, "list_executions", "StateMachineDoesNotExist")
    assert delete()["Status"] == "SUCCESS"


def test_where_the_bucket_was_deleted_first_the_executions_end_and_nobody_waits(delete, monkeypatch) -> None:
    """The settings, and with them the name of the table of tokens, are gone with it."""
    from labelloop.contracts import settings
    from labelloop.store import settings_documents

    execution("one")
    monkeypatch.setenv("SETTINGS_SHA256", "0" * 64)
    monkeypatch.setenv("DATA_BUCKET", "a-bucket-that-is-gone")
    monkeypatch.setattr(settings, "source", settings_documents.deployed_document)
    settings.deployed.cache_clear()
    begin = time.monotonic()
    assert delete()["Status"] == "SUCCESS" and running() == []
    assert time.monotonic() - begin < 8, "it would look for the 10 seconds that it has here, and for 9 minutes there"
