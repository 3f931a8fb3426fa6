"""A state machine may do only what its role allows. MiniStack does a machine's work in process and asks nobody.

Checked when the task runs; AWS asks for the permissions of `.sync` when the machine is created. An integration without
a line here is refused, so that none goes unchecked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions as sfn

from local import roles
from local.patches.executions import EXECUTION, ROLE
from local.patches.hooks import original

_MANAGED_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"


def apply() -> None:
    call = original(sfn, "_call_lambda", "func_ref", "event")
    nested = original(sfn, "_invoke_nested_start_execution", "resource", "input_data")
    nested_sync = original(sfn, "_invoke_nested_start_execution_sync", "resource", "input_data")
    object_text = original(sfn, "_s3_object_text", "bucket", "key")
    map_items = original(sfn, "_read_map_items", "reader", "effective", "ctx")
    run_map = original(
        sfn, "_run_distributed_map", "state_def", "raw_input", "effective", "iterator", "execution", "ctx"
    )

    def call_allowed(func_ref: str, event: Any) -> Any:
        _require("lambda:InvokeFunction", _function_arn(func_ref), "Lambda.AWSLambdaException")
        return call(func_ref, event)

    def start_allowed(resource: str, input_data: Any) -> Any:
        _require_start(input_data)
        return nested(resource, input_data)

    def start_sync_allowed(resource: str, input_data: Any) -> Any:
        machine = _require_start(input_data)
        executions = machine.replace(":stateMachine:", ":execution:") + ":*"
        for action in ("states:DescribeExecution", "states:StopExecution"):
            _require(action, executions, "StepFunctions.AccessDeniedException")
        for action in ("events:PutRule", "events:PutTargets", "events:DescribeRule"):
            _require(action, _arn("events", _MANAGED_RULE), "StepFunctions.AccessDeniedException")
        return nested_sync(resource, input_data)

    def read_allowed(bucket: str, key: str) -> Any:
        _require("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", "States.ItemReaderFailed")
        return object_text(bucket, key)

    def list_allowed(reader: dict[str, Any], effective: Any, ctx: dict[str, Any]) -> Any:
        if str(reader.get("Resource", "")).endswith("s3:listObjectsV2"):
            parameters = sfn._resolve_params_obj(reader.get("Parameters") or {}, effective, ctx)
            _require("s3:ListBucket", f"arn:aws:s3:::{parameters.get('Bucket')}", "States.ItemReaderFailed")
        return map_items(reader, effective, ctx)

    def run_map_allowed(
        state_def: Any, raw_input: Any, effective: Any, iterator: Any, execution: dict[str, Any], ctx: Any
    ) -> Any:
        _require("states:StartExecution", execution["stateMachineArn"], "States.Permissions")
        return run_map(state_def, raw_input, effective, iterator, execution, ctx)

    sfn._call_lambda = call_allowed
    sfn._invoke_nested_start_execution = start_allowed
    sfn._invoke_nested_start_execution_sync = start_sync_allowed
    sfn._s3_object_text = read_allowed
    sfn._read_map_items = list_allowed
    sfn._run_distributed_map = run_map_allowed
    _check_integrations()


def _check_integrations() -> None:
    aws_sdk = original(sfn, "_invoke_aws_sdk_integration", "resource", "input_data")

    def aws_sdk_allowed(resource: str, input_data: Any) -> Any:
        service, action = resource.replace(".waitForTaskToken", "").split(":")[6:8]
        _require_integration(f"{service}:{action[:1].lower()}{action[1:]}", input_data, "States.Permissions")
        return aws_sdk(resource, input_data)

    sfn._invoke_aws_sdk_integration = aws_sdk_allowed
    for prefix, handler in list(sfn._SERVICE_DISPATCH.items()):
        sfn._SERVICE_DISPATCH[prefix] = _allowed(prefix, handler)


def _allowed(prefix: str, handler: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    integration = prefix.removeprefix("arn:aws:states:::")

    def handle_allowed(resource: str, input_data: Any) -> Any:
        _require_integration(integration, input_data, "States.Permissions")
        return handler(resource, input_data)

    return handle_allowed


def _require_integration(integration: str, input_data: dict[str, Any], error: str) -> None:
    service, action = integration.split(":", 1)
    resource_of = _INTEGRATIONS.get((service, action))
    if resource_of is None:
        raise sfn._ExecutionError(
            "States.Runtime",
            f"The embedded AWS has no role check for the integration {integration}, so it is refused. "
            "Add its resource to _INTEGRATIONS in local/patches/machine_roles.py.",
        )
    prefix = {"sfn": "states", "eventbridge": "events"}.get(service, service)
    _require(f"{prefix}:{action[:1].upper()}{action[1:]}", resource_of(input_data), error)


def _table(data: dict[str, Any]) -> str:
    return _named("dynamodb", "table/", data.get("TableName", ""))


def _execution(data: dict[str, Any]) -> str:
    return str(data.get("ExecutionArn", ""))


def _machine(data: dict[str, Any]) -> str:
    return str(data.get("StateMachineArn", ""))


def _object(data: dict[str, Any]) -> str:
    return f"arn:aws:s3:::{data.get('Bucket')}/{data.get('Key')}"


_INTEGRATIONS: dict[tuple[str, str], Callable[[dict[str, Any]], str]] = {
    **{("dynamodb", f"{verb}Item"): _table for verb in ("put", "get", "delete", "update")},
    ("dynamodb", "query"): _table,
    ("sns", "publish"): lambda data: str(data.get("TopicArn", "")),
    ("sqs", "sendMessage"): lambda data: _named("sqs", "", str(data.get("QueueUrl", "")).rsplit("/", 1)[-1]),
    ("events", "putEvents"): lambda data: _arn("events", "event-bus/default"),
    ("sfn", "describeExecution"): _execution,
    ("sfn", "stopExecution"): _execution,
    ("sfn", "listExecutions"): _machine,
    ("sfn", "startExecution"): _machine,
    ("s3", "getObject"): _object,
    ("s3", "putObject"): _object,
    ("s3", "headObject"): _object,
}


def _require_start(input_data: Any) -> str:
    machine: str = sfn._nested_start_execution_request(input_data)["stateMachineArn"]
    _require("states:StartExecution", machine, "StepFunctions.AccessDeniedException")
    return machine


def _require(action: str, resource_arn: str, error: str) -> None:
    """Raise the States error unless the running machine's role allows the action. TestState has no machine."""
    if not ROLE.get():
        return
    session = EXECUTION.get().rsplit(":", 1)[-1][:64]
    denial = roles.role_denial(ROLE.get(), "states.amazonaws.com", action, resource_arn, session)
    if denial:
        raise sfn._ExecutionError(error, denial)


def _function_arn(func_ref: str) -> str:
    return func_ref if str(func_ref).startswith("arn:") else _arn("lambda", f"function:{func_ref}")


def _named(service: str, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else _arn(service, f"{kind}{name}")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"
