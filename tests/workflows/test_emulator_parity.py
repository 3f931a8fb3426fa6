"""Each patch of local/patches against AWS's documented behaviour, on toys. Without the patch its test fails."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from toys import ACCOUNT, ALL, Toys, allow, eventually, only, task, token_task

from local import processes, stack

SLOTS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[stack.Server]:
    with stack.running_server(environment={"LABELLOOP_LAMBDA_SLOTS": str(SLOTS), "PYTHONPATH_PROBE": "server"}) as up:
        yield up


@pytest.fixture(scope="module")
def aws(server: stack.Server) -> Toys:
    return Toys(server)


@pytest.fixture(scope="module")
def echo(aws: Toys) -> str:
    return aws.function("def handler(event, context):\n    return event")


@pytest.fixture(scope="module")
def raises(aws: Toys) -> str:
    """Raises TransientError; each call says how often its process was called."""
    return aws.function(
        """
        import os
        class TransientError(Exception):
            pass
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            raise TransientError(f"call {calls} of {os.getpid()}")
        """
    )


@pytest.fixture(scope="module")
def silent(aws: Toys) -> str:
    """Takes a token and never answers."""
    return aws.function("def handler(event, context):\n    return None")


# --- functions (handler_errors, lambda_workers) -----------------------------------------------------------------------


def test_a_handler_fails_under_the_name_of_its_exception_and_its_process_survives(aws: Toys, raises: str) -> None:
    errors = [aws.invoke(raises) for _ in range(2)]
    assert [kind for kind, _ in errors] == ["Unhandled", "Unhandled"]
    first, second = (error for _, error in errors)
    assert first["errorType"] == "TransientError"
    assert "raise TransientError" in first["stackTrace"][-1]
    assert (first["errorMessage"].split()[1], second["errorMessage"].split()[1]) == ("1", "2")
    assert first["errorMessage"].split()[3] == second["errorMessage"].split()[3], "the process was replaced"


def test_retry_and_catch_match_the_name_of_the_exception(aws: Toys, raises: str) -> None:
    retry = [{"ErrorEquals": ["TransientError"], "MaxAttempts": 2, "IntervalSeconds": 0}]
    catch = [{"ErrorEquals": ["TransientError"], "Next": "Caught", "ResultPath": "$.error"}]
    execution = aws.run(aws.machine(only(task(raises, Retry=retry, Catch=catch))))
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"])["error"]["Error"] == "TransientError"
    failed = [event for event in aws.history(execution["executionArn"]) if event["type"] == "TaskFailed"]
    assert len(failed) == 3


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("import numpy\n", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'numpy'"),
        ("import hypercorn\n", "Runtime.ImportModuleError", "No module named 'hypercorn'"),
        ("import local\n", "Runtime.ImportModuleError", "No module named 'local'"),
        ("def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("other = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("raise ValueError('no settings')\n", "ValueError", "no settings"),
        ("import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime.ExitError", "died"),
    ],
)
def test_a_function_that_cannot_run_says_why(aws: Toys, code: str, name: str, message: str) -> None:
    kind, error = aws.invoke(aws.function(code))
    assert kind == "Unhandled"
    assert error["errorType"] == name
    assert message in error["errorMessage"]


def test_functions_run_in_the_lambda_interpreter_and_a_clean_environment(aws: Toys) -> None:
    function = aws.function(
        """
        import os, sys
        def handler(event, context):
            import boto3
            return {"prefix": sys.prefix, "environment": dict(os.environ), "boto3": boto3.__version__}
        """,
        variables={"OWN": "mine"},
    )
    _, seen = aws.invoke(function)
    expected = os.environ.get("LABELLOOP_LAMBDA_PYTHON") or stack.REPO_ROOT / ".venvs" / "lambda" / "bin" / "python"
    assert Path(seen["prefix"]) == Path(expected).parents[1]
    environment = seen["environment"]
    assert environment["OWN"] == "mine"
    assert environment["AWS_ENDPOINT_URL"] == aws.server.endpoint
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    leaked = {"PYTHONPATH", "PYTHONPATH_PROBE", "AUTH", "GATEWAY_PORT", "LABELLOOP_LAMBDA_SLOTS", "VIRTUAL_ENV"}
    assert not leaked & set(environment)


def test_a_silent_warm_function_is_not_kept_waiting_for_its_log(aws: Toys, echo: str) -> None:
    aws.invoke(echo)
    times = []
    for _ in range(15):
        began = time.perf_counter()
        aws.invoke(echo)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.045, times


def test_calls_beyond_the_slots_queue_and_are_not_throttled(aws: Toys) -> None:
    function = aws.function(
        "import os, time\ndef handler(event, context):\n    time.sleep(0.1)\n    return os.getpid()"
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: aws.invoke(function), range(12)))
    assert all(kind is None for kind, _ in answers)
    assert len({process for _, process in answers}) <= SLOTS


def test_a_function_may_call_a_function_when_all_slots_are_taken(aws: Toys, echo: str) -> None:
    caller = aws.function(
        """
        import json, os, time, boto3
        def handler(event, context):
            time.sleep(0.2)
            answer = boto3.client("lambda").invoke(FunctionName=os.environ["CALLEE"], Payload=json.dumps({"n": 1}))
            return json.load(answer["Payload"])
        """,
        variables={"CALLEE": echo},
    )
    with ThreadPoolExecutor(SLOTS) as pool:
        assert list(pool.map(lambda _: aws.invoke(caller), range(SLOTS))) == [(None, {"n": 1})] * SLOTS


def test_a_function_needs_a_role_that_trusts_lambda(aws: Toys, echo: str) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    role = aws.role("ec2", ALL)
    aws.client("lambda").update_function_configuration(FunctionName=function, Role=role)
    kind, error = aws.invoke(function)
    assert kind == "Unhandled"
    assert "cannot be assumed by lambda.amazonaws.com" in error["errorMessage"]


# --- tokens (callback_tokens) -----------------------------------------------------------------------------------------


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
    machine, take = _waiting_machine(aws, TimeoutSeconds=30)
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
    machine, take = _waiting_machine(aws, TimeoutSeconds=30)
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
    machine, take = _waiting_machine(aws, TimeoutSeconds=60, HeartbeatSeconds=3)
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


def _waiting_machine(aws: Toys, **fields: Any) -> tuple[str, Any]:
    """A machine whose only task waits, and a way to take its token."""
    url, _ = aws.queue()
    function = aws.function(
        """
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event["token"]))
        """,
        variables={"QUEUE": url},
    )
    return aws.machine(only(token_task(function, **fields))), lambda: aws.message(url)


# --- fields and limits (task_limits, strict_paths) --------------------------------------------------------------------


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
    state = _distributed_map(bucket, function)
    state.update(MaxConcurrencyPath="$.concurrency", ToleratedFailurePercentagePath="$.tolerated")
    machine = aws.machine(only(state))
    tolerant = aws.run(machine, {"concurrency": 2, "tolerated": 25})
    assert tolerant["status"] == "SUCCEEDED", tolerant
    states = aws.client("stepfunctions")
    run = states.list_map_runs(executionArn=tolerant["executionArn"])["mapRuns"][0]["mapRunArn"]
    assert states.describe_map_run(mapRunArn=run)["maxConcurrency"] == 2
    strict = aws.run(machine, {"concurrency": 2, "tolerated": 24})
    assert strict["error"] == "States.ExceedToleratedFailureThreshold"


def _distributed_map(bucket: str, function: str) -> dict[str, Any]:
    return {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": bucket, "Key": "items.jsonl"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Each",
            "States": {"Each": task(function)},
        },
        "ResultPath": None,
        "End": True,
    }


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


# --- nested executions (nested_executions, executions) ----------------------------------------------------------------


def _nested(child: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Name.$": "$.name", "Input": {"given": 1}},
        "End": True,
        **fields,
    }


def test_a_child_answers_under_its_own_name_and_status_events(aws: Toys) -> None:
    url, arn = aws.queue("events.amazonaws.com")
    aws.rule("aws.states", {"Arn": arn})
    child = aws.machine(only({"Type": "Pass", "End": True}))
    execution = aws.run(aws.machine(only(_nested(child))), {"name": "child-1"})
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
    execution = aws.run(aws.machine(only(_nested(child))), {"name": "child"})
    assert execution["error"] == "States.TaskFailed"
    cause = json.loads(execution["cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "TrainFailed", "no images")


def test_a_child_may_not_take_the_name_of_another_execution(aws: Toys) -> None:
    child = aws.machine(only({"Type": "Pass", "End": True}))
    parent = aws.machine(only(_nested(child)))
    assert aws.run(parent, {"name": "same"})["status"] == "SUCCEEDED"
    assert aws.run(parent, {"name": "same"})["error"] == "StepFunctions.ExecutionAlreadyExistsException"


def test_stopping_a_parent_stops_its_child_and_closes_its_token(aws: Toys) -> None:
    child, take = _waiting_machine(aws, TimeoutSeconds=60, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}])
    parent = aws.start(aws.machine(only(_nested(child))), {"name": "child"})
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
    execution = aws.run(aws.machine(only(_nested(child, TimeoutSeconds=1))), {"name": "child"})
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


# --- throttling -------------------------------------------------------------------------------------------------------


def test_a_throttled_call_has_its_aws_name(aws: Toys) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert aws.run(aws.machine(only(task(function))))["error"] == "Lambda.TooManyRequestsException"


# --- roles of machines (machine_roles) --------------------------------------------------------------------------------

NESTED_RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"


@pytest.mark.parametrize(
    "missing",
    [
        "lambda:InvokeFunction",
        "s3:GetObject",
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:PutRule",
        "events:PutTargets",
        "events:DescribeRule",
        None,
    ],
)
def test_a_machine_may_do_only_what_its_role_allows(aws: Toys, echo: str, missing: str | None) -> None:
    bucket = aws.bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="items.jsonl", Body=b'{"n":1}\n')
    child = aws.machine(only({"Type": "Pass", "End": True}))
    definition = {
        "StartAt": "Map",
        "States": {
            "Map": {key: value for key, value in _distributed_map(bucket, echo).items() if key != "End"}
            | {"Next": "Nested"},
            "Nested": _nested(child),
        },
    }
    wanted = {
        "lambda:InvokeFunction": echo,
        "s3:GetObject": f"arn:aws:s3:::{bucket}/*",
        "states:StartExecution": "*",
        "states:DescribeExecution": f"{child.replace(':stateMachine:', ':execution:')}:*",
        "states:StopExecution": f"{child.replace(':stateMachine:', ':execution:')}:*",
        "events:PutRule": NESTED_RULE,
        "events:PutTargets": NESTED_RULE,
        "events:DescribeRule": NESTED_RULE,
    }
    statements = [allow(action, resource) for action, resource in wanted.items() if action != missing]
    execution = aws.run(aws.machine(definition, statements), {"name": "child"})
    if missing is None:
        assert execution["status"] == "SUCCEEDED", execution
        return
    assert execution["status"] == "FAILED"
    reason = execution["cause"]
    if missing == "lambda:InvokeFunction":  # the map's child fails, the parent says that too many did
        reason = _only_child_cause(aws, execution["executionArn"])
    assert f"is not authorized to perform: {missing}" in reason


def _only_child_cause(aws: Toys, execution: str) -> str:
    states = aws.client("stepfunctions")
    run = states.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    child = states.list_executions(mapRunArn=run)["executions"][0]["executionArn"]
    return str(states.describe_execution(executionArn=child)["cause"])


def test_a_machine_needs_a_role_that_trusts_step_functions(aws: Toys, echo: str) -> None:
    states = aws.client("stepfunctions")
    definition = json.dumps(only(task(echo)))
    role = aws.role("lambda", ALL)
    machine = states.create_state_machine(name="distrusted", definition=definition, roleArn=role)["stateMachineArn"]
    assert "cannot be assumed by states.amazonaws.com" in aws.run(machine)["cause"]


def test_integrations_are_checked_or_refused(aws: Toys) -> None:
    aws.client("dynamodb").create_table(
        TableName="toy",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "toy", "Item": {"id": {"S": "1"}}},
        "End": True,
    }
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/toy"
    assert aws.run(aws.machine(only(put), [allow("dynamodb:PutItem", table)]))["status"] == "SUCCEEDED"
    denied = aws.run(aws.machine(only(put), [allow("dynamodb:PutItem", f"{table}2")]))
    assert "is not authorized to perform: dynamodb:PutItem" in denied["cause"]
    unknown = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter", "Parameters": {"Name": "x"}}
    refused = aws.run(aws.machine(only({**unknown, "End": True})))
    assert "no role check for the integration ssm:getParameter" in refused["cause"]


# --- roles and policies of deliveries (event_delivery) ----------------------------------------------------------------


@pytest.fixture
def passing(aws: Toys) -> str:
    return aws.machine(only({"Type": "Pass", "End": True}))


def test_a_rule_starts_a_machine_with_its_role(aws: Toys, passing: str) -> None:
    role = aws.role("events", [allow("states:StartExecution", passing)])
    aws.rule("toy.allowed", {"Arn": passing, "RoleArn": role})
    aws.emit("toy.allowed", {"n": 1})
    states = aws.client("stepfunctions")
    eventually(lambda: states.list_executions(stateMachineArn=passing)["executions"])


@pytest.mark.parametrize("fault", ["no permission", "wrong trust", "no machine"])
def test_what_a_rule_cannot_deliver_is_dead_lettered(aws: Toys, passing: str, fault: str) -> None:
    url, arn = aws.queue("events.amazonaws.com")
    role = aws.role(
        "lambda" if fault == "wrong trust" else "events",
        [] if fault == "no permission" else [allow("states:StartExecution", "*")],
    )
    target = f"{passing}-gone" if fault == "no machine" else passing
    source = f"toy.{fault.replace(' ', '-')}"
    aws.rule(source, {"Arn": target, "RoleArn": role, "DeadLetterConfig": {"Arn": arn}})
    aws.emit(source, {"n": 1})
    event = aws.message(url)
    assert (event["source"], event["detail"]) == (source, {"n": 1})
    assert not aws.client("stepfunctions").list_executions(stateMachineArn=passing)["executions"]


def test_a_dead_letter_queue_takes_only_what_its_policy_allows(aws: Toys, passing: str) -> None:
    closed_url, closed = aws.queue()
    open_url, opened = aws.queue("events.amazonaws.com")
    for queue in (closed, opened):
        aws.rule("toy.closed", {"Arn": passing, "RoleArn": aws.role("events", []), "DeadLetterConfig": {"Arn": queue}})
    aws.emit("toy.closed", {"n": 1})
    assert aws.message(open_url)["detail"] == {"n": 1}
    assert aws.messages_now(closed_url) == 0


@pytest.mark.parametrize("kind", ["lambda", "sqs", "sns"])
def test_a_rule_reaches_other_targets_by_their_own_policy(aws: Toys, echo: str, kind: str) -> None:
    arn = {
        "lambda": lambda: aws.function("def handler(event, context):\n    return 1"),
        "sqs": lambda: aws.queue()[1],
        "sns": lambda: aws.client("sns").create_topic(Name="toy-target")["TopicArn"],
    }[kind]()
    dead_url, dead = aws.queue("events.amazonaws.com")
    aws.rule(f"toy.{kind}", {"Arn": arn, "DeadLetterConfig": {"Arn": dead}})
    aws.emit(f"toy.{kind}", {"n": 1})
    assert aws.message(dead_url)["detail"] == {"n": 1}


def test_an_event_of_a_versioned_bucket_names_the_version_that_was_stored(aws: Toys) -> None:
    (url, arn), s3 = aws.queue("events.amazonaws.com"), aws.client("s3")
    versioned, plain = aws.bucket(), aws.bucket()
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    for bucket in (plain, versioned):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    aws.rule("aws.s3", {"Arn": arn})
    versions = {s3.put_object(Bucket=versioned, Key="a b+c.json", Body=body)["VersionId"] for body in (b"1", b"2")}
    s3.put_object(Bucket=plain, Key="a b+c.json", Body=b"3")
    told = [aws.message(url)["detail"] for _ in range(3)]
    assert {each["object"]["key"] for each in told} == {"a b+c.json"}
    named = {each["object"]["version-id"] for each in told if each["bucket"]["name"] == versioned}
    assert named == versions and len(versions) == 2
    assert [each["bucket"]["name"] for each in told if "version-id" not in each["object"]] == [plain]


def _tells_queue(aws: Toys, url: str, then: str = "") -> str:
    code = f"""
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    {then}
"""
    return aws.function(code, variables={"QUEUE": url})


def test_a_rule_may_invoke_a_function_and_tries_again_when_it_raises(aws: Toys) -> None:
    url, _ = aws.queue()
    function = _tells_queue(aws, url, "raise ValueError")
    rule = aws.rule("toy.again", {"Arn": function})
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    aws.emit("toy.again", {"n": 1})
    assert [aws.message(url)["detail"] for _ in range(3)] == [{"n": 1}] * 3


@pytest.mark.parametrize("permitted", [True, False])
def test_a_topic_invokes_only_functions_that_permit_it(aws: Toys, permitted: bool) -> None:
    seen_url, _ = aws.queue()
    function = _tells_queue(aws, seen_url)
    other_url, other = aws.queue("sns.amazonaws.com")
    topic = aws.client("sns").create_topic(Name=f"toy-{permitted}")["TopicArn"]
    if permitted:
        aws.client("lambda").add_permission(
            FunctionName=function,
            StatementId="topic",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=topic,
        )
    aws.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=other)
    aws.client("sns").publish(TopicArn=topic, Message="hello")
    assert aws.message(other_url)["Message"] == "hello"
    if permitted:
        assert aws.message(seen_url)["Records"][0]["Sns"]["Message"] == "hello"
    else:
        time.sleep(0.5)
        assert aws.messages_now(seen_url) == 0


def test_a_schedule_acts_with_its_role(aws: Toys, passing: str) -> None:
    dead_url, dead = aws.queue()
    for name, statements in (("permitted", [allow("states:StartExecution", passing)]), ("denied", [])):
        role = aws.role("scheduler", [*statements, allow("sqs:SendMessage", dead)])
        aws.client("scheduler").create_schedule(
            Name=f"toy-{name}",
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": passing,
                "RoleArn": role,
                "DeadLetterConfig": {"Arn": dead},
                "Input": json.dumps({"name": name}),
            },
        )
    assert aws.message(dead_url)["source"] == "aws.scheduler"
    states = aws.client("stepfunctions")
    executions = eventually(lambda: states.list_executions(stateMachineArn=passing)["executions"])
    started = [states.describe_execution(executionArn=each["executionArn"])["input"] for each in executions]
    assert started == ['{"name": "permitted"}']


@pytest.mark.parametrize("permitted", [True, False])
def test_a_queue_feeds_a_function_only_with_the_functions_permission(aws: Toys, permitted: bool) -> None:
    url, arn = aws.queue()
    seen_url, seen = aws.queue()
    poll = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    function = aws.function(
        """
        import boto3, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody='"seen"')
        """,
        statements=[allow("sqs:SendMessage", seen), *([poll] if permitted else [])],
        variables={"QUEUE": seen_url},
    )
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="1")
    if permitted:
        assert aws.message(seen_url) == "seen"
    else:
        time.sleep(1.5)
        assert (aws.messages_now(url), aws.messages_now(seen_url)) == (1, 0)


def test_a_bucket_that_demands_tls_serves_functions(aws: Toys) -> None:
    bucket = aws.bucket()
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    refuse = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": arns,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [refuse]})
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    function = aws.function(
        """
        import boto3
        def handler(event, context):
            boto3.client("s3").put_object(Bucket=event["bucket"], Key="a b+c%20.txt", Body=b"1")
        """,
        statements=[allow("s3:PutObject", arns[1])],
    )
    assert aws.invoke(function, {"bucket": bucket}) == (None, None)


# --- the server itself (gateway, stack) -------------------------------------------------------------------------------


def test_a_service_that_is_missing_is_refused_by_name(aws: Toys) -> None:
    with pytest.raises(ClientError, match="rekognition is not part of this embedded AWS"):
        aws.client("rekognition").describe_projects()


def test_an_unknown_key_is_refused(server: stack.Server) -> None:
    stranger = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=stack.REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
    )
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|InvalidClientTokenId"):
        stranger.list_buckets()


def test_a_server_ends_with_everything_it_started(tmp_path: Path) -> None:
    with stack.running_server(state_dir=tmp_path) as server:
        toys = Toys(server)
        function = toys.function("import os\ndef handler(event, context):\n    return os.getpid()")
        _, worker = toys.invoke(function)
        waiting = toys.machine(only(token_task(function, TimeoutSeconds=600)))
        toys.start(waiting)
        run_dir = Path(json.loads((tmp_path / "server.json").read_text())["run_dir"])
        assert processes.alive(worker)
        assert run_dir.is_dir()
        with pytest.raises(RuntimeError, match="runs already"):
            stack.start(0, state_dir=tmp_path)
    eventually(lambda: not processes.alive(worker) and not processes.alive(server.pid))
    assert not run_dir.exists()
    assert not (tmp_path / "server.json").exists()


def test_after_a_kill_nothing_is_left_either(tmp_path: Path) -> None:
    server = stack.start(0, state_dir=tmp_path)
    run_dir = Path(json.loads((tmp_path / "server.json").read_text())["run_dir"])
    _, worker = Toys(server).invoke(
        Toys(server).function("import os\ndef handler(event, context):\n    return os.getpid()")
    )
    container = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={"SAGEMAKER_BASE_DIR": f"{run_dir}/services/endpoint"},
        start_new_session=True,
    )
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not processes.alive(server.pid))
    with pytest.raises(stack.NotRunning):
        stack.find(tmp_path)
    eventually(lambda: not processes.alive(worker))
    assert container.wait(timeout=10) == -signal.SIGKILL
    assert not run_dir.exists()


def test_the_record_of_a_killed_server_is_not_believed(tmp_path: Path) -> None:
    record = {"pid": os.getpid(), "endpoint": "http://127.0.0.1:9", "run_dir": str(tmp_path / "gone")}
    (tmp_path / "server.json").write_text(json.dumps(record))
    with pytest.raises(stack.NotRunning, match="ended without saying so"):
        stack.find(tmp_path)
    assert stack.stop(tmp_path) is False
    assert processes.alive(os.getpid())


# --- CloudFormation (custom_resources, metric_math_alarms, table_settings) --------------------------------------------


def _create(aws: Toys, name: str, resources: dict[str, Any]) -> dict[str, Any]:
    formation = aws.client("cloudformation")
    formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))

    def settled() -> dict[str, Any] | None:
        found: dict[str, Any] = formation.describe_stacks(StackName=name)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    return eventually(settled)


CUSTOM = """
import boto3, json, os, urllib.request
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event["RequestType"]))
    if os.environ.get("RAISE"):
        raise ValueError("cannot clean up")
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer.update(Status="SUCCESS", PhysicalResourceId="cleanup")
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


