"""Application Auto Scaling for endpoint variants: to zero when idle, and back when AWS would come back.

Without a scalable target an endpoint keeps its instance. With MinCapacity 0 and a target-tracking policy an endpoint
that was idle for LABELLOOP_IDLE_SECONDS (60) loses its instance and stays InService. A request then waits until
* the backlog exceeds the tracking target, or
* a step-scaling policy exists that is an action of a CloudWatch alarm on HasBacklogWithoutCapacity of this endpoint,
  for which a value of 1 breaches the threshold.
Periods and cooldowns are not waited for. There is never more than one instance.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from local.http import ServiceFault
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import Endpoint, World, chosen, log, now

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_RESOURCE = re.compile(r"^endpoint/([^/]+)/variant/([^/]+)$")
_BREACHES = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
}
_ALARM_SECONDS = 0.5
_POLICY_MEMBERS = (
    "PolicyName",
    "ServiceNamespace",
    "ResourceId",
    "ScalableDimension",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
)


def register_scalable_target(world: World, call: Call) -> dict[str, Any]:
    _only_variants(call)
    resource = call["ResourceId"]
    with world.lock:
        endpoint = _endpoint(world, resource)
        known = world.scalable_targets.get(resource, {})
        low, high = call.get("MinCapacity", known.get("MinCapacity")), call.get("MaxCapacity", known.get("MaxCapacity"))
        if low is None or high is None:
            raise ServiceFault(
                "ValidationException", "MinCapacity and MaxCapacity are required for a new scalable target."
            )
        if not 0 <= low <= high:
            raise ServiceFault("ValidationException", "Maximum capacity cannot be less than minimum capacity.")
        if endpoint.detail["EndpointStatus"] != "InService":
            raise ServiceFault(
                "ValidationException", f"{resource} cannot be registered: the endpoint is not InService."
            )
        if low > 1:
            raise not_implemented("more than one instance: MinCapacity above 1")
        _ask_sagemaker(world, call, endpoint)
        arn = known.get("ScalableTargetARN") or _scalable_target_arn(world, uuid.uuid4().hex)
        world.scalable_targets[resource] = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": _DIMENSION,
            "MinCapacity": low,
            "MaxCapacity": high,
            "RoleARN": f"arn:aws:iam::{world.context.account}:role/aws-service-role/sagemaker.application-autoscaling."
            "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            "CreationTime": known.get("CreationTime", now()),
            "ScalableTargetARN": arn,
        }
    return {"ScalableTargetARN": arn}


def _ask_sagemaker(world: World, call: Call, endpoint: Endpoint) -> None:
    """Application Auto Scaling looks at the variant in the caller's name, and must be able to change it so."""
    detail = endpoint.detail
    config_arn = detail["EndpointArn"].rpartition(":")[0] + f":endpoint-config/{detail['EndpointConfigName']}"
    for action, resource in (
        ("DescribeEndpoint", detail["EndpointArn"]),
        ("DescribeEndpointConfig", config_arn),
        ("UpdateEndpointWeightsAndCapacities", detail["EndpointArn"]),
    ):
        world.context.authorize(call.request, f"sagemaker:{action}", resource)


def _ask_cloudwatch(world: World, call: Call, resource: str, *actions: str) -> None:
    """The alarms that target tracking makes and deletes are made and deleted in the caller's name, too.

    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
    """
    alarm = f"arn:aws:cloudwatch:{world.context.region}:{world.context.account}:alarm:TargetTracking-{resource}-"
    for action in actions:
        # DescribeAlarms is asked for all alarms: listing takes no name.
        world.context.authorize(call.request, f"cloudwatch:{action}", "*" if action == "DescribeAlarms" else alarm)


def deregister_scalable_target(world: World, call: Call) -> dict[str, Any]:
    _only_variants(call)
    resource = call["ResourceId"]
    with world.lock:
        if world.scalable_targets.pop(resource, None) is None:
            raise _no_target(resource)
        for key in [key for key in world.scaling_policies if key[0] == resource]:
            del world.scaling_policies[key]
    return {}


