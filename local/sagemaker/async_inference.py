"""InvokeEndpointAsync: queue, call the container, write the result, tell the topic.

Nothing is retried and nothing is de-duplicated on InferenceId, as on AWS. What AWS does not document is decided like
this: a request older than its TTL disappears silently (no object, no notice: the poller's case); the failure object
is `<S3FailurePath>/<random>-error.out`, without S3OutputPathExtension; a failure notice names no object.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from contextlib import closing
from datetime import datetime
from typing import Any

from local.http import Response, ServiceFault
from local.sagemaker import fleet, objects
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import Deployment, Endpoint, Invocation, Server, World, log, now

_DEFAULT_TTL_SECONDS = 21600
_DEFAULT_TIMEOUT_SECONDS = 900
# SageMaker chooses when the configuration does not say.
_DEFAULT_CONCURRENCY = 4


class InvocationFailure(Exception):
    """`reason` goes into the notice, `body` into the failure object."""

    def __init__(self, reason: str, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason, self.body = reason, body or reason.encode()


class NotDelivered(Exception):
    """The container is not there (any more) and has not seen the request, which goes back to the queue."""


def invoke_endpoint_async(world: World, call: Call) -> Response:
    if call.get("Body") is not None:
        raise not_implemented("an inline Body of InvokeEndpointAsync: use InputLocation")
    if call.get("InputLocation") is None:
        raise ServiceFault("ValidationError", "InputLocation is required.")
    if not call["InputLocation"].startswith("s3://"):
        raise not_implemented("an https InputLocation: use s3://")
    with world.lock:
        endpoint = serving_endpoint(world, call["EndpointName"])
        output = endpoint.deployment.output
        if not output:
            raise ServiceFault(
                "ValidationError", f"Endpoint {endpoint.name} is not configured for asynchronous inference."
            )
        invocation = _invocation(call, output)
        endpoint.queue.append(invocation)
    pump(world, endpoint)
    headers = {
        "content-type": "application/json",
        "x-amzn-sagemaker-outputlocation": invocation.output_location,
    }
    if invocation.failure_location:
        headers["x-amzn-sagemaker-failurelocation"] = invocation.failure_location
    return Response(202, json.dumps({"InferenceId": invocation.inference_id}).encode(), headers)


def serving_endpoint(world: World, name: str) -> Endpoint:
    endpoint = world.endpoints.get(name)
    if endpoint is None or endpoint.detail["EndpointStatus"] not in ("InService", "Updating", "RollingBack"):
        raise ServiceFault("ValidationError", f"Endpoint {name} of account {world.context.account} not found.")
    return endpoint


def pump(world: World, endpoint: Endpoint) -> None:
    """Hand queued requests to the instance, as many at once as MaxConcurrentInvocationsPerInstance allows."""
    while True:
        with world.lock:
            server, deployment = endpoint.server, endpoint.deployment
            client = deployment.config.get("AsyncInferenceConfig", {}).get("ClientConfig", {})
            limit = client.get("MaxConcurrentInvocationsPerInstance", _DEFAULT_CONCURRENCY)
            if server is None or not endpoint.queue or server.in_flight >= limit or world.closing.is_set():
                return
            if not server.container.running:
                # The watch replaces it; requests wait for the next instance.
                return
            invocation = endpoint.queue.popleft()
            endpoint.in_flight += 1
            server.in_flight += 1
        _start(world, endpoint, deployment, server, invocation)


def expire(world: World, endpoint: Endpoint) -> None:
    with world.lock:
        moment = time.monotonic()
        for invocation in [i for i in endpoint.queue if i.deadline <= moment]:
            endpoint.queue.remove(invocation)
            log.warning("endpoint %s: request %s expired in the queue", endpoint.name, invocation.inference_id)


def _start(world: World, endpoint: Endpoint, deployment: Deployment, server: Server, invocation: Invocation) -> None:
    def work() -> None:
        notice, delivered = None, True
        try:
            notice = _process(world, deployment, server, invocation, endpoint.name)
        except NotDelivered:
            delivered = False
        finally:
            with world.lock:
                endpoint.in_flight -= 1
                server.in_flight -= 1
                endpoint.idle_since = time.monotonic()
                if not delivered:
                    endpoint.queue.appendleft(invocation)
        if notice is not None:
            pump(world, endpoint)
            _notify(world, deployment, *notice)

    world.spawn(f"invocation {invocation.inference_id}", work)


def _process(
    world: World, deployment: Deployment, server: Server, invocation: Invocation, endpoint_name: str
) -> tuple[dict[str, Any], str]:
    """Do one request; returns the notice and the name of its topic in NotificationConfig."""
    try:
        content_type = _invoke(world, deployment, server, invocation)
    except InvocationFailure as failure:
        _write_failure(world, deployment, invocation, failure)
        return _notice(world, endpoint_name, invocation, failure.reason, None), "ErrorTopic"
    return _notice(world, endpoint_name, invocation, None, content_type), "SuccessTopic"


def _invoke(world: World, deployment: Deployment, server: Server, invocation: Invocation) -> str:
    """Download, POST /invocations, upload; returns the content type of the result."""
    if world.faults.take_count("invocation_failures"):
        raise _server_error(500, b"injected fault")
    if world.faults.current.outage and not world.faults.take_count("healthy_invocations"):
        raise _server_error(503, b"injected outage")
    s3 = world.roles.client(deployment.role_arn, "s3")
    try:
        body = objects.read(s3, invocation.input_location)
    except (*AWS_ERRORS, objects.DataError) as error:
        reason = f"ClientError: Unable to download input data from {invocation.input_location}: {error_text(error)}"
        raise InvocationFailure(reason) from error
    status, content_type, answer = _post(server, invocation, body)
    if status >= http.client.BAD_REQUEST:
        raise _server_error(status, answer)
    try:
        objects.write(s3, invocation.output_location, answer, content_type)
    except AWS_ERRORS as error:
        reason = f"ClientError: Unable to upload the result to {invocation.output_location}: {error_text(error)}"
        raise InvocationFailure(reason) from error
    return content_type


def _post(server: Server, invocation: Invocation, body: bytes) -> tuple[int, str, bytes]:
    headers = {"Content-Length": str(len(body))}
    if invocation.content_type:
        headers["Content-Type"] = invocation.content_type
    if invocation.accept:
        headers["Accept"] = invocation.accept
    connection = http.client.HTTPConnection(fleet.HOST, server.port, timeout=invocation.timeout_seconds)
    with closing(connection):
        try:
            connection.connect()
        except OSError as error:
            raise NotDelivered from error
        try:
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", "application/octet-stream"), response.read()
        except TimeoutError as error:
            reason = "ClientError: Your invocation timed out while waiting for a response from container primary."
            raise InvocationFailure(reason) from error
        except (OSError, http.client.HTTPException) as error:
            # The container went away under the request.
            raise _server_error(500, repr(error).encode()) from error


def _server_error(status: int, body: bytes) -> InvocationFailure:
    """Wording of the service (contract note, section 2.5); the failure object holds what the model said."""
    kind = "client" if status < http.client.INTERNAL_SERVER_ERROR else "server"
    reason = (
        f"ClientError: Received {kind} error ({status}) from model. See the SageMaker Endpoint logs in your account "
        "for more information."
    )
    text = body.decode("utf-8", "replace")
    return InvocationFailure(reason, f'Received {kind} error ({status}) from primary with message "{text}".'.encode())


def _write_failure(world: World, deployment: Deployment, invocation: Invocation, failure: InvocationFailure) -> None:
    if invocation.failure_location is None:
        return
    try:
        s3 = world.roles.client(deployment.role_arn, "s3")
        objects.write(s3, invocation.failure_location, failure.body, "text/plain")
    except AWS_ERRORS as error:
        log.warning("failure object %s: %s", invocation.failure_location, error_text(error))


def _notice(
    world: World, endpoint_name: str, invocation: Invocation, failure: str | None, content_type: str | None
) -> dict[str, Any]:
    """The message recorded from AWS (members, their order, times in milliseconds with Z)."""
    parameters = {
        "accept": invocation.accept,
        "contentType": invocation.content_type,
        "endpointName": endpoint_name,
        "inputLocation": invocation.input_location,
    }
    result: dict[str, Any] = {
        "awsRegion": world.context.region,
        "eventTime": _timestamp(now()),
        "receivedTime": _timestamp(invocation.received),
        "invocationStatus": "Failed" if failure else "Completed",
    }
    if failure:
        result["failureReason"] = failure
    result["requestParameters"] = {name: value for name, value in parameters.items() if value is not None}
    if not failure:
        result["responseParameters"] = {"contentType": content_type, "outputLocation": invocation.output_location}
    return {
        **result,
        "inferenceId": invocation.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def _notify(world: World, deployment: Deployment, message: dict[str, Any], topic: str) -> None:
    faults = world.faults.current
    arn = deployment.output.get("NotificationConfig", {}).get(topic)
    if arn is None or world.closing.is_set():
        return
    copies = 1
    if topic == "SuccessTopic":
        copies = 0 if world.faults.take_count("drop_success_notices") else faults.duplicate_success_notices
    with world.lock:
        world.notices.append({"topic": topic, "copies": copies, "message": message})
    try:
        sns = world.roles.client(deployment.role_arn, "sns")
        for _ in range(copies):
            sns.publish(TopicArn=arn, Message=json.dumps(message, separators=(",", ":")))
    except AWS_ERRORS as error:
        log.warning("notice to %s: %s", arn, error_text(error))


def _invocation(call: Call, output: dict[str, Any]) -> Invocation:
    name = str(uuid.uuid4())
    folder = objects.join_uri(output["S3OutputPath"], call.get("S3OutputPathExtension", ""))
    failure = output.get("S3FailurePath")
    return Invocation(
        inference_id=call.get("InferenceId") or str(uuid.uuid4()),
        input_location=call["InputLocation"],
        output_location=objects.join_uri(folder, call.get("Filename") or f"{name}.out"),
        failure_location=objects.join_uri(failure, f"{name}-error.out") if failure else None,
        content_type=call.get("ContentType"),
        accept=call.get("Accept"),
        timeout_seconds=call.get("InvocationTimeoutSeconds", _DEFAULT_TIMEOUT_SECONDS),
        received=now(),
        deadline=time.monotonic() + call.get("RequestTTLSeconds", _DEFAULT_TTL_SECONDS),
    )


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