def test_deleting_a_stack_runs_its_custom_resource_and_keeps_what_is_retained(aws: Toys) -> None:
    url, _ = aws.queue()
    function = aws.function(CUSTOM, variables={"QUEUE": url})
    resources = {
        "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "toy-kept"}},
        "Gone": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "toy-gone"}},
        "Cleanup": {"Type": "Custom::Cleanup", "Properties": {"ServiceToken": function}},
    }
    assert _create(aws, "toy-stack", resources)["StackStatus"] == "CREATE_COMPLETE"
    assert aws.message(url) == "Create"
    stack.delete(aws.server, "toy-stack")
    assert aws.message(url) == "Delete"
    aws.client("s3").head_bucket(Bucket="toy-kept")
    with pytest.raises(ClientError, match="NonExistentQueue"):
        aws.client("sqs").get_queue_url(QueueName="toy-gone")


def test_a_custom_resource_that_raises_fails_the_stack_at_once(aws: Toys) -> None:
    url, _ = aws.queue()
    function = aws.function(CUSTOM, variables={"QUEUE": url, "RAISE": "1"})
    created = _create(
        aws, "toy-failing", {"Cleanup": {"Type": "Custom::Cleanup", "Properties": {"ServiceToken": function}}}
    )
    assert created["StackStatus"].startswith("ROLLBACK")
    events = aws.client("cloudformation").describe_stack_events(StackName="toy-failing")["StackEvents"]
    assert any("cannot clean up" in event.get("ResourceStatusReason", "") for event in events)