def put_scaling_policy(world: World, call: Call) -> dict[str, Any]:
    _only_variants(call)
    resource, name = call["ResourceId"], call["PolicyName"]
    kind = call.get("PolicyType", "StepScaling")
    member = {
        "StepScaling": "StepScalingPolicyConfiguration",
        "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    }.get(kind)
    if member is None:
        raise not_implemented(f"scaling policies of type {kind}")
    if call.get(member) is None:
        raise ServiceFault("ValidationException", f"{member} is required for a policy of type {kind}.")
    if kind == "TargetTrackingScaling":
        _check_tracked_metric(call[member])
    with world.lock:
        if resource not in world.scalable_targets:
            raise _no_target(resource)
        if kind == "TargetTrackingScaling":
            _ask_cloudwatch(world, call, resource, "PutMetricAlarm", "DescribeAlarms")
        known = world.scaling_policies.get((resource, name), {})
        if known and known["PolicyType"] != kind:
            raise ServiceFault("ValidationException", "The policy type of an existing policy cannot be changed.")
        arn = known.get("PolicyARN") or (
            f"arn:aws:autoscaling:{world.context.region}:{world.context.account}:scalingPolicy:{uuid.uuid4()}:resource/"
            f"sagemaker/{resource}:policyName/{name}"
        )
        world.scaling_policies[resource, name] = {
            **chosen(call.parameters, _POLICY_MEMBERS),
            "PolicyType": kind,
            "PolicyARN": arn,
            "CreationTime": known.get("CreationTime", now()),
        }
    return {"PolicyARN": arn, "Alarms": []}


def delete_scaling_policy(world: World, call: Call) -> dict[str, Any]:
    _only_variants(call)
    with world.lock:
        known = world.scaling_policies.get((call["ResourceId"], call["PolicyName"]))
        if known is None:
            message = f"No scaling policy found for service namespace: sagemaker, resource ID: {call['ResourceId']}"
            raise ServiceFault("ObjectNotFoundException", f"{message}, policy name: {call['PolicyName']}")
        if known["PolicyType"] == "TargetTrackingScaling":
            _ask_cloudwatch(world, call, call["ResourceId"], "DeleteAlarms")
        del world.scaling_policies[call["ResourceId"], call["PolicyName"]]
    return {}


def forget(world: World, endpoint_name: str) -> None:
    """A deleted endpoint takes its target and policies along."""
    for resource in [r for r in world.scalable_targets if r.startswith(f"endpoint/{endpoint_name}/")]:
        del world.scalable_targets[resource]
        for key in [key for key in world.scaling_policies if key[0] == resource]:
            del world.scaling_policies[key]


def decide(world: World, endpoint: Endpoint) -> None:
    """Set how many instances the endpoint shall have now."""
    with world.lock:
        resource = f"endpoint/{endpoint.name}/variant/{endpoint.deployment.variant['VariantName']}"
        target = dict(world.scalable_targets.get(resource, {}))
        policies = [dict(policy) for key, policy in world.scaling_policies.items() if key[0] == resource]
        desired, backlog = endpoint.desired, endpoint.backlog
        idle = time.monotonic() - endpoint.idle_since
        settled = not endpoint.starting
    if not target or not settled:
        return
    if desired > 0:
        if target["MinCapacity"] == 0 and backlog == 0 and _tracks(policies) and idle >= world.idle_seconds:
            _set_desired(world, endpoint, 0)
    elif target["MinCapacity"] > 0 or (
        target["MaxCapacity"] > 0 and backlog and _wakes(world, endpoint, policies, backlog)
    ):
        _set_desired(world, endpoint, 1)


def _set_desired(world: World, endpoint: Endpoint, count: int) -> None:
    with world.lock:
        # A request may have come between the look and the decision.
        if count == 0 and endpoint.backlog:
            return
        endpoint.desired = count
    log.info("endpoint %s: %d instances", endpoint.name, count)


def _tracks(policies: list[dict[str, Any]]) -> bool:
    return any(policy["PolicyType"] == "TargetTrackingScaling" for policy in policies)


def _wakes(world: World, endpoint: Endpoint, policies: list[dict[str, Any]], backlog: int) -> bool:
    for policy in policies:
        if policy["PolicyType"] == "TargetTrackingScaling":
            if backlog > policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]:
                return True
        elif _adds_instances(policy) and _has_alarm(world, endpoint, policy["PolicyARN"]):
            return True
    return False


