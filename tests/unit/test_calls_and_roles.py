"""Every call that a function can make, however rare the way there, is allowed by its role.

Read from the sources: what a handler uses, through the domain modules it uses, as far as calls stand there by name.
Which resource a call names is not read; the embedded AWS asks that of the calls that its workflows make.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import get_session
from labelloop import engines, people

from lint.permissions import allow_statements
from lint.project import Project, listed

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
HANDLERS = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
SERVICES = {"sagemaker-runtime": "sagemaker", "stepfunctions": "states"}  # as IAM calls them
ACTIONS = {  # of methods that IAM calls otherwise
    "head_object": "s3:GetObject",
    "copy_object": "s3:PutObject",
    "list_objects_v2": "s3:ListBucket",
    "list_object_versions": "s3:ListBucketVersions",
    "get_bucket_cors": "s3:GetBucketCORS",
    "invoke": "lambda:InvokeFunction",
    "transact_write_items": "dynamodb:PutItem",  # and UpdateItem: a transaction takes the rights of what it holds
}
# A call of what these look up may be a call of each that implements the port.
PORTS = {
    "engine": [module.__name__.rpartition(".")[2] for module in engines.known()],
    "backend": [module.__name__.rpartition(".")[2] for module in people.known()],
}
LOOK_UPS = {
    **{f"engines.{look_up}": "engine" for look_up in ("of", "of_version")},
    "people.of": "backend",
    "outside.engine": "engine",
    "outside.backend": "backend",
}
# It takes what it may not read for not there: no document is pinned for what these are called for.
TOLERANT = {("settings_documents", "_find")}
Name = tuple[str, str]


@cache
def operations(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in get_session().get_service_model(service).operation_names}


def action(service: str, method: str) -> str:
    return ACTIONS.get(method) or f"{SERVICES.get(service, service)}:{operations(service).get(method, method)}"


def client_of(node: ast.AST, named: dict[str, str]) -> str:
    """The service that an expression is a client of, a table among them; empty for anything else."""
    if isinstance(node, ast.Name):
        return named.get(node.id, "")
    if ast.unparse(node).endswith("able().meta.client"):
        return "dynamodb"
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if called in ("_table", "table", "ledger.table", "aws.table"):
        return "dynamodb"
    return str(ast.literal_eval(node.args[0])) if called == "aws.client" and isinstance(node, ast.Call) else ""


def assignments(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    for each in ast.walk(node):
        if (
            isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Tuple)
            and isinstance(each.value, ast.Tuple)
        ):
            yield from zip(each.targets[0].elts, each.value.elts, strict=True)
        elif isinstance(each, ast.Assign):
            yield each.targets[0], each.value


def _port(node: ast.AST) -> str:
    """The port whose implementation an expression is: a look-up, or a variable called after it."""
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        return LOOK_UPS.get(called) or (called if called in PORTS else "")
    return node.id if isinstance(node, ast.Name) and node.id in PORTS else ""


class Module:
    """What each function of a file calls: AWS, and functions of the project."""

    def __init__(self, path: Path, name: str) -> None:
        self.name, tree = name, ast.parse(path.read_text(encoding="utf-8"))
        self.modules, self.imported = set(), {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("labelloop."):
                continue
            _, _, origin = str(node.module).removeprefix("labelloop.").partition(".")
            if origin:
                self.imported |= {alias.name: (origin, alias.name) for alias in node.names}
            else:
                self.modules |= {alias.name for alias in node.names}
        self.words = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        own = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        self.imported |= {node.name: (name, node.name) for node in own}
        self.functions = {node.name: (set(self._used(node)), set(self._asked(node))) for node in own}

    def _used(self, node: ast.AST) -> Iterator[Name]:
        hidden = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in self.imported and each.id not in hidden:
                yield self.imported[each.id]
            elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id in self.modules:
                yield each.value.id, each.attr

            elif isinstance(each, ast.Attribute) and (port := _port(each.value)):
                yield from ((module, each.attr) for module in PORTS[port])

    def _asked(self, node: ast.AST) -> Iterator[str]:
        named = {ast.unparse(name): client_of(value, {}) for name, value in assignments(node)}
        for each in ast.walk(node):
            service = client_of(each.value, named) if isinstance(each, ast.Attribute) else ""
            if service and isinstance(each, ast.Attribute) and each.attr == "get_paginator":
                # What it lists is named in this file, in the call or by whoever calls this function.
                yield from (action(service, name) for name in self.words if name in operations(service))
            elif service and isinstance(each, ast.Attribute) and each.attr != "meta":
                yield action(service, each.attr)


MODULES = {path.stem: Module(path, path.stem) for path in (FUNCTIONS / "labelloop").glob("*/*.py")}
ALLOWED: dict[str, set[str]] = {}
for owner, statement in allow_statements(Project(ROOT).template):
    ALLOWED.setdefault(owner, set()).update(listed(statement["Action"]))
for policy in ("JudgeFunctionPolicy",):
    for role in Project(ROOT).template["Resources"][policy]["Properties"]["Roles"]:
        ALLOWED[role["Ref"].removesuffix("Role")] |= ALLOWED[policy]


def asked(handler: str) -> set[str]:
    modules = {**MODULES, "": Module(FUNCTIONS / f"{handler}.py", "")}
    seen: set[Name] = set(TOLERANT)
    waiting: list[Name] = [("", "handler"), ("observability", "entry")]
    found: set[str] = set()
    while waiting:
        module, function = name = waiting.pop()
        if name in seen or module not in modules or function not in modules[module].functions:
            continue
        seen.add(name)
        used, actions = modules[module].functions[function]
        waiting += used
        found |= actions
    return found


@pytest.mark.fault("I07")
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_function_may_make_every_call_that_it_can_come_to(handler: str) -> None:
    title = "".join(word.capitalize() for word in handler.split("_"))
    assert asked(handler) - ALLOWED[f"{title}Function"] == set()


def test_calls_are_found_where_they_are_deep_and_rare() -> None:
    assert "sagemaker:StopLabelingJob" in asked("reconcile"), "failures.close_expired, ground_truth.stop"
    assert {"sagemaker:ListEndpoints", "states:ListExecutions", "cloudwatch:DeleteAlarms"} <= asked("reconcile")
    assert {"scheduler:UpdateSchedule", "events:DisableRule", "states:StopExecution"} <= asked("stop_executions")
    assert {"dynamodb:DeleteItem", "sns:Publish", "sagemaker:CreateLabelingJob"} <= asked("request_labels")
    assert {"application-autoscaling:PutScalingPolicy", "cloudwatch:PutMetricAlarm"} <= asked("promote_model")
    assert {"sagemaker:ListTrainingJobs", "sagemaker:ListLabelingJobs"} <= asked("clean_up")
    assert {"sagemaker:InvokeEndpointAsync", "states:SendTaskFailure", "s3:GetObject"} <= asked("request_inference")
