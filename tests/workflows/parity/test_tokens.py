"""Task tokens: one per attempt, one answer, permission needed, heartbeats count (patch callback_tokens)."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError
from toys import Toys, allow, only, token_task, waiting_machine


def test_a_raise_before_the_callback_fails_the_state_at_once(aws: Toys, raises: str) -> None:
    retry = [{"ErrorEquals": ["TransientError"], "MaxAttempts": 1, "IntervalSeconds": 0}]
    catch = [{"ErrorEquals": ["TransientError"], "Next": "Caught"}]
    began = time.monotonic()
    execution = aws.run(aws.machine(only(token_task(raises, TimeoutSeconds=60, Retry=retry, Catch=catch))))
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(json.loads(execution["output"])["Cause"])["errorType"] == "TransientError"
    assert time.monotonic() - began < 10


def test_an_answer_sent_before_the_raise_wins(aws: Toys) -> None:
    function = aws.function(
        """
        import boto3
        def handler(event, context):
            boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='"answered"')
            raise RuntimeError("too late")
        """
    )
    execution = aws.run(aws.machine(only(token_task(function, TimeoutSeconds=60))))
    assert (execution["status"], execution.get("output")) == ("SUCCEEDED", '"answered"')


def test_every_attempt_and_every_branch_has_its_own_token(aws: Toys) -> None:
    function = aws.function(
        """
        import boto3, json
        def handler(event, context):
            if event["attempt"] == 0:
                raise ValueError(event["token"])
            boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output=json.dumps(event["token"]))
        """
    )
    retry = [{"ErrorEquals": ["ValueError"], "MaxAttempts": 1, "IntervalSeconds": 0}]
    state = token_task(function, TimeoutSeconds=30, Retry=retry)
    state["Parameters"]["Payload"]["attempt.$"] = "$$.State.RetryCount"
    parallel = {"Type": "Parallel", "Branches": [only(state), only(state)], "End": True}
    execution = aws.run(aws.machine(only(parallel)))
    assert execution["status"] == "SUCCEEDED", execution
    answered = json.loads(execution["output"])
    failed = [
        json.loads(event["taskFailedEventDetails"]["cause"])["errorMessage"]
        for event in aws.history(execution["executionArn"])
        if event["type"] == "TaskFailed"
    ]
    assert len({*answered, *failed}) == 4


def test_a_second_or_late_answer_is_told_that_the_task_timed_out(aws: Toys) -> None:
    machine, take = waiting_machine(aws, TimeoutSeconds=30)
    execution = aws.start(machine)
    token = take()
    states = aws.client("stepfunctions")
    states.send_task_success(taskToken=token, output='"first"')
    for send in (
        lambda: states.send_task_success(taskToken=token, output='"second"'),
        lambda: states.send_task_failure(taskToken=token, error="Second"),
        lambda: states.send_task_heartbeat(taskToken=token),
    ):
        with pytest.raises(ClientError, match="TaskTimedOut"):
            send()
    assert aws.ended(execution)["output"] == '"first"'
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_success(taskToken=token, output="{}")
    with pytest.raises(ClientError, match="TaskDoesNotExist"):
        states.send_task_success(taskToken="never issued", output="{}")


@pytest.mark.parametrize("other", ["", "-other"])
def test_an_answer_needs_permission_on_the_waiting_machine(aws: Toys, other: str) -> None:
    machine, take = waiting_machine(aws, TimeoutSeconds=30)
    function = aws.function(
        """
        import boto3
        def handler(event, context):
            boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='"answered"')
        """,
        statements=[allow("states:SendTaskSuccess", f"{machine}{other}")],
    )
    execution = aws.start(machine)
    _, error = aws.invoke(function, {"token": take()})
    if other:
        assert "AccessDenied" in error["errorMessage"]
        aws.client("stepfunctions").stop_execution(executionArn=execution)
    else:
        assert aws.ended(execution)["output"] == '"answered"'


def test_a_missing_heartbeat_fails_the_state_and_a_heartbeat_keeps_it(aws: Toys) -> None:
    machine, take = waiting_machine(aws, TimeoutSeconds=60, HeartbeatSeconds=3)
    began = time.monotonic()
    execution = aws.start(machine)
    token = take()
    for _ in range(4):
        time.sleep(1)
        aws.client("stepfunctions").send_task_heartbeat(taskToken=token)
    assert aws.client("stepfunctions").describe_execution(executionArn=execution)["status"] == "RUNNING"
    ended = aws.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.HeartbeatTimeout")
    assert 6.5 < time.monotonic() - began < 30
