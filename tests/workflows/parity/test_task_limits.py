"""Bounds, sizes and paths of states hold; what is missing is refused by name (patches task_limits, strict_paths)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from toys import Toys, distributed_map, only, task, token_task
from waiting import eventually


@pytest.mark.parametrize(
    ("field", "error"), [("TimeoutSecondsPath", "States.Timeout"), ("HeartbeatSecondsPath", "States.HeartbeatTimeout")]
)
def test_a_bound_taken_from_the_input_holds(aws: Toys, silent: str, field: str, error: str) -> None:
    machine = aws.machine(only(token_task(silent, **{field: "$.bound"})))
    assert aws.run(machine, {"bound": 1})["error"] == error
    assert aws.run(machine, {"bound": "1"})["error"] == "States.Runtime"


def test_a_maps_bounds_taken_from_the_input_hold(aws: Toys) -> None:
    bucket = aws.bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="items.jsonl", Body=b'{"n":0}\n{"n":1}\n{"n":2}\n{"n":3}\n')
    function = aws.function("def handler(event, context):\n    return 1 / event['n']")
    state = distributed_map(bucket, function)
    state.update(MaxConcurrencyPath="$.concurrency", ToleratedFailurePercentagePath="$.tolerated")
    machine = aws.machine(only(state))
    tolerant = aws.run(machine, {"concurrency": 2, "tolerated": 25})
    assert tolerant["status"] == "SUCCEEDED", tolerant
    states = aws.client("stepfunctions")
    run = states.list_map_runs(executionArn=tolerant["executionArn"])["mapRuns"][0]["mapRunArn"]
    assert states.describe_map_run(mapRunArn=run)["maxConcurrency"] == 2
    strict = aws.run(machine, {"concurrency": 2, "tolerated": 24})
    assert strict["error"] == "States.ExceedToleratedFailureThreshold"


def test_a_machine_times_out_and_says_so(aws: Toys, silent: str) -> None:
    url, arn = aws.queue("events.amazonaws.com")
    machine = aws.machine(only(token_task(silent, TimeoutSeconds=60), TimeoutSeconds=1))
    aws.rule("aws.states", {"Arn": arn})
    execution = aws.run(machine)
    assert (execution["status"], execution["error"]) == ("TIMED_OUT", "States.Timeout")
    assert aws.history(execution["executionArn"])[-1]["type"] == "ExecutionTimedOut"

    def told() -> bool:
        event = aws.message(url)["detail"]
        return bool(event["executionArn"] == execution["executionArn"] and event["status"] == "TIMED_OUT")

    eventually(told)


def test_a_result_over_256_kib_ends_the_execution_past_a_catch_all(aws: Toys) -> None:
    function = aws.function("def handler(event, context):\n    return 'x' * event['size']")
    machine = aws.machine(only(task(function, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}])))
    assert aws.run(machine, {"size": 200_000})["status"] == "SUCCEEDED"
    assert aws.run(machine, {"size": 300_000})["error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Pass", "Parameters": {"x.$": "$.missing"}, "End": True},
        {"Type": "Pass", "Parameters": {"x.$": "States.Format('{}', $.missing)"}, "End": True},
        {"Type": "Pass", "Parameters": {"x": {"y.$": "$.list[3]"}}, "End": True},
        {"Type": "Pass", "InputPath": "$.missing", "End": True},
        {"Type": "Choice", "Choices": [{"Variable": "$.missing", "NumericEquals": 1, "Next": "Caught"}]},
    ],
)
def test_a_path_to_nothing_fails_the_execution(aws: Toys, state: dict[str, Any]) -> None:
    execution = aws.run(aws.machine(only(state)), {"list": [1], "null": None})
    assert execution["error"] == "States.Runtime"
    assert "could not be found in the input" in execution["cause"]


def test_a_member_that_is_null_is_present(aws: Toys) -> None:
    choices = [{"Variable": "$.null", "IsPresent": True, "Next": "Caught"}]
    fallback = {"Type": "Fail", "Error": "NotPresent"}
    definition = only({"Type": "Choice", "Choices": choices, "Default": "No"})
    definition["States"]["No"] = fallback
    machine = aws.machine(definition)
    assert aws.run(machine, {"null": None})["status"] == "SUCCEEDED"
    assert aws.run(machine, {"other": 1})["error"] == "NotPresent"


@pytest.mark.parametrize("field", ["ItemBatcher", "ResultWriter", "Assign"])
def test_what_is_not_emulated_is_refused_by_name(aws: Toys, field: str) -> None:
    inner = {"Type": "Pass", "End": True, field: {"x": 1}}
    outer = {"Type": "Map", "ItemProcessor": {"StartAt": "Inner", "States": {"Inner": inner}}, "End": True}
    with pytest.raises(ClientError, match=f"'Inner' has {field}"):
        aws.machine(only(outer))


def test_a_throttled_call_has_its_aws_name(aws: Toys) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert aws.run(aws.machine(only(task(function))))["error"] == "Lambda.TooManyRequestsException"
