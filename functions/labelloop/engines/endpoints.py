"""One immutable asynchronous endpoint per model version: its requests, its scaling, and taking it away again.

Contracts: CreateModel, CreateEndpointConfig, CreateEndpoint (SageMaker); RegisterScalableTarget, PutScalingPolicy
(Application Auto Scaling); the wake-up alarm on HasBacklogWithoutCapacity is documented under "Autoscale an
asynchronous endpoint".
"""

from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts import naming
from labelloop.contracts.settings import Settings
from labelloop.pictures.stored import Limits, rendition_bytes
from labelloop.store import aws, storage
from labelloop.store.callbacks import Callback, Outcome

VARIANT = "AllTraffic"
BACKLOG_PER_INSTANCE = 4.0
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
START_SECONDS = 1800
MOST_REASON_BYTES = 8_000
# SageMaker's states in which an endpoint takes requests.
SERVES = ("InService", "Updating", "SystemUpdating", "RollingBack")


def create(name: str, model_version: str, image: str, settings: Settings) -> None:
    """Model, endpoint config and endpoint under one name; what an earlier attempt made is left as it is."""
    sagemaker = aws.client("sagemaker")
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels, settings.min_image_side)
    _unless_there(
        sagemaker.create_model,
        ModelName=name,
        ExecutionRoleArn=settings.inference_role_arn,
        **settings.network,
        PrimaryContainer={
            "Image": image,
            "ModelDataUrl": storage.uri(f"models/{model_version}/model.tar.gz"),
            "Environment": {
                "MODEL_VERSION": model_version,
                "INSTANCE_TYPE": settings.inference_instance_type,
                # The batch's own limit holds for uploads; the endpoint is sent the renditions of those that passed.
                "MAX_IMAGE_BYTES": str(rendition_bytes(limits)),
                "MAX_IMAGE_PIXELS": str(limits.max_pixels),
                "MIN_IMAGE_SIDE": str(limits.min_side),
                "INVOCATION_TIMEOUT_SECONDS": str(settings.invocation_timeout_seconds),
            },
        },
    )
    _unless_there(
        sagemaker.create_endpoint_config,
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": VARIANT,
                "ModelName": name,
                "InstanceType": settings.inference_instance_type,
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
                "ContainerStartupHealthCheckTimeoutInSeconds": START_SECONDS,
                **_ami(settings),
            }
        ],
        AsyncInferenceConfig={
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": settings.concurrent_invocations},
            "OutputConfig": {
                "S3OutputPath": storage.uri("batches"),
                "S3FailurePath": storage.uri("batches/inference-failures"),
                "NotificationConfig": {"SuccessTopic": settings.success_topic, "ErrorTopic": settings.error_topic},
            },
        },
    )
    _unless_there(sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=name)


def _ami(settings: Settings) -> dict[str, str]:
    """The host's image decides the GPU driver (docs/gpu.md); hosts without a GPU have none to choose."""
    has_gpu = settings.inference_instance_type.startswith(("ml.g", "ml.p"))
    return {"InferenceAmiVersion": settings.inference_ami_version} if has_gpu and settings.inference_ami_version else {}


def scale(name: str, most_instances: int) -> None:
    """From zero to `most_instances` by backlog, and the step policy without which a small batch never wakes an
    endpoint at zero.
    """
    scaling, resource = aws.client("application-autoscaling"), _resource(name)
    target = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=most_instances)
    scaling.put_scaling_policy(
        **target,
        PolicyName=f"{name}-backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": BACKLOG_PER_INSTANCE,
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 300,
            "CustomizedMetricSpecification": {
                "Namespace": "AWS/SageMaker",
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Statistic": "Average",
                "Dimensions": [{"Name": "EndpointName", "Value": name}],
            },
        },
    )
    wake = scaling.put_scaling_policy(
        **target,
        PolicyName=f"{name}-wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": 300,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        },
    )
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-wake",
        AlarmDescription="Requests wait while the endpoint has no instance",
        AlarmActions=[wake["PolicyARN"]],
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": name}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=2,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
    )


