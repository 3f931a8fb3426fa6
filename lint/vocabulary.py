"""One vocabulary, three places: state "Judge Batch" = JudgeBatchFunction = functions/judge_batch.py."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lint.permissions import allow_statements
from lint.project import FUNCTION, Finding, Machine, Project, all_states, listed, substitution

# The functions of every released version that its executions, or its labelling jobs, may still call.
RELEASED = Path(__file__).with_name("released.json")
# Functions that no state calls: events, the schedule, Ground Truth and CloudFormation do.
WITHOUT_STATE = {
    "CompleteWork",
    "Reconcile", "PreAnnotate", "Consolidate", "CleanUp", "StoreSettings", "StopExecutions",
    "KeepPrefix", "ServePortal",
}  # fmt: skip

# Functions of released versions that another one's code answers for, until a release after: name -> that other one.
ALIASES = {
    "CalibrateThresholds": "FitThresholds",
    "RecalibrateChampion": "FitThresholds",
    "RecordTrainingFailure": "RecordFailure",
    "ScaleEndpoint": "PromoteModel",
}
# What an alias has of its own; all else it has in common with the function that it stands for.
OWN_OF_ALIAS = {"FunctionName", "Description", "Role"}
NOT_OF_ALIAS = {"FunctionName", "Description", "Policies", "Events", "EventInvokeConfig"}

# Functions of released versions that need no alias: an execution that still calls one catches that it is gone, and goes
# on to a state that does its work. Stop Training of 0.1.0 goes on to Record Training Failure, which stops the job.
DONE_BY_THE_NEXT_STATE = {"StopTraining"}


def check(project: Project) -> list[Finding]:
    called: set[str] = set()
    found: list[Finding] = []
    for machine in project.machines:
        found += [Finding(machine.where(state), what) for state, what in _states(machine, called)]
    functions = {name.removesuffix("Function"): body for name, body in project.resources(FUNCTION).items()}
    for title, body in functions.items():
        problems = (
            _alias(project, title, functions)
            if title in ALIASES
            else _function(project, title, body["Properties"].get("Handler", ""))
        )
        found += [Finding(f"template.yaml: {title}Function", what) for what in problems]
    known = json.loads(RELEASED.read_text(encoding="utf-8"))
    changelog = (project.root / "CHANGELOG.md").read_text(encoding="utf-8")
    found += [
        Finding(
            "lint/released.json", f"lacks the functions of version {version}: nothing would notice that one is gone"
        )
        for version in re.findall(r"^## \[(\d[^]]*)\]", changelog, re.M)
        if version not in known
    ]
    for version, released in known.items():
        # An execution keeps the definition it began with, for as long as people take, and calls functions by name.
        found += [
            Finding("template.yaml", f"{name}Function of version {version} is gone: keep it one release as an alias")
            for name in released
            if name not in functions and name not in DONE_BY_THE_NEXT_STATE
        ]
    found += [
        Finding("lint/vocabulary.py", f"ALIASES has {name}, which no released version called")
        for name in sorted(set(ALIASES) - {name for released in known.values() for name in released})
    ]
    for title in sorted(set(functions) - called - WITHOUT_STATE - set(ALIASES)):
        found.append(Finding(f"template.yaml: {title}Function", "no state calls it"))
    for path in sorted((project.root / "functions").glob("*.py")):
        if _title(path.stem) not in functions:
            found.append(Finding(f"functions/{path.name}", f"template.yaml has no {_title(path.stem)}Function"))
    return found


def _states(machine: Machine, called: set[str]) -> Iterator[tuple[str, str]]:
    for name, state in all_states(machine.definition):
        if ":lambda:invoke" not in state.get("Resource", ""):
            continue
        placeholder = substitution(str(state.get("Parameters", {}).get("FunctionName", "")))
        title = placeholder.removesuffix("FunctionArn")
        called.add(title)
        if title in ALIASES:
            yield name, f"calls {title}Function, which is for executions of a released version: call {ALIASES[title]}"
        words = _words(title)
        if name != words and not name.startswith(f"{words} "):
            yield name, f"calls {title}Function: the state's name must be, or begin with, {words!r}"
        target = machine.substitutions.get(placeholder)
        if target is not None and target != {"Fn::GetAtt": [f"{title}Function", "Arn"]}:
            yield name, f"{placeholder} must stand for {title}Function, found {target}"


def _function(project: Project, title: str, handler: str) -> Iterator[str]:
    stem = _words(title).lower().replace(" ", "_")
    if handler != f"{stem}.handler":
        yield f"its Handler must be {stem}.handler, found {handler!r}"
    path = project.root / "functions" / f"{stem}.py"
    if not path.exists():
        yield f"functions/{stem}.py does not exist"
    elif "handler" not in {getattr(node, "name", "") for node in ast.parse(path.read_text(encoding="utf-8")).body}:
        yield f"functions/{stem}.py defines no handler"


def _alias(project: Project, title: str, functions: dict[str, dict[str, Any]]) -> Iterator[str]:
    """It has the code, the role and the size of the function that it stands for, and a machine may still call it."""
    meant = ALIASES[title]
    role = {"Fn::GetAtt": [f"{meant}FunctionRole", "Arn"]}
    own, its = functions[title]["Properties"], functions.get(meant, {}).get("Properties", {})
    common = {key: value for key, value in its.items() if key not in NOT_OF_ALIAS}
    if {key: value for key, value in own.items() if key not in OWN_OF_ALIAS} != common:
        yield f"stands for {meant}Function and must have its Handler, Timeout, MemorySize and Layers: {common}"
    if own.get("Role") != role:
        yield f"stands for {meant}Function and must have its Role: !GetAtt {meant}FunctionRole.Arn"
    invoked = [
        resource
        for name, statement in allow_statements(project.template)
        if name.endswith("StateMachine") and "lambda:InvokeFunction" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    if {"Fn::GetAtt": [f"{title}Function", "Arn"]} not in invoked:
        yield "no machine may call it, so executions of the released version that called it would fail"


def _title(stem: str) -> str:
    return "".join(word.capitalize() for word in stem.split("_"))


def _words(title: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", title)
