"""Endpoints: the operations, and the watch that keeps the instance they shall have running, and no other."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

from local.http import ServiceFault
from local.sagemaker import async_inference, fleet, scaling
from local.sagemaker.listing import page
from local.sagemaker.models import find_endpoint_config, find_model, main_container
from local.sagemaker.requests import Call
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import Deployment, Endpoint, Server, World, chosen, log, milliseconds, now, tag_map

_EVENT = "SageMaker Endpoint State Change"
_EVENT_STATUS = {
    "Creating": "CREATING",
    "InService": "IN_SERVICE",
    "Deleting": "DELETING",
    "Failed": "FAILED",
}
_SUMMARY = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
_TEST_NOTIFICATION = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
_WATCH_SECONDS = 0.2
_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.5, 30.0


def create_endpoint(world: World, call: Call) -> dict[str, Any]:
    name = call["EndpointName"]
    arn = world.arn("endpoint", name)
    with world.lock:
        deployment = _deployment(world, call["EndpointConfigName"])
        if name in world.endpoints:
            raise ServiceFault("ValidationException", f'Cannot create already existing endpoint "{arn}".')
        _check_quota(deployment)
        moment = now()
        detail = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": call["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": moment,
            "LastModifiedTime": moment,
        }
        endpoint = Endpoint(arn, detail, deployment, starting=True)
        world.endpoints[name] = endpoint
        world.tags[arn] = tag_map(call.get("Tags"))
    _publish(world, endpoint)
    world.spawn(f"create endpoint {name}", lambda: _create(world, endpoint))
    return {"EndpointArn": arn}


def describe_endpoint(world: World, call: Call) -> dict[str, Any]:
    endpoint = find_endpoint(world, call["EndpointName"])
    config = endpoint.deployment.config
    variant = config["ProductionVariants"][0]
    weight = variant.get("InitialVariantWeight", 1.0)
    summary = {
        "VariantName": variant["VariantName"],
        "DeployedImages": [{"SpecifiedImage": endpoint.deployment.container["Image"], "ResolutionTime": now()}],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": 0 if endpoint.server is None else 1,
        "DesiredInstanceCount": endpoint.desired,
    }
    served = endpoint.detail["EndpointStatus"] not in ("Creating", "Failed")
    return {
        **endpoint.detail,
        **chosen(config, ("AsyncInferenceConfig",)),
        "ProductionVariants": [summary] if served else None,
    }


def delete_endpoint(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        endpoint = find_endpoint(world, call["EndpointName"])
        _refuse_in_progress(endpoint)
        endpoint.desired = 0
        server, endpoint.server = endpoint.server, None
        endpoint.queue.clear()
        scaling.forget(world, endpoint.name)
    _set_status(world, endpoint, "Deleting")
    world.spawn(f"delete endpoint {endpoint.name}", lambda: _delete(world, endpoint, server))
    return {}


def list_endpoints(world: World, call: Call) -> dict[str, Any]:
    items = (chosen(endpoint.detail, _SUMMARY) for endpoint in world.endpoints.values())
    return page(call, items, "Endpoints", "EndpointName", "EndpointStatus")


def find_endpoint(world: World, name: str) -> Endpoint:
    if name not in world.endpoints:
        raise ServiceFault("ValidationException", f'Could not find endpoint "{world.arn("endpoint", name)}".')
    return world.endpoints[name]


def watch(world: World) -> None:
    """Until shutdown: restart servers that died, scale to and from zero, expire and hand out queued requests."""
    while not world.closing.wait(_WATCH_SECONDS):
        with world.lock:
            endpoints = [e for e in world.endpoints.values() if e.detail["EndpointStatus"] == "InService"]
        for endpoint in endpoints:
            try:
                _look_after(world, endpoint)
            except Exception:
                log.exception("watching endpoint %s", endpoint.name)


def _look_after(world: World, endpoint: Endpoint) -> None:
    async_inference.expire(world, endpoint)
    scaling.decide(world, endpoint)
    with world.lock:
        if endpoint.starting or endpoint.detail["EndpointStatus"] != "InService":
            return
        server = endpoint.server
        gone = server if server is not None and (not server.container.running or endpoint.desired == 0) else None
        if gone is not None:
            endpoint.server = None
        start = endpoint.server is None and endpoint.desired > 0 and time.monotonic() >= endpoint.retry_at
        endpoint.starting = start
    if gone is not None:
        log.warning("endpoint %s: instance %s", endpoint.name, "scaled in" if gone.container.running else "died")
        world.spawn(f"retire instance of {endpoint.name}", lambda: fleet.stop_server(world, gone))
    if start:
        world.spawn(f"start instance of {endpoint.name}", lambda: _restart(world, endpoint))
    async_inference.pump(world, endpoint)


def _create(world: World, endpoint: Endpoint) -> None:
    try:
        server = fleet.start_server(world, endpoint, endpoint.deployment)
        _send_test_notifications(world, endpoint.deployment, server)
    except fleet.StartFailure as failure:
        with world.lock:
            endpoint.starting, endpoint.desired = False, 0
        _set_status(world, endpoint, "Failed", str(failure))
        return
    with world.lock:
        endpoint.server, endpoint.starting, endpoint.idle_since = server, False, time.monotonic()
    _set_status(world, endpoint, "InService")


def _delete(world: World, endpoint: Endpoint, server: Server | None) -> None:
    if server is not None:
        fleet.kill_server(world, server)
    with world.lock:
        world.endpoints.pop(endpoint.name, None)
        world.tags.pop(endpoint.arn, None)


def _restart(world: World, endpoint: Endpoint) -> None:
    """A new instance for an endpoint in service; after a failure it is tried again, later each time."""
    try:
        server = fleet.start_server(world, endpoint, endpoint.deployment)
    except fleet.StartFailure as failure:
        log.warning("endpoint %s: no instance: %s", endpoint.name, failure)
        with world.lock:
            endpoint.starting = False
            wait = min(_RETRY_SECONDS * 2**endpoint.failed_starts, _MAX_RETRY_SECONDS)
            endpoint.failed_starts += 1
            endpoint.retry_at = time.monotonic() + wait
        return
    with world.lock:
        endpoint.starting, endpoint.failed_starts = False, 0
        # A deletion may have begun meanwhile.
        kept = endpoint.detail["EndpointStatus"] == "InService" and endpoint.server is None
        if kept:
            endpoint.server, endpoint.idle_since = server, time.monotonic()
    if not kept:
        fleet.kill_server(world, server)
    async_inference.pump(world, endpoint)


def _send_test_notifications(world: World, deployment: Deployment, server: Server) -> None:
    """Raises StartFailure, with the server gone, when the model's role may not publish."""
    topics = deployment.output.get("NotificationConfig", {})
    for name in ("SuccessTopic", "ErrorTopic"):
        if name not in topics:
            continue
        try:
            sns = world.roles.client(deployment.role_arn, "sns")
            sns.publish(TopicArn=topics[name], Message=json.dumps(_TEST_NOTIFICATION, separators=(",", ":")))
        except AWS_ERRORS as error:
            fleet.kill_server(world, server)
            raise fleet.StartFailure(
                f"Unable to publish a test notification to {topics[name]} with role {deployment.role_arn}: "
                f"{error_text(error)}"
            ) from error