def remove(name: str) -> None:
    """Takes an endpoint away with everything that was made for it; what is gone already is fine.

    The endpoint goes first: whatever fails after it leaves no paid instance behind.
    """
    sagemaker = aws.client("sagemaker")
    _if_there(sagemaker.delete_endpoint, EndpointName=name)
    _if_there(sagemaker.delete_endpoint_config, EndpointConfigName=name)
    _if_there(sagemaker.delete_model, ModelName=name)
    scaling = aws.client("application-autoscaling")
    target = {"ServiceNamespace": "sagemaker", "ResourceId": _resource(name), "ScalableDimension": DIMENSION}
    for policy in (f"{name}-backlog", f"{name}-wake"):
        _if_there(scaling.delete_scaling_policy, PolicyName=policy, **target)
    _if_there(scaling.deregister_scalable_target, **target)
    aws.client("cloudwatch").delete_alarms(AlarmNames=[f"{name}-wake"])


def trouble(name: str) -> str:
    """Why the endpoint cannot take requests now, and what to do; empty when it can."""
    advice = "roll back to a model that serves, or start a training; then start the batch again with resume: true"
    try:
        described = aws.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" in aws.error_message(error):
            return f"the champion's endpoint {name} does not exist: {advice}"
        raise
    if (status := described["EndpointStatus"]) in SERVES:
        return ""
    return f"the champion's endpoint {name} is {status} ({described.get('FailureReason', 'no reason given')}): {advice}"


def state(name: str) -> str:
    """What SageMaker calls its state; empty where there is no such endpoint."""
    try:
        return str(aws.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"])
    except ClientError as error:
        if "Could not find" in aws.error_message(error):
            return ""
        raise


def names(prefix: str) -> list[str]:
    """Endpoints of this stack, newest first."""
    pages = (
        aws.client("sagemaker")
        .get_paginator("list_endpoints")
        .paginate(NameContains=prefix, SortBy="CreationTime", SortOrder="Descending")
    )
    return [
        entry["EndpointName"]
        for page in pages
        for entry in page["Endpoints"]
        if naming.is_endpoint(prefix, entry["EndpointName"])
    ]


def _resource(name: str) -> str:
    return f"endpoint/{name}/variant/{VARIANT}"


def _unless_there(create_call: Any, **request: Any) -> None:
    try:
        create_call(**request)
    except ClientError as error:
        if "already exist" not in aws.error_message(error):
            raise


def _if_there(delete_call: Any, **request: Any) -> None:
    try:
        delete_call(**request)
    except ClientError as error:
        missing = "Could not find" in aws.error_message(error) or aws.error_code(error) in (
            "ObjectNotFoundException",
            "ResourceNotFound",
        )
        if not missing:
            raise


def ended(endpoint: str) -> Outcome | None:
    """How the deployment ended; None while it goes on."""
    try:
        described = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" in aws.error_message(error):
            return Outcome(False, error="DeploymentFailed", cause=f"endpoint {endpoint} does not exist")
        raise
    status = described["EndpointStatus"]
    if status == "InService":
        return Outcome(True, {"endpoint": endpoint})
    if status in ("Failed", "OutOfService", "Deleting", "UpdateRollbackFailed"):
        return Outcome(
            False,
            error="DeploymentFailed",
            cause=f"endpoint {endpoint} is {status}: {described.get('FailureReason', 'no reason given')}",
        )
    return None


def answered(callback: Callback) -> Outcome | None:
    """What came of an inference request; None while nothing has.

    The objects in S3 are the truth: an output is success, a failure object is failure, whatever a notice says.

    Both count only where the request put them: where SageMaker said they would be, and until that is noted where the
    request asked for the output.
    """
    output_uri = str(callback.details.get("output_uri") or callback.details.get("expected_uri", ""))
    if output_uri and storage.exists(storage.own_key(output_uri)):
        return Outcome(True, {"output_uri": output_uri})
    failure_uri = str(callback.details.get("failure_uri", ""))
    if failure_uri and storage.exists(storage.own_key(failure_uri)):
        reason = storage.read_start(storage.own_key(failure_uri), MOST_REASON_BYTES).decode("utf-8", "replace")
        return Outcome(False, error="TransientError", cause=f"the endpoint could not answer: {reason[:2000]}")
    return None
