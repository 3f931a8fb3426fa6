"""The model registry: groups, versioned packages, approval and its event."""

from __future__ import annotations

from typing import Any

from local.http import ServiceFault
from local.sagemaker.listing import page
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.store import Resource, World, chosen, milliseconds, now, tag_map

_EVENT = "SageMaker Model Package State Change"
_PACKAGE_ECHO = (
    "ModelPackageGroupName",
    "ModelPackageDescription",
    "InferenceSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "SourceUri",
    "SkipModelValidation",
)
_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)


def create_model_package_group(world: World, call: Call) -> dict[str, Any]:
    name = call["ModelPackageGroupName"]
    arn = world.arn("model-package-group", name)
    with world.lock:
        if name in world.package_groups:
            raise ServiceFault("ValidationException", f"Model Package Group already exists: {arn}")
        detail = {
            **chosen(call.parameters, ("ModelPackageGroupName", "ModelPackageGroupDescription")),
            "ModelPackageGroupArn": arn,
            "CreationTime": now(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }
        world.package_groups[name] = Resource(arn, detail)
        world.tags[arn] = tag_map(call.get("Tags"))
    return {"ModelPackageGroupArn": arn}


def describe_model_package_group(world: World, call: Call) -> dict[str, Any]:
    return _group(world, call["ModelPackageGroupName"]).detail


def delete_model_package_group(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        group = _group(world, call["ModelPackageGroupName"])
        name = group.detail["ModelPackageGroupName"]
        if any(p.detail["ModelPackageGroupName"] == name for p in world.packages.values()):
            raise ServiceFault(
                "ConflictException", f"Model Package Group cannot be deleted: {group.arn} has model packages."
            )
        del world.package_groups[name]
        world.tags.pop(group.arn, None)
    return {}


def list_model_package_groups(world: World, call: Call) -> dict[str, Any]:
    names = (
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
        "ModelPackageGroupDescription",
        "CreationTime",
        "ModelPackageGroupStatus",
    )
    items = (chosen(group.detail, names) for group in world.package_groups.values())
    return page(call, items, "ModelPackageGroupSummaryList", "ModelPackageGroupName")


def create_model_package(world: World, call: Call) -> dict[str, Any]:
    name = call.get("ModelPackageGroupName")
    if name is None:
        raise not_implemented("model packages outside of a group (unversioned)")
    token = call.get("ClientToken")
    with world.lock:
        group = _group(world, name)
        name = group.detail["ModelPackageGroupName"]
        if token:
            for known in world.packages.values():
                if known.token == token:
                    return {"ModelPackageArn": known.arn}
        group.versions += 1
        arn = f"{world.arn('model-package', name)}/{group.versions}"
        moment = now()
        detail = {
            **chosen(call.parameters, _PACKAGE_ECHO),
            "ModelPackageGroupName": name,
            "ModelPackageName": name,
            "ModelPackageVersion": group.versions,
            "ModelPackageArn": arn,
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": False,
            "ModelApprovalStatus": call.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        world.packages[arn] = Resource(arn, detail, token=token)
        world.tags[arn] = tag_map(call.get("Tags"))
    _publish(world, detail)
    return {"ModelPackageArn": arn}


def describe_model_package(world: World, call: Call) -> dict[str, Any]:
    return _package(world, call["ModelPackageName"]).detail


def update_model_package(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        package = _package(world, call["ModelPackageArn"])
        detail = package.detail
        detail.update(chosen(call.parameters, ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification")))
        metadata = {**detail.get("CustomerMetadataProperties", {}), **call.get("CustomerMetadataProperties", {})}
        for key in call.get("CustomerMetadataPropertiesToRemove", []):
            metadata.pop(key, None)
        detail["CustomerMetadataProperties"] = metadata or None
        detail["LastModifiedTime"] = now()
    _publish(world, detail)
    return {"ModelPackageArn": package.arn}


def delete_model_package(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        package = _package(world, call["ModelPackageName"])
        del world.packages[package.arn]
        world.tags.pop(package.arn, None)
    return {}


def list_model_packages(world: World, call: Call) -> dict[str, Any]:
    group = call.get("ModelPackageGroupName")
    group_name = _group(world, group).detail["ModelPackageGroupName"] if group else None
    approval = call.get("ModelApprovalStatus")
    items = [
        chosen(package.detail, _SUMMARY)
        for package in world.packages.values()
        if group_name in (None, package.detail["ModelPackageGroupName"])
        and approval in (None, package.detail["ModelApprovalStatus"])
    ]
    if group_name is None and call.get("ModelPackageType", "Unversioned") == "Unversioned":
        items = []
    return page(call, items, "ModelPackageSummaryList", "ModelPackageGroupName")


def _group(world: World, name_or_arn: str) -> Resource:
    name = name_or_arn.rsplit("/", 1)[-1]
    for known, group in world.package_groups.items():
        if name in (known, known.lower()):
            return group
    raise ServiceFault(
        "ValidationException", f"ModelPackageGroup {world.arn('model-package-group', name)} does not exist."
    )


def _package(world: World, name_or_arn: str) -> Resource:
    arn = name_or_arn if name_or_arn.startswith("arn:") else world.arn("model-package", name_or_arn)
    if arn not in world.packages:
        raise ServiceFault("ValidationException", f"ModelPackage {arn} does not exist.")
    return world.packages[arn]


def _publish(world: World, detail: dict[str, Any]) -> None:
    event = {name: value for name, value in detail.items() if value is not None}
    for name in ("CreationTime", "LastModifiedTime"):
        event[name] = milliseconds(event[name])
    world.publish(_EVENT, event, detail["ModelPackageArn"])
