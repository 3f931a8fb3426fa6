"""Functions on the embedded AWS fail, queue and see the world as on Lambda (patches handler_errors, lambda_workers)."""

from __future__ import annotations

import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from toys import ALL, LAMBDA_SLOTS, Toys, only, task

from local import stack


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
    assert len({process for _, process in answers}) <= LAMBDA_SLOTS


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
    with ThreadPoolExecutor(LAMBDA_SLOTS) as pool:
        assert list(pool.map(lambda _: aws.invoke(caller), range(LAMBDA_SLOTS))) == [(None, {"n": 1})] * LAMBDA_SLOTS


def test_a_function_needs_a_role_that_trusts_lambda(aws: Toys, echo: str) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    role = aws.role("ec2", ALL)
    aws.client("lambda").update_function_configuration(FunctionName=function, Role=role)
    kind, error = aws.invoke(function)
    assert kind == "Unhandled"
    assert "cannot be assumed by lambda.amazonaws.com" in error["errorMessage"]
