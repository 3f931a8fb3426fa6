"""Lambda refuses a function whose environment variables take more than 4 KB together; MiniStack accepts any."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.patches.hooks import original

MOST_BYTES = 4096  # AWS Lambda developer guide, "Lambda quotas"


def apply() -> None:
    create_function = original(lambda_svc, "_create_function", "data")
    update_config = original(lambda_svc, "_update_config", "name", "data")
    create = original(provisioners, "_lambda_create", "logical_id", "props", "stack_name")
    update = original(
        provisioners, "_lambda_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id"
    )
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    assert handlers["create"] is create and handlers["update"] is update, "the function's handlers moved"

    def create_function_within(data: dict[str, Any]) -> Any:
        refusal = _refusal(data)
        return _error(refusal) if refusal else create_function(data)

    def update_config_within(name: str, data: dict[str, Any]) -> Any:
        refusal = _refusal(data)
        return _error(refusal) if refusal else update_config(name, data)

    def create_within(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        _raise(props)
        return create(logical_id, props, stack_name)

    def update_within(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Any:
        _raise(new)
        return update(physical_id, old, new, stack_name, logical_id)

    lambda_svc._create_function = create_function_within
    lambda_svc._update_config = update_config_within
    handlers["create"], handlers["update"] = create_within, update_within


def _refusal(request: dict[str, Any]) -> str:
    variables = (request.get("Environment") or {}).get("Variables") or {}
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
    if size <= MOST_BYTES:
        return ""
    return (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        f"exceeded the 4KB limit. ({size} bytes)"
    )


def _error(message: str) -> Any:
    return error_response_json("InvalidParameterValueException", message, 400)


def _raise(properties: dict[str, Any]) -> None:
    if refusal := _refusal(properties):
        raise ValueError(refusal)
