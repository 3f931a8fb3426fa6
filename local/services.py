"""What our own services may use of the embedded AWS (ServiceContext), and which of them are mounted."""

from __future__ import annotations

import contextvars
import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ministack.core import iam_evaluator as iam
from ministack.core import responses
from ministack.services import eventbridge, lambda_svc

from local import keys, roles
from local.http import AccessDenied, FunctionFault, Request, ServiceContext, ServiceFault, ServiceHandler
from portal.server.memory_desk import MemoryDesk

T = TypeVar("T")


def create_mounted(context: ServiceContext) -> dict[str, ServiceHandler]:
    """The handlers of local/sagemaker, by the service name of the credential scope."""
    package = importlib.util.find_spec("local.sagemaker")
    if package is None or package.origin is None:
        return {}
    mounted: dict[str, ServiceHandler] = importlib.import_module("local.sagemaker").create_services(context)
    return mounted


def service_context(
    endpoint: str,
    region: str,
    account: str,
    run_dir: Path,
    repo_root: Path,
    truth: Path | None,
    hooks: list[Callable[[], None]],
    desk: MemoryDesk,
    root: keys.Key,
) -> ServiceContext:
    state_dir = run_dir / "services"
    state_dir.mkdir()
    python = os.environ.get("LABELLOOP_CONTAINER_PYTHON") or repo_root / ".venvs" / "yolo" / "bin" / "python"

    def publish_event(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }
        _scoped(account, region, lambda: eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True))

    def role_credentials(role_arn: str, session_name: str, service: str = "sagemaker.amazonaws.com") -> dict[str, str]:
        denial = roles.trust_denial(role_arn, service)
        if denial:
            raise ServiceFault("ValidationException", f"Could not assume role {role_arn}. {denial}")
        session = keys.session_of(role_arn, session_name, role_arn.split(":")[4])
        return {**session, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": endpoint}

    def invoke_function(function_arn: str, payload: Mapping[str, Any], role_arn: str) -> Any:
        return _scoped(account, region, lambda: _invoke(function_arn, payload, role_arn))

    return ServiceContext(
        endpoint_url=endpoint,
        region=region,
        account=account,
        state_dir=state_dir,
        repo_root=repo_root,
        container_python=Path(python),
        truth_path=truth,
        authorize=authorize,
        publish_event=publish_event,
        role_credentials=role_credentials,
        invoke_function=invoke_function,
        on_shutdown=hooks.append,
        desk=desk,
        root_credentials={"AWS_ACCESS_KEY_ID": root.id, "AWS_SECRET_ACCESS_KEY": root.secret},
    )


def authorize(request: Request, action: str, resource_arn: str, /, context: Mapping[str, str] | None = None) -> None:
    """As the gateway pinned the request, this must run in its task (or a thread that the task awaits)."""
    denied = iam.enforce(
        request.access_key, action, request.service, request.region, resource_arn, service_context=dict(context or {})
    )
    if denied is None:
        return
    if isinstance(denied, iam.AuthError):
        raise AccessDenied(denied.message, denied.code, 403)
    why = "with an explicit deny" if denied.decision == "Deny" else f"because no policy allows the {action} action"
    raise AccessDenied(
        f"User: {denied.principal_arn} is not authorized to perform: {action} on resource: {resource_arn} {why}"
    )


def _invoke(function_arn: str, payload: Mapping[str, Any], role_arn: str) -> Any:
    denial = roles.role_denial(role_arn, "sagemaker.amazonaws.com", "lambda:InvokeFunction", function_arn, "SageMaker")
    if denial:
        raise AccessDenied(denial)
    function, config, name = lambda_svc._get_func_record_for_ref(function_arn)
    if not function or not config:
        raise ServiceFault("ResourceNotFoundException", f"Function not found: {name}", 404)
    record = lambda_svc._execution_record_for_config(function, config)
    result = lambda_svc._execute_function_with_config_scope(record, dict(payload))
    body = result.get("body")
    if result.get("error"):
        raise FunctionFault(function_arn, body if isinstance(body, dict) else {"errorMessage": str(body)})
    return json.loads(body) if isinstance(body, str | bytes) else body


def _scoped(account: str, region: str, work: Callable[[], T]) -> T:
    """Run with MiniStack's account and region set; threads of our services have neither."""

    def scoped() -> T:
        responses.set_request_account_id(account)
        responses.set_request_region(region)
        return work()

    return contextvars.copy_context().run(scoped)
