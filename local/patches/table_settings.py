"""CloudFormation switches on a table's expiry (TTL) and point-in-time recovery; MiniStack accepts and drops both."""

from __future__ import annotations

from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

from local.patches.hooks import original


def apply() -> None:
    create = original(provisioners, "_ddb_create", "logical_id", "props", "stack_name")
    update = original(provisioners, "_ddb_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id")
    original(dynamodb, "_update_ttl", "data")
    original(dynamodb, "_update_continuous_backups", "data")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    assert handlers["create"] is create and handlers["update"] is update, "the table's handlers moved"

    def create_with_settings(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        _settle(created[0], props)
        return created

    def update_with_settings(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Any:
        updated = update(physical_id, old, new, stack_name, logical_id)
        _settle(updated[0], new)
        return updated

    handlers.update(create=create_with_settings, update=update_with_settings)


def _settle(table: str, props: dict[str, Any]) -> None:
    expiry = props.get("TimeToLiveSpecification")
    if expiry:
        _done(dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": _typed(expiry)}))
    recovery = props.get("PointInTimeRecoverySpecification")
    if recovery:
        wanted = {"TableName": table, "PointInTimeRecoverySpecification": _typed(recovery)}
        _done(dynamodb._update_continuous_backups(wanted))


def _typed(specification: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation takes a boolean as text, too."""
    return {key: {"true": True, "false": False}.get(str(value).lower(), value) for key, value in specification.items()}


def _done(answer: Any) -> None:
    if answer[0] >= 400:
        raise ValueError(f"AWS::DynamoDB::Table: {answer[2]!r}")