def _alarm(*metrics: dict[str, Any]) -> dict[str, Any]:
    properties = {"AlarmName": "toy-math", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    return {
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {**properties, "EvaluationPeriods": 1, "Metrics": list(metrics)},
        }
    }


def _metric(name: str, **fields: Any) -> dict[str, Any]:
    stat = {"Metric": {"Namespace": "AWS/States", "MetricName": name}, "Period": 300, "Stat": "Sum"}
    return {"Id": name.lower(), "MetricStat": stat, "ReturnData": False, **fields}


def test_an_alarm_on_metric_math_is_stored_and_a_wrong_one_refused(aws: Toys) -> None:
    total = {"Id": "total", "Expression": "SUM([failed, timedout])", "ReturnData": True}
    wrong = _create(aws, "toy-wrong-math", _alarm(total, _metric("failed")))
    assert wrong["StackStatus"].startswith("ROLLBACK")
    made = _create(aws, "toy-math", _alarm(total, _metric("failed"), _metric("timedout")))
    assert made["StackStatus"] == "CREATE_COMPLETE"
    alarm = aws.client("cloudwatch").describe_alarms(AlarmNames=["toy-math"])["MetricAlarms"][0]
    assert [metric["Id"] for metric in alarm["Metrics"]] == ["total", "failed", "timedout"]
    assert alarm["Metrics"][0]["ReturnData"] is True


def test_a_tables_expiry_and_recovery_are_switched_on(aws: Toys) -> None:
    table = {
        "TableName": "toy-settings",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    _create(aws, "toy-table", {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": table}})
    dynamodb = aws.client("dynamodb")
    expiry = dynamodb.describe_time_to_live(TableName="toy-settings")["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName="toy-settings")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


# --- alarm_names ------------------------------------------------------------------------------------------------------


def test_alarms_are_deleted_by_who_may_delete_those_of_that_name(aws: Toys) -> None:
    may = {"Effect": "Allow", "Action": "cloudwatch:DeleteAlarms", "Resource": "arn:aws:cloudwatch:*:*:alarm:toy-*"}
    code = """
        import boto3
        def handler(event, context):
            boto3.client("cloudwatch").delete_alarms(AlarmNames=event["names"])
    """
    delete = aws.function(code, [may])
    assert aws.invoke(delete, {"names": ["toy-wake"]}) == (None, None)
    error, answer = aws.invoke(delete, {"names": ["other-wake"]})
    assert error and "is not authorized to perform: cloudwatch:DeleteAlarms" in answer["errorMessage"]
