"""The fields and limits of a state that MiniStack leaves out, or the refusal of a definition that needs one.

`TimeoutSecondsPath`, `HeartbeatSecondsPath`, `MaxConcurrencyPath`, `ToleratedFailurePercentagePath` and
`ToleratedFailureCountPath` were ignored without a word; so were `ItemBatcher`, `ResultWriter` and, in JSONPath,
`Assign`: the first five work now, a definition with one of the others is refused by name. A state result over 256 KiB
is `States.DataLimitExceeded`, which like `States.Runtime` nothing but its own name catches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions as sfn
from ministack.services.cloudformation import provisioners

from local.patches import executions
from local.patches.hooks import original

_TASK_PATHS = ("TimeoutSeconds", "HeartbeatSeconds")
_MAP_PATHS = ("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount")
_RESULT_LIMIT_BYTES = 262_144
_NEVER_BY_WILDCARD = ("States.Runtime", "States.DataLimitExceeded")


def apply() -> None:
    for name, fields in (("_execute_task", _TASK_PATHS), ("_execute_map", _MAP_PATHS)):
        execute = original(sfn, name, "state_def", "raw_input", "execution", "ctx")
        setattr(sfn, name, _resolving(execute, fields))
    _no_wildcard_for_terminal_errors()
    _refuse_unsupported_definitions()


def _resolving(execute: Any, fields: tuple[str, ...]) -> Any:
    def execute_resolved(state_def: dict[str, Any], raw_input: Any, execution: Any, ctx: dict[str, Any]) -> Any:
        executions.leave_if_over()
        given = {field: _number(state_def[f"{field}Path"], raw_input, ctx) for field in _paths(state_def, fields)}
        output, following = execute({**state_def, **given}, raw_input, execution, ctx)
        size = len(json.dumps(output, ensure_ascii=False).encode())
        if size > _RESULT_LIMIT_BYTES:
            cause = f"The state/task returned a result of {size} bytes, the limit is {_RESULT_LIMIT_BYTES}."
            raise sfn._ExecutionError("States.DataLimitExceeded", cause)
        return output, following

    return execute_resolved


def _paths(state_def: dict[str, Any], fields: tuple[str, ...]) -> list[str]:
    return [field for field in fields if f"{field}Path" in state_def]


def _number(path: str, raw_input: Any, ctx: dict[str, Any]) -> int | float:
    value = sfn._resolve_path_or_ctx(path, raw_input, ctx)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise sfn._ExecutionError("States.Runtime", f"The path {path} must select a number, it selects {value!r}.")
    return value


def _no_wildcard_for_terminal_errors() -> None:
    matches = original(sfn, "_error_matches", "error_equals", "error")

    def matches_by_name(error_equals: list[str], error: str) -> bool:
        if error in _NEVER_BY_WILDCARD:
            return error in error_equals
        return bool(matches(error_equals, error))

    sfn._error_matches = matches_by_name


def _refuse_unsupported_definitions() -> None:
    definition_of = original(provisioners, "_sfn_definition", "props")

    def checked_definition(props: dict[str, Any]) -> str:
        definition: str = definition_of(props)
        problem = unsupported(definition)
        if problem:
            raise ValueError(f"Invalid State Machine Definition for the embedded AWS: {problem}")
        return definition

    provisioners._sfn_definition = checked_definition
    for name in ("_create_state_machine", "_update_state_machine"):
        setattr(sfn, name, _checking(original(sfn, name, "data")))


def _checking(handle: Any) -> Any:
    def handle_checked(data: dict[str, Any]) -> Any:
        problem = unsupported(data.get("definition") or "{}")
        if problem:
            return sfn.error_response_json("InvalidDefinition", problem, 400)
        return handle(data)

    return handle_checked


def unsupported(definition: str) -> str | None:
    """What in the definition the embedded AWS would ignore, or None."""
    try:
        document = json.loads(definition)
    except ValueError:
        return "it is not JSON."
    if document.get("QueryLanguage") == "JSONata":
        return None
    for name, state in _states(document):
        for field in ("ItemBatcher", "ResultWriter", "Assign"):
            if field in state:
                return f"the state {name!r} has {field}, which is not emulated (local/README.md)."
    return None


def _states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in (machine.get("States") or {}).items():
        yield name, state
        for inner in [state.get("ItemProcessor"), state.get("Iterator"), *(state.get("Branches") or [])]:
            if isinstance(inner, dict):
                yield from _states(inner)
