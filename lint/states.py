"""The structure rules of state machines (Amazon States Language, JSONPath)."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from lint.project import Finding, Machine, Project, States, all_states, state_groups

PLATFORM_ERRORS = frozenset(
    {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    }
)
# Out of memory, out of time: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html. All
# functions may be called again; what dies three times would die for ever.
DEATHS = frozenset({"Lambda.Unknown", "Sandbox.Timedout", "Lambda.ClientExecutionTimeoutException"})
DEATHS_RETRIED = 2
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and the optimised integrations.
AWS_ERRORS = {
    *PLATFORM_ERRORS, *DEATHS,
    "States.ALL", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout", "States.Permissions",
    "States.Runtime", "States.DataLimitExceeded", "States.NoChoiceMatched", "States.IntrinsicFailure",
    "States.ParameterPathFailure", "States.ResultPathMatchFailure", "States.BranchFailed",
    "States.ExceedToleratedFailureThreshold", "States.ItemReaderFailed", "States.ResultWriterFailed",
    "StepFunctions.ServiceException", "StepFunctions.ThrottlingException", "StepFunctions.SdkClientException",
    "StepFunctions.AWSStepFunctionsException", "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException", "StepFunctions.ExecutionAlreadyExistsException",
}  # fmt: skip
WHOLE_NUMBERS = {
    "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage",
    "IntervalSeconds", "MaxAttempts", "MaxDelaySeconds", "Seconds", "MaxItems", "MaxItemsPerBatch",
}  # fmt: skip
JSONATA_ONLY = {"Arguments", "Output", "Condition", "Items"}
ENDS = {"Succeed", "Fail"}


def check(project: Project) -> list[Finding]:
    try:
        machines = project.machines
    except (json.JSONDecodeError, OSError) as error:
        return [Finding("statemachines", f"not readable as JSON ({error}): is every ${{Name}} quoted?")]
    errors = AWS_ERRORS | _domain_errors(project)
    found: list[Finding] = []
    for machine in machines:
        problems = [*_substitutions(machine), *_language(machine), *_names(machine)]
        for group in state_groups(machine.definition):
            problems += _transitions(group)
            for name, state in group.states.items():
                problems += [(name, what) for what in _state(name, state, group.owner, errors)]
        found += [Finding(machine.where(state), what) for state, what in problems]
    return found


def _domain_errors(project: Project) -> set[str]:
    tree = ast.parse((project.root / "functions" / "labelloop" / "contracts" / "errors.py").read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _substitutions(machine: Machine) -> Iterator[tuple[str, str]]:
    used, declared = set(re.findall(r"\$\{(\w+)\}", machine.text)), set(machine.substitutions)
    for name in sorted(used - declared):
        yield "", f"${{{name}}} is not declared in DefinitionSubstitutions of {machine.logical_id}"
    for name in sorted(declared - used):
        yield "", f"{machine.logical_id} declares the substitution {name}, which the file does not use"


def _language(machine: Machine) -> Iterator[tuple[str, str]]:
    for key in _keys(machine.definition):
        if key in ("QueryLanguage", "Assign"):
            yield "", f"{key} is not used here: JSONPath, and values stay in the state"


def _names(machine: Machine) -> Iterator[tuple[str, str]]:
    names = [name for name, _ in all_states(machine.definition)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield name, "two states have this name"
    if not isinstance(machine.definition.get("TimeoutSeconds"), int):
        yield "", "the machine has no TimeoutSeconds"


def _transitions(group: States) -> Iterator[tuple[str, str]]:
    targets = {name: _targets(state) for name, state in group.states.items()}
    for name, nexts in {"StartAt": [group.start_at], **targets}.items():
        for target in nexts:
            if target not in group.states:
                yield name, f"leads to {target!r}, which does not exist beside it"
    reached, waiting = set(), [group.start_at]
    while waiting:
        name = waiting.pop()
        if name in group.states and name not in reached:
            reached.add(name)
            waiting += targets[name]
    for name in sorted(set(group.states) - reached):
        yield name, "no transition leads here"


def _targets(state: dict[str, Any]) -> list[str]:
    choices = [choice["Next"] for choice in state.get("Choices", []) if "Next" in choice]
    catches = [catch["Next"] for catch in state.get("Catch", [])]
    return choices + catches + [state[key] for key in ("Next", "Default") if key in state]


def _state(name: str, state: dict[str, Any], owner: dict[str, Any] | None, errors: set[str]) -> Iterator[str]:
    kind, resource = state.get("Type", ""), state.get("Resource", "")
    if not state.get("Comment"):
        yield "has no Comment"
    if not re.fullmatch(r"[A-Z][a-z]+( [A-Z]?[a-z]+)*\??", name):
        yield "is not named in prose (words, the first with a capital)"
    if name.endswith("?") != (kind == "Choice"):
        yield "a question is the name of a Choice, and only of a Choice"
    if kind != "Choice" and kind not in ENDS and ("Next" in state) == bool(state.get("End")):
        yield "needs exactly one of Next and End"
    if kind == "Choice" and "Default" not in state:
        yield "has no Default: input that matches no choice would fail the execution"
    if kind == "Map" and not {"MaxConcurrency", "MaxConcurrencyPath"} & set(state):
        yield "a Map without MaxConcurrency starts up to 10,000 children at once"
    if JSONATA_ONLY & set(state):
        yield f"{', '.join(sorted(JSONATA_ONLY & set(state)))} belongs to JSONata"
    if ".waitForTaskToken" in resource or ".sync" in resource:
        yield from _wait(state, owner, resource)
    if ":lambda:invoke" in resource:
        ladders = [set(retry["ErrorEquals"]) for retry in state.get("Retry", [])]
        if not any(ladder >= PLATFORM_ERRORS for ladder in ladders):
            yield "does not retry the four errors of the Lambda service"
        lives = [retry.get("MaxAttempts", 3) for retry in state.get("Retry", []) if set(retry["ErrorEquals"]) == DEATHS]
        if not lives:
            yield f"does not retry a function that died ({', '.join(sorted(DEATHS))}) by a rule of its own"
        elif lives[0] != DEATHS_RETRIED:
            yield f"retries a function that died {lives[0]} times, not {DEATHS_RETRIED}"
    for retry in state.get("Retry", []):
        for error in sorted({"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])):
            yield f"retries {error}: name what may pass"
    for rule in state.get("Retry", []) + state.get("Catch", []):
        for error in sorted(set(rule["ErrorEquals"]) - errors):
            yield f"names the error {error!r}, which nothing raises"
    own = {key: value for key, value in state.items() if key not in ("ItemProcessor", "Branches", "Parameters")}
    for key, value in _items(own):
        if key in WHOLE_NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"{key} must be a whole number, found {value!r}; a value from the state goes into {key}Path"


def _wait(state: dict[str, Any], owner: dict[str, Any] | None, resource: str) -> Iterator[str]:
    if not {"TimeoutSeconds", "TimeoutSecondsPath"} & set(state):
        yield "waits without TimeoutSeconds"
    # A child of a Map that tolerates every failure may fail: what it did not do is found by comparing with S3.
    if not state.get("Catch") and not (owner and owner.get("ToleratedFailurePercentage") == 100):
        yield "waits without a Catch"
    if ".waitForTaskToken" in resource and "$$.Task.Token" not in json.dumps(state.get("Parameters", {})):
        yield "waits for a token that it passes to nobody"


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _items(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _items(inner)


def _keys(value: Any) -> set[str]:
    return {key for key, _ in _items(value)}
