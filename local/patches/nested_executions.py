"""`states:startExecution.sync` runs the child as an execution of its own and reports its failure as AWS does.

MiniStack ran the child inside the parent's thread: it emitted no status events, could overwrite an execution of the
same name, passed its own error up instead of `States.TaskFailed`, and could not be stopped with its parent.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
"""

from __future__ import annotations

import contextvars
import json
import threading
from datetime import datetime
from typing import Any

from ministack.services import stepfunctions as sfn

from local.patches import executions
from local.patches.hooks import original

_started: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("started_children", default=None)


def apply() -> None:
    original(sfn, "_invoke_nested_start_execution_sync", "resource", "input_data")
    original(sfn, "_nested_start_execution_request", "input_data")
    original(sfn, "_invoke_nested_start_execution", "resource", "input_data")
    with_timeout = original(sfn, "_invoke_resource_with_timeout", "resource", "input_data", "timeout")

    def stop_child_on_timeout(resource: str, input_data: Any, timeout: float) -> Any:
        executions.leave_if_over()
        started: list[str] = []
        before = _started.set(started)
        try:
            return with_timeout(resource, input_data, timeout)
        except sfn._ExecutionError as error:
            if error.error == "States.Timeout":
                for child in started:
                    executions.stop_child(child)
            raise
        finally:
            _started.reset(before)

    sfn._invoke_resource_with_timeout = stop_child_on_timeout
    sfn._invoke_nested_start_execution_sync = start_and_wait
    sfn._invoke_nested_start_execution = lambda resource, input_data: _camel_case(start(input_data))


def start(input_data: Any) -> dict[str, Any]:
    executions.leave_if_over()
    status, _, body = sfn._start_execution(sfn._nested_start_execution_request(input_data))
    answer: dict[str, Any] = json.loads(body)
    if status >= 400:
        name = str(answer.get("__type", "AWSStepFunctionsException")).rsplit("#", 1)[-1]
        name = name if name.endswith("Exception") else f"{name}Exception"
        raise sfn._ExecutionError(f"StepFunctions.{name}", answer.get("message", ""))
    return answer


def start_and_wait(resource: str, input_data: Any) -> dict[str, Any]:
    parent = executions.EXECUTION.get()
    child_arn = start(input_data)["executionArn"]
    child = sfn._executions[child_arn]
    executions.sync_children[parent].add(child_arn)
    started = _started.get()
    if started is not None:
        started.append(child_arn)

    event = executions.finished.setdefault(child_arn, threading.Event())
    while not event.wait(timeout=0.5) and child["status"] == "RUNNING":
        pass
    executions.finished.pop(child_arn, None)
    executions.sync_children[parent].discard(child_arn)
    executions.leave_if_over()

    result = _camel_case({key: value for key, value in child.items() if key in _REPORTED and value is not None})
    if child["status"] != "SUCCEEDED":
        result.pop("Output", None)
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(result))
    if resource.endswith(".sync:2"):
        result["Output"] = json.loads(child["output"] or "{}")
    return result


_REPORTED = {
    "executionArn",
    "stateMachineArn",
    "name",
    "status",
    "startDate",
    "stopDate",
    "input",
    "inputDetails",
    "output",
    "outputDetails",
    "error",
    "cause",
}


def _camel_case(members: dict[str, Any]) -> dict[str, Any]:
    """AWS gives dates as epoch milliseconds and member names with a capital in an integration's result."""
    return {
        key[0].upper() + key[1:]: _milliseconds(value) if key.endswith("Date") else value
        for key, value in members.items()
    }


def _milliseconds(stamp: Any) -> Any:
    if not isinstance(stamp, str):
        return stamp
    return int(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() * 1000)
