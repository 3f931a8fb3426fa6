"""What the embedded AWS evaluates of JSONata, state by state in a machine that is JSONPath otherwise.

Our machines are JSONPath throughout (lint/states.py): these tests say what a change to that could rely on.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from toys import Toys, task, token_task

JSONATA = {"QueryLanguage": "JSONata"}


def run(aws: Toys, states: dict[str, Any], given: Any) -> dict[str, Any]:
    """The execution of states that follow each other in this order."""
    names = list(states)
    for name, following in zip(names, [*names[1:], None], strict=True):
        if states[name]["Type"] not in ("Choice", "Succeed"):
            states[name].update({"Next": following} if following else {"End": True})
    return aws.run(aws.machine({"StartAt": names[0], "States": states}), given)


def output(execution: dict[str, Any]) -> Any:
    assert execution["status"] == "SUCCEEDED", execution
    return json.loads(execution["output"])


def test_the_output_of_one_state_is_evaluated_between_jsonpath_states(aws: Toys) -> None:
    merged = "{% $merge([$states.input, {'labels': {'job': 1, 'jobs': $states.input.decisions.jobs}}]) %}"
    states = {
        "Before": {"Type": "Pass", "Parameters": {"jobs.$": "$.n"}, "ResultPath": "$.decisions"},
        "Shape": {"Type": "Pass", **JSONATA, "Output": merged},
        "After": {"Type": "Pass", "Parameters": {"job.$": "$.labels.job", "jobs.$": "$.labels.jobs"}},
    }
    assert output(run(aws, states, {"n": 3})) == {"job": 1, "jobs": 3}


def test_arguments_and_output_of_a_task_read_its_input_its_result_and_the_context(aws: Toys) -> None:
    function = aws.function("def handler(event, context):\n    return {'doubled': event['n'] * 2}")
    state = {
        "Type": "Task",
        **JSONATA,
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": {"n": "{% $states.input.n %}"}},
        "Output": {
            "kept": "{% $states.input %}",
            "doubled": "{% $states.result.Payload.doubled %}",
            "execution": "{% $states.context.Execution.Id %}",
        },
    }
    execution = run(aws, {"Work": state}, {"n": 21})
    wanted = {"kept": {"n": 21}, "doubled": 42, "execution": execution["executionArn"]}
    assert output(execution) == wanted


def test_an_output_keeps_input_and_error_of_what_is_caught(aws: Toys) -> None:
    function = aws.function("class OddError(Exception): pass\ndef handler(event, context):\n    raise OddError('no')")
    kept = "{% $merge([$states.input, {'error': $states.errorOutput.Error}]) %}"
    state = {
        "Type": "Task",
        **JSONATA,
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": {}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": kept, "Next": "Caught"}],
    }
    execution = run(aws, {"Work": state, "Caught": {"Type": "Pass"}}, {"n": 1})
    assert output(execution) == {"n": 1, "error": "OddError"}


def test_a_machine_with_variables_is_refused_in_either_language(aws: Toys) -> None:
    """AWS evaluates Assign. The interpreter here does in JSONata alone, so no machine may have it."""
    for assigned in ({"Assign": {"kept.$": "$.n"}}, {**JSONATA, "Assign": {"kept": "{% $states.input.n %}"}}):
        with pytest.raises(ClientError, match="the state 'Assign' has Assign, which is not emulated"):
            run(aws, {"Assign": {"Type": "Pass", **assigned}}, {"n": 7})


def test_a_value_that_is_missing_fails_the_state(aws: Toys) -> None:
    state = {"Type": "Pass", **JSONATA, "Output": {"n": "{% $states.input.nothing %}"}}
    assert run(aws, {"Shape": state}, {"n": 7})["error"] == "States.QueryEvaluationError"


def test_a_bound_of_a_wait_is_no_expression_here(aws: Toys, silent: str) -> None:
    """AWS evaluates TimeoutSeconds; our waits take theirs from the state: they stay JSONPath."""
    in_jsonpath = token_task(silent, TimeoutSecondsPath="$.bound")
    assert run(aws, {"Work": in_jsonpath}, {"bound": 1})["error"] == "States.Timeout"
    payload = {"token": "{% $states.context.Task.Token %}"}
    state = {
        "Type": "Task",
        **JSONATA,
        "Resource": task(silent)["Resource"] + ".waitForTaskToken",
        "TimeoutSeconds": "{% $states.input.bound %}",
        "Arguments": {"FunctionName": silent, "Payload": payload},
    }
    assert run(aws, {"Work": state}, {"bound": 1})["error"] == "States.Runtime"
