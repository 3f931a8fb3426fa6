"""Would AWS let this role, or this AWS service, do that? Answered by MiniStack's own IAM evaluator.

MiniStack (AUTH=true) asks it for requests that arrive over HTTP. What it does in process (a state machine that
invokes a function, a rule that starts an execution, our SageMaker that invokes a function) asks here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator as iam
from ministack.core.arn import parse_arn
from ministack.services import iam as iam_service

Policy = str | dict[str, Any] | None


def role_denial(role_arn: str, service: str, action: str, resource_arn: str, session: str) -> str | None:
    """None when `service` may assume the role and the role allows the action; otherwise AWS's sentence."""
    return trust_denial(role_arn, service) or policy_denial(role_arn, action, resource_arn, session)


def trust_denial(role_arn: str, service: str, source_arn: str = "") -> str | None:
    """None when the role exists and trusts the service principal, e.g. "states.amazonaws.com"."""
    role = _role(role_arn)
    if role is None:
        return f"The role {role_arn} does not exist."
    account = _account(role_arn)
    # A service always assumes a role on behalf of an account, here the only one, even where it names no resource.
    context = _context("", "sts:AssumeRole", role_arn, account, source_arn, source_account=account)
    statements = _document(role.get("AssumeRolePolicyDocument")).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = _listed(principal.get("Service")) if isinstance(principal, dict) else []
        if (
            statement.get("Effect") == "Allow"
            and service in services
            and any(action in ("sts:AssumeRole", "sts:*", "*") for action in _listed(statement.get("Action")))
            and iam._conditions_met(statement.get("Condition", {}), context)
        ):
            return None
    return f"The role {role_arn} cannot be assumed by {service}: its trust policy does not name that service."


def policy_denial(role_arn: str, action: str, resource_arn: str, session: str) -> str | None:
    """None when the role's policies, its boundary and the resource's own policy together allow the action."""
    account, name = _account(role_arn), role_arn.rsplit("/", 1)[-1]
    principal = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    context = _context(principal, action, resource_arn, account)
    limits = iam._permissions_boundary(iam_service._roles, name, account)
    result = iam.evaluate(context, iam._gather_role_policies(name, account), *limits)
    found = iam._resource_policy(action.split(":", 1)[0], resource_arn)
    if found is not None:
        result = iam.combine_resource_policy(result, context, *found, limits=tuple(limits))
    if result.decision == "Allow":
        return None
    why = "with an explicit deny" if result.decision == "Deny" else f"because no policy allows the {action} action"
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource_arn} {why}"


def service_denial(service: str, action: str, resource_arn: str, policy: Policy, source_arn: str) -> str | None:
    """None when the resource's own policy lets the AWS service act on behalf of `source_arn` (a rule, a topic)."""
    context = _context("", action, resource_arn, _account(resource_arn), source_arn)
    if iam.evaluate_resource_policy(policy or {}, context, service=service).decision == "Allow":
        return None
    return f"{service} is not authorized to perform: {action} on resource: {resource_arn} for {source_arn}"


def _context(
    principal: str, action: str, resource_arn: str, account: str, source_arn: str = "", source_account: str = ""
) -> Any:
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account or (account if source_arn else "")}
    source = {key: value for key, value in source.items() if value}
    spec = parse_arn(resource_arn) if resource_arn.startswith("arn:") else None
    return iam.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=(spec.region if spec else "") or "",
        source_ip="127.0.0.1",
        secure_transport=True,  # services talk TLS to each other on AWS
        service_context=source,
    )


def _role(role_arn: str) -> Mapping[str, Any] | None:
    role = iam_service._roles.get_scoped(_account(role_arn), None, role_arn.rsplit("/", 1)[-1])
    return role if role is not None and role.get("Arn") == role_arn else None


def _account(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""


def _document(policy: Policy) -> dict[str, Any]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return document if isinstance(document, dict) else {}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
