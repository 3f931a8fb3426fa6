"""What roles are allowed exists at AWS: every action, resource type and condition key, by the service authorization
reference as the package policy_sentry ships it.

The embedded AWS and the template agree with each other by construction; this is what neither of them wrote.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_action_data

from lint.permissions import Statement
from lint.project import Finding, Project, listed

# (action, what the reference does not know): why it is right all the same.
EXCEPTIONS = {
    (
        "states:SendTaskSuccess",
        "resource",
    ): "narrowed to the machines, as Step Functions' guide to task tokens shows it",
    ("states:SendTaskFailure", "resource"): "the same",
}
# AWS's global condition keys are not in the reference; these are used here, and exist.
GLOBAL_KEYS = {"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
# Where !Ref is the ARN; elsewhere it is a name or an address, which a policy refuses.
REF_IS_ARN = {"AWS::SNS::Topic", "AWS::Serverless::StateMachine"}
# Parameters whose pattern takes an ARN of one type only.
ARN_PARAMETERS = {"JudgeFunctionArn": "lambda:function:"}
# The literal beginning of an ARN, from the service on, of what !Ref and !GetAtt name; buckets see _literal.
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:table/",
    "AWS::ECR::Repository": "ecr:repository/",
    "AWS::IAM::Role": "iam:role/",
    "AWS::Logs::LogGroup": "logs:log-group:",
    "AWS::S3::Bucket": "s3:",
    "AWS::SNS::Topic": "sns:",
    "AWS::SQS::Queue": "sqs:",
    "AWS::Serverless::Function": "lambda:function:",
    "AWS::Serverless::StateMachine": "states:stateMachine:",
}


def check(project: Project) -> list[Finding]:
    kinds = {name: body["Type"] for name, body in project.template["Resources"].items()}
    kinds |= {f"{name}ScheduleRole": "AWS::IAM::Role" for name in kinds}  # SAM makes one for every schedule
    return [
        Finding(f"template.yaml: {name}", what)
        for name, properties in [
            ("Globals", project.template["Globals"]),
            *((name, body.get("Properties", {})) for name, body in project.template["Resources"].items()),
        ]
        for statement in _statements(properties)
        for what in _statement(statement, kinds)
    ]


def _statements(value: Any) -> Iterator[Statement]:
    """Of roles and of resources, of trust as well: what is denied by a wrong name is denied to nobody."""
    if isinstance(value, dict):
        yield from listed(value.get("Statement", []))
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _statements(inner)


def _statement(statement: Statement, kinds: dict[str, str]) -> Iterator[str]:
    # Whole services stand in Deny only: lint/permissions.py.
    actions = [action for action in listed(statement.get("Action", [])) if not action.endswith(":*")]
    unknown = [action for action in actions if not _rows(action)]
    yield from (f"{action}: AWS has no such action" for action in unknown)
    known = [action for action in actions if action not in unknown]
    yield from _conditions(statement, known)
    resources = listed(statement.get("Resource", []))
    if "*" in resources or not resources:
        return
    literals = {str(resource): _literal(resource, kinds) for resource in resources}
    yield from (
        f"{resource}: no ARN of a type that lint/authorization.py knows"
        for resource in literals
        if not literals[resource]
    )
    taken = set()
    for action in known:
        fitting = {each for each, literal in literals.items() if any(_fits(literal, row) for row in _rows(action))}
        taken |= fitting
        if (action, "resource") in EXCEPTIONS:
            taken |= set(literals)
        elif not fitting:
            yield f"{action}: none of its statement's resources is of a type that it takes"
    if known:
        yield from (f"{each}: no action of its statement takes this type" for each in sorted(set(literals) - taken))


def _conditions(statement: Statement, actions: list[str]) -> Iterator[str]:
    for operator, conditions in statement.get("Condition", {}).items():
        yield from (
            f"{key}: not known as a global condition key to lint/authorization.py"
            for key in conditions
            if key.startswith("aws:") and key not in GLOBAL_KEYS
        )
        keys = [key for key in conditions if not key.startswith("aws:")]
        have = {action: {key for row in _rows(action) for key in row["condition_keys"]} for action in actions}
        if operator.endswith("IfExists"):
            known = set().union(*have.values())
            yield from (f"{key}: no action of its statement has this condition key" for key in keys if key not in known)
            continue
        yield from (
            f"{action}: has no condition key {key}, so the statement never allows it"
            for action in actions
            for key in keys
            if key not in have[action] and (action, key) not in EXCEPTIONS
        )


@cache
def _rows(action: str) -> tuple[dict[str, Any], ...]:
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    return tuple(found[service]) if found else ()


def _literal(resource: Any, kinds: dict[str, str]) -> str:
    """`<service>:<resource up to the first variable>`; of a bucket's object `s3:/`; empty where it is not known."""
    if isinstance(resource, dict):
        ((function, value),) = resource.items()
        if function == "Ref":
            return ARNS[kinds[value]] if kinds.get(value) in REF_IS_ARN else ARN_PARAMETERS.get(value, "")
        if function == "Fn::GetAtt":
            return ARNS.get(kinds.get(value[0], ""), "") if value[1] == "Arn" else ""
        resource = value[0] if isinstance(value, list) else value
    if resource.startswith("${"):
        name, _, rest = resource[2:].partition("}")
        beginning = ARNS.get(kinds.get(name.removesuffix(".Arn"), ""), "")
        return beginning + "/" if beginning == "s3:" and rest else beginning
    return _beginning(resource)


def _fits(literal: str, row: dict[str, Any]) -> bool:
    form = row["resource_arn_format"]
    if not literal or form == "*":
        return False
    if literal.startswith("s3:"):
        return form.startswith("arn:${Partition}:s3:::") and ("/" in form.rpartition(":")[2]) == literal.endswith("/")
    return literal.startswith(_beginning(form))


def _beginning(arn: str) -> str:
    _, _, service, _, _, resource = re.sub(r"\$\{[^}]*\}", "$", arn).split(":", 5)
    return f"{service}:{re.split(r'[$*]', resource)[0]}"