def _adds_instances(policy: dict[str, Any]) -> bool:
    steps = policy["StepScalingPolicyConfiguration"].get("StepAdjustments", [])
    return any(step["ScalingAdjustment"] > 0 and step.get("MetricIntervalLowerBound", 0) <= 0 for step in steps)


def _has_alarm(world: World, endpoint: Endpoint, policy_arn: str) -> bool:
    moment = time.monotonic()
    if moment < endpoint.alarms_read_at + _ALARM_SECONDS:
        return False
    endpoint.alarms_read_at = moment
    try:
        pages = world.roles.service_client("cloudwatch").get_paginator("describe_alarms").paginate()
        alarms = [alarm for page in pages for alarm in page.get("MetricAlarms", [])]
    except AWS_ERRORS as error:
        log.warning("alarms of endpoint %s: %s", endpoint.name, error_text(error))
        return False
    return any(_is_wake_alarm(alarm, endpoint.name, policy_arn) for alarm in alarms)


def _is_wake_alarm(alarm: dict[str, Any], endpoint_name: str, policy_arn: str) -> bool:
    breaches = _BREACHES.get(alarm.get("ComparisonOperator", ""))
    return (
        alarm.get("Namespace") == "AWS/SageMaker"
        and alarm.get("MetricName") == "HasBacklogWithoutCapacity"
        and {"Name": "EndpointName", "Value": endpoint_name} in alarm.get("Dimensions", [])
        and len(alarm.get("Dimensions", [])) == 1
        and policy_arn in alarm.get("AlarmActions", [])
        and alarm.get("ActionsEnabled", True)
        and breaches is not None
        and breaches(1.0, alarm.get("Threshold", 0.0))
    )


def _check_tracked_metric(configuration: dict[str, Any]) -> None:
    metric = configuration.get("CustomizedMetricSpecification", {})
    if metric.get("MetricName") != "ApproximateBacklogSizePerInstance" or metric.get("Namespace") != "AWS/SageMaker":
        raise not_implemented(
            "target tracking of anything but AWS/SageMaker ApproximateBacklogSizePerInstance (asynchronous endpoints "
            "publish no SageMakerVariantInvocationsPerInstance)"
        )


def _only_variants(call: Call) -> None:
    if call["ServiceNamespace"] != "sagemaker" or call["ScalableDimension"] != _DIMENSION:
        raise not_implemented(f"scaling of {call['ServiceNamespace']} {call['ScalableDimension']}")


def _endpoint(world: World, resource: str) -> Endpoint:
    match = _RESOURCE.match(resource)
    endpoint = world.endpoints.get(match.group(1)) if match else None
    if endpoint is None or match is None or endpoint.deployment.variant["VariantName"] != match.group(2):
        raise ServiceFault("ValidationException", f"SageMaker endpoint variant not found: {resource}")
    return endpoint


def _no_target(resource: str) -> ServiceFault:
    return ServiceFault(
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: sagemaker, resource ID: {resource}, scalable dimension: "
        f"{_DIMENSION}",
    )


def _scalable_target_arn(world: World, name: str) -> str:
    return f"arn:aws:application-autoscaling:{world.context.region}:{world.context.account}:scalable-target/{name}"
