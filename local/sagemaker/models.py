"""Models and endpoint configurations: descriptions only, checked as far as AWS checks them when they are made."""

from __future__ import annotations

from typing import Any

from local.http import ServiceFault
from local.sagemaker import objects
from local.sagemaker.listing import page
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.roles import AWS_ERRORS, check_passed_role, error_code
from local.sagemaker.store import Resource, World, chosen, now

_MODEL_ECHO = ("ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
_CONFIG_ECHO = ("EndpointConfigName", "ProductionVariants", "AsyncInferenceConfig", "KmsKeyId")
_VARIANT_MEMBERS = {
    "VariantName",
    "ModelName",
    "InitialInstanceCount",
    "InstanceType",
    "InitialVariantWeight",
    "VolumeSizeInGB",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "InferenceAmiVersion",
    "RoutingConfig",
}


def create_model(world: World, call: Call) -> dict[str, Any]:
    name = call["ModelName"]
    arn = world.arn("model", name)
    role = call.get("ExecutionRoleArn")
    if role is None:
        raise ServiceFault("ValidationException", "ExecutionRoleArn is required to create a model.")
    container = main_container(call.parameters)
    if len(call.get("Containers", [])) > 1:
        raise not_implemented("inference pipelines: models of several containers")
    check_passed_role(world.context, call.request, role)
    if not container.get("Image"):
        raise ServiceFault("ValidationException", "PrimaryContainer needs an Image.")
    data_url = container.get("ModelDataUrl")
    if data_url:
        _check_model_data(world, role, data_url)
    with world.lock:
        if name in world.models:
            raise ServiceFault("ValidationException", f'Cannot create already existing model "{arn}".')
        detail = {**chosen(call.parameters, _MODEL_ECHO), "ModelArn": arn, "CreationTime": now()}
        world.models[name] = Resource(arn, detail)
    return {"ModelArn": arn}


def delete_model(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        find_model(world, call["ModelName"])
        del world.models[call["ModelName"]]
    return {}


def create_endpoint_config(world: World, call: Call) -> dict[str, Any]:
    name = call["EndpointConfigName"]
    arn = world.arn("endpoint-config", name)
    if len(call["ProductionVariants"]) > 1:
        raise not_implemented("endpoint configurations with several production variants")
    variant = call["ProductionVariants"][0]
    for member in variant:
        if member not in _VARIANT_MEMBERS:
            raise not_implemented(f"{member} of a production variant")
    for member in ("ModelName", "InstanceType", "InitialInstanceCount"):
        if member not in variant:
            raise ServiceFault(
                "ValidationException", f"{member} is required for production variant {variant['VariantName']}."
            )
    output = call.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    if output.get("NotificationConfig", {}).get("IncludeInferenceResponseIn"):
        raise not_implemented("IncludeInferenceResponseIn: read the output object")
    if call.get("AsyncInferenceConfig") is not None and not output.get("S3OutputPath"):
        raise ServiceFault("ValidationException", "S3OutputPath is required in AsyncInferenceConfig.OutputConfig.")
    with world.lock:
        find_model(world, variant["ModelName"])
        if name in world.endpoint_configs:
            raise ServiceFault("ValidationException", f'Cannot create already existing endpoint configuration "{arn}".')
        detail = {**chosen(call.parameters, _CONFIG_ECHO), "EndpointConfigArn": arn, "CreationTime": now()}
        world.endpoint_configs[name] = Resource(arn, detail)
    return {"EndpointConfigArn": arn}


def delete_endpoint_config(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        find_endpoint_config(world, call["EndpointConfigName"])
        del world.endpoint_configs[call["EndpointConfigName"]]
    return {}


def list_endpoint_configs(world: World, call: Call) -> dict[str, Any]:
    names = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    items = (chosen(r.detail, names) for r in world.endpoint_configs.values())
    return page(call, items, "EndpointConfigs", "EndpointConfigName")


def find_model(world: World, name: str) -> Resource:
    if name not in world.models:
        raise ServiceFault("ValidationException", f'Could not find model "{world.arn("model", name)}".')
    return world.models[name]


def find_endpoint_config(world: World, name: str) -> Resource:
    if name not in world.endpoint_configs:
        arn = world.arn("endpoint-config", name)
        raise ServiceFault("ValidationException", f'Could not find endpoint configuration "{arn}".')
    return world.endpoint_configs[name]


def main_container(model: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = model.get("Containers") or []
    container: dict[str, Any] | None = model.get("PrimaryContainer") or (containers[0] if containers else None)
    if container is None:
        raise ServiceFault("ValidationException", "A model needs a PrimaryContainer.")
    if container.get("ModelDataSource") is not None:
        raise not_implemented("ModelDataSource: use ModelDataUrl")
    if container.get("ModelPackageName") is not None:
        raise not_implemented("models of a model package: name its Image and ModelDataUrl")
    return container


def _check_model_data(world: World, role: str, uri: str) -> None:
    bucket, key = objects.split_uri(uri)
    try:
        world.roles.client(role, "s3").head_object(Bucket=bucket, Key=key)
    except AWS_ERRORS as error:
        if error_code(error) in ("404", "NoSuchKey", "NoSuchBucket", "NotFound"):
            raise ServiceFault("ValidationException", f"Could not find model data at {uri}.") from error
        raise ServiceFault("ValidationException", model_data_unreadable(world, role, uri)) from error


def model_data_unreadable(world: World, role: str, uri: str) -> str:
    return (
        f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its trust '
        'relationship policy allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". '
        f'Also ensure that the role has "s3:GetObject" permissions and that the object is located in '
        f"{world.context.region}."
    )