def _deployment(world: World, config_name: str) -> Deployment:
    config = copy.deepcopy(find_endpoint_config(world, config_name).detail)
    model = copy.deepcopy(find_model(world, config["ProductionVariants"][0]["ModelName"]).detail)
    container = copy.deepcopy(main_container(model))
    return Deployment(config, container, model["ExecutionRoleArn"], bool(model.get("EnableNetworkIsolation")))


def _check_quota(deployment: Deployment) -> None:
    """This machine is one instance per endpoint; asking for more fails as an exhausted quota does."""
    wanted = deployment.variant["InitialInstanceCount"]
    if wanted > 1:
        instance = deployment.variant["InstanceType"]
        raise ServiceFault(
            "ResourceLimitExceeded",
            f"The account-level service limit '{instance} for endpoint usage' is 1 Instances, with current utilization "
            f"of 0 Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to request an "
            "increase for this quota.",
        )


def _refuse_in_progress(endpoint: Endpoint) -> None:
    if endpoint.detail["EndpointStatus"] in ("Creating", "Deleting"):
        raise ServiceFault("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')


def _set_status(world: World, endpoint: Endpoint, status: str, reason: str | None = None) -> None:
    with world.lock:
        endpoint.detail["EndpointStatus"] = status
        endpoint.detail["FailureReason"] = reason[:1024] if reason else None
        endpoint.detail["LastModifiedTime"] = now()
    _publish(world, endpoint)


def _publish(world: World, endpoint: Endpoint) -> None:
    with world.lock:
        detail = endpoint.detail
        event = {
            **chosen(detail, ("EndpointName", "EndpointArn", "EndpointConfigName", "FailureReason")),
            "ProductionVariants": [{"DesiredWeight": 1.0, "DesiredInstanceCount": float(endpoint.desired)}],
            "EndpointStatus": _EVENT_STATUS[detail["EndpointStatus"]],
            "CreationTime": milliseconds(detail["CreationTime"]),
            "LastModifiedTime": milliseconds(detail["LastModifiedTime"]),
            "Tags": dict(world.tags.get(endpoint.arn, {})),
        }
    world.publish(_EVENT, event, endpoint.arn)
