"""Least privilege: no unexplained `*`, no role passed to just anybody, and every machine may do what its states do."""

import re
from collections.abc import Iterator
from typing import Any

from lint.project import Finding, Machine, Project, all_states, listed, substitution

MANAGED_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
# Integrations for which the embedded AWS checks the machine's role (local/patches/machine_roles.py). Any other one
# would run there without a permission and be refused on AWS: add its check there, then its name here.
CHECKED_INTEGRATIONS = {
    "lambda:invoke", "lambda:invoke.waitForTaskToken", "states:startExecution", "states:startExecution.sync:2",
    "s3:getObject", "s3:listObjectsV2",
}  # fmt: skip
# A partition by its name: arn:aws:, arn:aws-cn:, arn:aws-us-gov:, arn:aws-iso-b: ...
ONE_PARTITION = re.compile(r"\barn:aws(-[a-z]+)*:")
Statement = dict[str, Any]


def check(project: Project) -> list[Finding]:
    found = [Finding(f"template.yaml:{line}", what) for line, what in _unexplained_stars(project.text)]
    found += [
        Finding(where, "names one partition in an ARN: use ${AWS::Partition}") for where in _one_partition(project)
    ]
    for name, statement in allow_statements(project.template):
        found += [Finding(f"template.yaml: {name}", what) for what in _statement(statement)]
    machines = {machine.logical_id: machine for machine in project.machines}
    for machine in machines.values():
        found += [Finding(machine.where(), what) for what in _machine(machine, machines)]
    return found


def _one_partition(project: Project) -> Iterator[str]:
    """Where an ARN would be wrong in another partition: China, GovCloud, everywhere else."""
    files = ["template.yaml", *(f"statemachines/{machine.path.name}" for machine in project.machines)]
    files += [str(path.relative_to(project.root)) for path in sorted((project.root / "functions").rglob("*.py"))]
    for name in files:
        lines = (project.root / name).read_text(encoding="utf-8").splitlines()
        yield from (f"{name}:{number}" for number, line in enumerate(lines, start=1) if ONE_PARTITION.search(line))


def allow_statements(template: dict[str, Any]) -> Iterator[tuple[str, Statement]]:
    """Every Allow statement that gives somebody something, with the resource it stands in."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Cognito::UserPool":
            continue  # its Policies are about passwords
        own = [properties] if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy") else []
        for policy in [*properties.get("Policies", []), *own]:
            for statement in policy.get("PolicyDocument", policy).get("Statement", []):
                if statement["Effect"] == "Allow":
                    yield name, statement


def _unexplained_stars(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if not re.search(r"""(Resource: |^\s*- )["']?\*["']?\s*(\}|#|$)""", line) or "Principal" in line:
            continue
        start = index
        while start > 0 and not re.match(r"\s*- \{?(Effect|Sid)", lines[start]):
            start -= 1
        if "#" not in line and not lines[start - 1].strip().startswith("#"):
            yield index + 1, 'Resource "*" without a comment that says why'


def _statement(statement: Statement) -> Iterator[str]:
    actions = listed(statement.get("Action", []))
    for key in ("NotAction", "NotResource"):
        if key in statement:
            yield f"{key} allows what nobody listed"
    for action in actions:
        if "*" in action or "?" in action:
            yield f"Action {action!r}: name the actions"
    if "iam:PassRole" in actions:
        if "iam:PassedToService" not in str(statement.get("Condition", {})):
            yield "iam:PassRole without the condition iam:PassedToService"
        if "*" in listed(statement["Resource"]):
            yield "iam:PassRole on every role"


def _machine(machine: Machine, machines: dict[str, Machine]) -> Iterator[str]:
    statements = [entry for policy in machine.properties["Policies"] for entry in policy["Statement"]]
    for needing, action, resource in _needed(machine, machines):
        if not any(action in listed(entry["Action"]) and _covers(entry, resource) for entry in statements):
            yield f"{needing}: the role of {machine.logical_id} lacks {action} on {resource}"
    for name, state in all_states(machine.definition):
        reader = state.get("ItemReader", {}).get("Resource", "")
        for used in filter(None, (state.get("Resource", ""), reader)):
            integration = used.removeprefix("arn:${Partition}:states:::")
            if integration not in CHECKED_INTEGRATIONS:
                yield f"{name}: the embedded AWS checks no role for {integration} (CHECKED_INTEGRATIONS)"


def _needed(machine: Machine, machines: dict[str, Machine]) -> Iterator[tuple[str, str, str]]:
    """(state, action, how the resource ends)."""
    for name, state in all_states(machine.definition):
        resource, parameters = state.get("Resource", ""), state.get("Parameters", {})
        if ":lambda:invoke" in resource:
            function = substitution(str(parameters.get("FunctionName"))).removesuffix("Arn")
            yield name, "lambda:InvokeFunction", f"{function}.Arn"
        if ":states:startExecution" in resource:
            child = machines.get(substitution(str(parameters.get("StateMachineArn"))).removesuffix("Arn"))
            if child is not None:
                yield name, "states:StartExecution", f":stateMachine:{_name(child)}"
                if ".sync" in resource:
                    yield name, "states:DescribeExecution", f":execution:{_name(child)}:*"
                    yield name, "states:StopExecution", f":execution:{_name(child)}:*"
                    for action in ("events:PutRule", "events:PutTargets", "events:DescribeRule"):
                        yield name, action, MANAGED_RULE
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            yield name, "states:StartExecution", f":stateMachine:{_name(machine)}"
            yield name, "states:DescribeExecution", f":execution:{_name(machine)}:*"
            yield name, "states:StopExecution", f":execution:{_name(machine)}:*"
        if state.get("ItemReader", {}).get("Resource", "").endswith(":s3:getObject"):
            yield name, "s3:GetObject", "/*"


def _name(machine: Machine) -> str:
    name = machine.properties["Name"]
    return str(name["Fn::Sub"] if isinstance(name, dict) else name)


def _covers(statement: Statement, ending: str) -> bool:
    return statement["Effect"] == "Allow" and any(_text(one).endswith(ending) for one in listed(statement["Resource"]))


def _text(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    value = next(iter(resource.values()))
    return ".".join(value) if isinstance(value, list) else str(value)
