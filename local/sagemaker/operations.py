"""Every operation that is implemented: its handler, the ARNs it is authorised on, the parameters it understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.http import Response
from local.sagemaker import (
    async_inference,
    endpoints,
    labeling,
    model_packages,
    models,
    scaling,
    training,
)
from local.sagemaker.requests import Call
from local.sagemaker.store import World

Handler = Callable[[World, Call], dict[str, Any] | Response]
Arns = Callable[[World, Call], list[str]]


@dataclass(frozen=True)
class Operation:
    """refused: parameters AWS has and this emulation refuses by name, because ignoring them would change results."""

    handler: Handler
    arns: Arns
    refused: frozenset[str] = frozenset()


def _named(kind: str, parameter: str) -> Arns:
    return lambda world, call: [world.arn(kind, call[parameter])]


def _any(world: World, call: Call) -> list[str]:
    return ["*"]


def _endpoint_and_config(world: World, call: Call) -> list[str]:
    return [world.arn("endpoint", call["EndpointName"]), world.arn("endpoint-config", call["EndpointConfigName"])]


def _group(world: World, call: Call) -> list[str]:
    return [world.arn("model-package-group", call["ModelPackageGroupName"].rsplit("/", 1)[-1])]


def _new_package(world: World, call: Call) -> list[str]:
    group = call.get("ModelPackageGroupName", "")
    return [world.arn("model-package", f"{group.rsplit('/', 1)[-1]}/*")]


def _scalable_target(world: World, call: Call) -> list[str]:
    known = world.scalable_targets.get(call["ResourceId"], {})
    context = world.context
    return [
        known.get("ScalableTargetARN")
        or f"arn:aws:application-autoscaling:{context.region}:{context.account}:scalable-target/*"
    ]


_TRAINING_REFUSED = frozenset(
    {
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "TensorBoardOutputConfig",
        "ExperimentConfig",
        "ProfilerConfig",
        "ProfilerRuleConfigurations",
        "RemoteDebugConfig",
        "InfraCheckConfig",
        "SessionChainingConfig",
        "ServerlessJobConfig",
        "MlflowConfig",
        "ModelPackageConfig",
        "CheckpointConfig",
    }
)
_CONFIG_REFUSED = frozenset(
    {
        "DataCaptureConfig",
        "ExplainerConfig",
        "ShadowProductionVariants",
        "ExecutionRoleArn",
        "VpcConfig",
        "EnableNetworkIsolation",
        "MetricsConfig",
    }
)
_PACKAGE_REFUSED = frozenset(
    {
        "ModelPackageName",
        "ModelPackageRegistrationType",
        "ValidationSpecification",
        "SourceAlgorithmSpecification",
        "DriftCheckBaselines",
        "AdditionalInferenceSpecifications",
        "SecurityConfig",
        "ModelCard",
        "ModelLifeCycle",
        "ManagedStorageType",
    }
)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("sagemaker", name): operation
    for name, operation in {
        "CreateTrainingJob": Operation(
            training.create_training_job, _named("training-job", "TrainingJobName"), _TRAINING_REFUSED
        ),
        "DescribeTrainingJob": Operation(training.describe_training_job, _named("training-job", "TrainingJobName")),
        "StopTrainingJob": Operation(training.stop_training_job, _named("training-job", "TrainingJobName")),
        "ListTrainingJobs": Operation(
            training.list_training_jobs, _any, frozenset({"WarmPoolStatusEquals", "TrainingPlanArnEquals"})
        ),
        "CreateModel": Operation(
            models.create_model, _named("model", "ModelName"), frozenset({"InferenceExecutionConfig"})
        ),
        "DeleteModel": Operation(models.delete_model, _named("model", "ModelName")),
        "CreateEndpointConfig": Operation(
            models.create_endpoint_config, _named("endpoint-config", "EndpointConfigName"), _CONFIG_REFUSED
        ),
        "DeleteEndpointConfig": Operation(
            models.delete_endpoint_config, _named("endpoint-config", "EndpointConfigName")
        ),
        "ListEndpointConfigs": Operation(models.list_endpoint_configs, _any),
        "CreateEndpoint": Operation(endpoints.create_endpoint, _endpoint_and_config, frozenset({"DeploymentConfig"})),
        "DescribeEndpoint": Operation(endpoints.describe_endpoint, _named("endpoint", "EndpointName")),
        "DeleteEndpoint": Operation(endpoints.delete_endpoint, _named("endpoint", "EndpointName")),
        "ListEndpoints": Operation(endpoints.list_endpoints, _any),
        "CreateLabelingJob": Operation(
            labeling.create_labeling_job,
            _named("labeling-job", "LabelingJobName"),
            frozenset({"LabelingJobAlgorithmsConfig"}),
        ),
        "DescribeLabelingJob": Operation(labeling.describe_labeling_job, _named("labeling-job", "LabelingJobName")),
        "StopLabelingJob": Operation(labeling.stop_labeling_job, _named("labeling-job", "LabelingJobName")),
        "ListLabelingJobs": Operation(labeling.list_labeling_jobs, _any),
        "CreateModelPackageGroup": Operation(
            model_packages.create_model_package_group, _group, frozenset({"ManagedConfiguration"})
        ),
        "DescribeModelPackageGroup": Operation(model_packages.describe_model_package_group, _group),
        "CreateModelPackage": Operation(model_packages.create_model_package, _new_package, _PACKAGE_REFUSED),
    }.items()
}
OPERATIONS |= {
    ("sagemaker-runtime", "InvokeEndpointAsync"): Operation(
        async_inference.invoke_endpoint_async, _named("endpoint", "EndpointName"), frozenset({"CustomAttributes"})
    ),
}
OPERATIONS |= {
    ("application-autoscaling", name): operation
    for name, operation in {
        "RegisterScalableTarget": Operation(
            scaling.register_scalable_target, _scalable_target, frozenset({"SuspendedState", "Tags", "RoleARN"})
        ),
        "DeregisterScalableTarget": Operation(scaling.deregister_scalable_target, _scalable_target),
        "PutScalingPolicy": Operation(
            scaling.put_scaling_policy, _scalable_target, frozenset({"PredictiveScalingPolicyConfiguration"})
        ),
        "DeleteScalingPolicy": Operation(scaling.delete_scaling_policy, _scalable_target),
    }.items()
}
