"""Whose thread is this? The execution, its role and its open tokens; and ending an execution ends what it waits for.

Set around MiniStack's `_run_execution`; threads it starts inherit the context. On AWS a stopped or timed-out execution
ends its waiting tasks and its `.sync` child; here its threads waited on, and a late failure turned ABORTED into FAILED.
The machine's own TimeoutSeconds was ignored.
"""

from __future__ import annotations

import contextvars
import json
import threading
from collections import defaultdict
from typing import Any

from ministack.services import stepfunctions as sfn

from local.patches.hooks import original

EXECUTION: contextvars.ContextVar[str] = contextvars.ContextVar("execution_arn", default="")
ROLE: contextvars.ContextVar[str] = contextvars.ContextVar("machine_role_arn", default="")

finished: dict[str, threading.Event] = {}
tokens: dict[str, set[str]] = defaultdict(set)
sync_children: dict[str, set[str]] = defaultdict(set)


class ExecutionOver(Exception):
    """Raised in a thread of an execution that was stopped or timed out. Not a States error: no Retry, no Catch."""


def leave_if_over() -> None:
    execution = sfn._executions.get(EXECUTION.get()) if EXECUTION.get() else None
    if execution is not None and execution["status"] != "RUNNING":
        raise ExecutionOver(f"{EXECUTION.get()} is {execution['status']}")


def apply() -> None:
    run = original(sfn, "_run_execution", "exec_arn")
    fail = original(sfn, "_fail_execution", "execution", "error", "cause")
    stop = original(sfn, "_stop_execution", "data")

    def run_in_context(exec_arn: str) -> None:
        machine = sfn._state_machines.get(sfn._executions[exec_arn]["stateMachineArn"]) or {}
        tokens_before = (EXECUTION.set(exec_arn), ROLE.set(machine.get("roleArn", "")))
        timer = _timeout(exec_arn, machine.get("definition", "{}"))
        try:
            run(exec_arn)
        finally:
            timer.cancel()
            EXECUTION.reset(tokens_before[0])
            ROLE.reset(tokens_before[1])
            if exec_arn in finished:
                finished[exec_arn].set()
            _forget(exec_arn)

    def fail_if_running(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    def stop_with_children(data: dict[str, Any]) -> Any:
        answer = stop(data)
        if answer[0] == 200:
            release(data.get("executionArn", ""))
        return answer

    sfn._run_execution = run_in_context
    sfn._fail_execution = fail_if_running
    sfn._stop_execution = stop_with_children


def release(exec_arn: str) -> None:
    """Wake every task that an ended execution still waits for, and stop its `.sync` children."""
    for token in list(tokens[exec_arn]):
        info = sfn._task_tokens.get(token)
        if info and not info["event"].is_set():
            info["error"] = {"Error": "States.TaskFailed", "Cause": "The execution ended."}
            info["event"].set()
    for child in list(sync_children[exec_arn]):
        stop_child(child)


def stop_child(child_arn: str) -> None:
    child = sfn._executions.get(child_arn)
    if child is not None and child["status"] == "RUNNING":
        sfn._stop_execution({"executionArn": child_arn, "cause": "The task that started this execution was stopped."})


def _timeout(exec_arn: str, definition: str) -> threading.Timer:
    """Standard workflows run for a year at most; a Timer cannot wait that long, a month is enough here."""
    try:
        seconds = float(json.loads(definition).get("TimeoutSeconds") or 30 * 86400)
    except ValueError:
        seconds = 30 * 86400
    timer = threading.Timer(seconds, contextvars.copy_context().run, (_time_out, exec_arn, seconds))
    timer.daemon = True
    timer.start()
    return timer


def _time_out(exec_arn: str, seconds: float) -> None:
    execution = sfn._executions.get(exec_arn)
    if execution is None or execution["status"] != "RUNNING":
        return
    cause = f"The execution ran longer than the TimeoutSeconds of its state machine ({seconds:g})."
    execution.update(status="TIMED_OUT", stopDate=sfn.now_iso(), error="States.Timeout", cause=cause)
    sfn._add_event(
        execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout", "cause": cause}}
    )
    sfn._emit_execution_status_event(execution)
    release(exec_arn)


def _forget(exec_arn: str) -> None:
    tokens.pop(exec_arn, None)
    sync_children.pop(exec_arn, None)
