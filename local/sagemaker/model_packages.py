"""The model registry: groups and the versioned packages in them, as Register Model makes them."""

from __future__ import annotations

from typing import Any

from local.http import ServiceFault
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.store import Resource, World, chosen, now

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
    return {"ModelPackageGroupArn": arn}


def describe_model_package_group(world: World, call: Call) -> dict[str, Any]:
    return _group(world, call["ModelPackageGroupName"]).detail


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
    return {"ModelPackageArn": arn}


def _group(world: World, name_or_arn: str) -> Resource:
    name = name_or_arn.rsplit("/", 1)[-1]
    for known, group in world.package_groups.items():
        if name in (known, known.lower()):
            return group
    raise ServiceFault(
        "ValidationException", f"ModelPackageGroup {world.arn('model-package-group', name)} does not exist."
    )
