"""`.waitForTaskToken` fails when its function raises, tokens are one per attempt and branch, heartbeats count.

MiniStack swallowed the exception and waited for the timeout; reused one token for all attempts of a task; let branches
of a Parallel state see each other's token; ignored HeartbeatSeconds; and answered `TaskDoesNotExist` where AWS says
`TaskTimedOut` (a token that was valid once), letting a second answer overwrite the first. It also authorized an answer
for the resource `*` only; here it is the machine that waits (a Map's child: `<machine>/<label>`), so a policy may name
machines, as CDK's grantTaskResponse does. Whether AWS asks for the machine is a question to a real account.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections import OrderedDict
from typing import Any

from ministack.core import iam_actions
from ministack.services import stepfunctions as sfn

from local.patches import executions
from local.patches.hooks import original

TOKEN: contextvars.ContextVar[str] = contextvars.ContextVar("callback_token", default="")
_WAITING_MACHINE: contextvars.ContextVar[str] = contextvars.ContextVar("waiting_machine", default="")
_machine_of: OrderedDict[str, str] = OrderedDict()  # every token, also when closed
_closed: OrderedDict[str, None] = OrderedDict()
_REMEMBERED = 100_000


def apply() -> None:
    _one_token_per_attempt()
    _own_context_per_branch()
    _fail_with_the_function()
    _close_tokens()
    _authorize_by_machine()


def _one_token_per_attempt() -> None:
    apply_parameters = original(sfn, "_apply_parameters", "state_def", "data", "ctx")

    def with_new_token(state_def: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None) -> Any:
        if ctx is not None and ".waitForTaskToken" in str(state_def.get("Resource", "")):
            ctx["Task"] = {"Token": sfn.new_uuid()}
        return apply_parameters(state_def, data, ctx)

    sfn._apply_parameters = with_new_token


def _own_context_per_branch() -> None:
    run = original(sfn, "_run_sub_machine", "states", "start_at", "input_data", "execution", "ctx")

    def run_with_own_context(states: Any, start_at: Any, input_data: Any, execution: Any, ctx: dict[str, Any]) -> Any:
        return run(states, start_at, input_data, execution, dict(ctx))

    sfn._run_sub_machine = run_with_own_context


def _fail_with_the_function() -> None:
    invoke = original(sfn, "_invoke_with_callback", "resource", "input_data", "token", "state_def")
    call = original(sfn, "_call_lambda", "func_ref", "event")

    def invoke_and_watch(resource: str, input_data: Any, token: str, state_def: dict[str, Any]) -> Any:
        executions.leave_if_over()
        root = executions.EXECUTION.get()
        executions.tokens[root].add(token)
        _remember(_machine_of, token, _WAITING_MACHINE.get())
        before = TOKEN.set(token)
        if state_def.get("HeartbeatSeconds"):
            _watch_heartbeat(token, float(state_def["HeartbeatSeconds"]))
        try:
            result = invoke(resource, input_data, token, state_def)
        except sfn._ExecutionError:
            executions.leave_if_over()
            raise
        finally:
            TOKEN.reset(before)
            executions.tokens[root].discard(token)
            _remember(_closed, token, None)
        executions.leave_if_over()
        return result

    def call_and_report(func_ref: Any, event: Any) -> Any:
        executions.leave_if_over()
        try:
            return call(func_ref, event)
        except sfn._ExecutionError as error:
            info = sfn._task_tokens.get(TOKEN.get()) if TOKEN.get() else None
            if info and not info["event"].is_set():  # an answer that was already sent wins
                info["error"] = {"Error": error.error, "Cause": error.cause}
                info["event"].set()
            raise

    sfn._invoke_with_callback = invoke_and_watch
    sfn._call_lambda = call_and_report


def _watch_heartbeat(token: str, seconds: float) -> None:
    def watch() -> None:
        last, since = None, time.monotonic()
        while True:
            info = _info(token)
            if info is None:
                if token in _closed:
                    return
                time.sleep(0.01)  # not registered yet
                continue
            if info["heartbeat"] != last:
                last, since = info["heartbeat"], time.monotonic()
            if info["event"].wait(timeout=min(0.2, max(0.01, seconds - (time.monotonic() - since)))):
                return
            if info["heartbeat"] == last and time.monotonic() - since >= seconds:
                cause = f"No heartbeat arrived for {seconds:g} seconds."
                info["error"] = {"Error": "States.HeartbeatTimeout", "Cause": cause}
                info["event"].set()
                return

    threading.Thread(target=contextvars.copy_context().run, args=(watch,), daemon=True).start()


def _close_tokens() -> None:
    for name in ("_send_task_success", "_send_task_failure", "_send_task_heartbeat"):
        setattr(sfn, name, _refusing_closed(original(sfn, name, "data")))


def _refusing_closed(send: Any) -> Any:
    def send_if_open(data: dict[str, Any]) -> Any:
        token = data.get("taskToken") or ""
        info = _info(token)
        if (info is None and token in _closed) or (info is not None and info["event"].is_set()):
            message = "Task Timed Out: 'Provided task does not exist anymore'"
            return sfn.error_response_json("TaskTimedOut", message, 400)
        return send(data)

    return send_if_open


def _info(token: str) -> dict[str, Any] | None:
    info: dict[str, Any] | None = sfn._task_tokens.get(token)
    return info


def _authorize_by_machine() -> None:
    execute = original(sfn, "_execute_task", "state_def", "raw_input", "execution", "ctx")
    resource_of = original(
        iam_actions,
        "extract_resource_arn",
        *("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    )

    def execute_as_machine(state_def: Any, raw_input: Any, execution: dict[str, Any], ctx: Any) -> Any:
        before = _WAITING_MACHINE.set(execution["stateMachineArn"])
        try:
            return execute(state_def, raw_input, execution, ctx)
        finally:
            _WAITING_MACHINE.reset(before)

    def resource_of_token(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any, **named: Any
    ) -> Any:
        if service == "states" and ".SendTask" in headers.get("x-amz-target", ""):
            machine = _machine_of.get(_token_in(body))
            if machine:
                return machine
        return resource_of(service, method, path, headers, body, *rest, **named)

    sfn._execute_task = execute_as_machine
    iam_actions.extract_resource_arn = resource_of_token


def _token_in(body: bytes) -> str:
    try:
        return str(json.loads(body).get("taskToken", ""))
    except (ValueError, AttributeError):
        return ""


def _remember(book: OrderedDict[str, Any], token: str, value: Any) -> None:
    book[token] = value
    while len(book) > _REMEMBERED:
        book.popitem(last=False)
