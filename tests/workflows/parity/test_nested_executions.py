"""Executions in executions: names, answers, stops (patches nested_executions, executions)."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError
from toys import Toys, nested_task, only, task, token_task, waiting_machine
from waiting import eventually


def test_a_child_answers_under_its_own_name_and_status_events(aws: Toys) -> None:
    url, arn = aws.queue("events.amazonaws.com")
    aws.rule("aws.states", {"Arn": arn})
    child = aws.machine(only({"Type": "Pass", "End": True}))
    execution = aws.run(aws.machine(only(nested_task(child))), {"name": "child-1"})
    result = json.loads(execution["output"])
    assert result["Output"] == {"given": 1}
    assert (result["Name"], result["Status"], type(result["StartDate"])) == ("child-1", "SUCCEEDED", int)
    told = set()

    def both() -> bool:
        event = aws.message(url)["detail"]
        if event["executionArn"] == result["ExecutionArn"]:
            told.add(event["status"])
        return told == {"RUNNING", "SUCCEEDED"}

    eventually(both)


def test_a_failed_child_is_states_task_failed_with_the_execution_as_cause(aws: Toys) -> None:
    child = aws.machine(only({"Type": "Fail", "Error": "TrainFailed", "Cause": "no images"}))
    execution = aws.run(aws.machine(only(nested_task(child))), {"name": "child"})
    assert execution["error"] == "States.TaskFailed"
    cause = json.loads(execution["cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "TrainFailed", "no images")


def test_a_child_may_not_take_the_name_of_another_execution(aws: Toys) -> None:
    child = aws.machine(only({"Type": "Pass", "End": True}))
    parent = aws.machine(only(nested_task(child)))
    assert aws.run(parent, {"name": "same"})["status"] == "SUCCEEDED"
    assert aws.run(parent, {"name": "same"})["error"] == "StepFunctions.ExecutionAlreadyExistsException"


def test_stopping_a_parent_stops_its_child_and_closes_its_token(aws: Toys) -> None:
    child, take = waiting_machine(aws, TimeoutSeconds=60, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}])
    parent = aws.start(aws.machine(only(nested_task(child))), {"name": "child"})
    token = take()
    states = aws.client("stepfunctions")
    states.stop_execution(executionArn=parent, error="Stopped", cause="by hand")
    child_execution = f"{child.replace(':stateMachine:', ':execution:')}:child"
    assert aws.ended(child_execution)["status"] == "ABORTED"
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_success(taskToken=token, output="{}")
    eventually(lambda: not _threads_waiting(aws, token))
    assert aws.ended(parent)["status"] == "ABORTED"
    assert aws.ended(child_execution)["status"] == "ABORTED"


def _threads_waiting(aws: Toys, token: str) -> bool:
    try:
        aws.client("stepfunctions").send_task_heartbeat(taskToken=token)
    except ClientError as error:
        return error.response["Error"]["Code"] != "TaskTimedOut"
    return True


def test_a_nested_task_that_times_out_stops_its_child(aws: Toys, silent: str) -> None:
    child = aws.machine(only(token_task(silent, TimeoutSeconds=60)))
    execution = aws.run(aws.machine(only(nested_task(child, TimeoutSeconds=1))), {"name": "child"})
    assert execution["error"] == "States.Timeout"
    assert aws.ended(f"{child.replace(':stateMachine:', ':execution:')}:child")["status"] == "ABORTED"


def test_a_stopped_execution_calls_no_more_functions(aws: Toys) -> None:
    url, _ = aws.queue()
    function = aws.function(
        """
        import boto3, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="1")
            raise ValueError
        """,
        variables={"QUEUE": url},
    )
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 5, "IntervalSeconds": 1, "BackoffRate": 1.0}]
    execution = aws.start(aws.machine(only(task(function, Retry=retry))))
    aws.message(url)
    aws.client("stepfunctions").stop_execution(executionArn=execution)
    time.sleep(1.3)
    assert aws.messages_now(url) == 0
    assert aws.ended(execution)["status"] == "ABORTED"
