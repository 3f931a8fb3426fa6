"""Instances of endpoints: a serving container started from a model, until it answers /ping."""

from __future__ import annotations

import http.client
import itertools
import secrets
import shutil
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

from local.http import ServiceFault
from local.sagemaker import objects
from local.sagemaker.containers import Container, container_environment
from local.sagemaker.models import model_data_unreadable
from local.sagemaker.roles import AWS_ERRORS
from local.sagemaker.store import Deployment, Endpoint, Server, World


def _loopback_address() -> str:
    """Model servers ask nobody for a key. Linux answers on all of 127.0.0.0/8: one that no page can guess."""
    if sys.platform != "linux":
        return "127.0.0.1"
    return ".".join(["127", *(str(1 + secrets.randbelow(254)) for _ in range(3))])


HOST = _loopback_address()
STOP_GRACE_SECONDS = 30.0

_HEALTH_CHECK_SECONDS = 240
_PING_SECONDS = 2.0
_numbers = itertools.count(1)


class StartFailure(Exception):
    """An instance could not be started; the text is the endpoint's FailureReason."""


def start_server(world: World, endpoint: Endpoint, deployment: Deployment) -> Server:
    """Download the model, start the container, wait for /ping. Raises StartFailure; leaves nothing behind then."""
    image = world.registry.find(deployment.container["Image"], "serve")
    if image is None:
        raise StartFailure(f"The image '{deployment.container['Image']}' does not exist.")
    root = world.directory("endpoints", f"{endpoint.name}-{next(_numbers)}")
    server = None
    try:
        (root / "model").mkdir(parents=True, exist_ok=True)
        _fetch_model(world, deployment, root)
        port = _free_port()
        declared = {
            **image.environment,
            **deployment.container.get("Environment", {}),
            "SERVE_HOST": HOST,
            "SERVE_PORT": str(port),
        }
        credentials = world.roles.credentials(deployment.role_arn)
        environment = container_environment(root / "home", root, credentials, declared, deployment.isolated)
        log = world.log_file("endpoints", endpoint.name)
        container = world.containers.start(image.commands["serve"], environment, root, log)
        server = Server(container, port, root)
        _await_ping(world, endpoint, deployment, container, port)
    except BaseException as error:
        if server is not None:
            world.containers.forget(server.container)
        shutil.rmtree(root, ignore_errors=True)
        if isinstance(error, StartFailure) or not isinstance(error, Exception):
            raise
        reason = error.message if isinstance(error, ServiceFault) else f"InternalServerError: {error!r}"
        raise StartFailure(reason) from error
    return server


def stop_server(world: World, server: Server) -> None:
    """Let running invocations finish (30 s), then SIGTERM, 30 s, SIGKILL: how the service retires an instance."""
    deadline = time.monotonic() + STOP_GRACE_SECONDS
    while server.in_flight and server.container.running and time.monotonic() < deadline:
        if world.closing.wait(0.05):
            break
    server.container.stop(0 if world.closing.is_set() else STOP_GRACE_SECONDS)
    world.containers.forget(server.container)
    shutil.rmtree(server.directory, ignore_errors=True)


def kill_server(world: World, server: Server) -> None:
    world.containers.forget(server.container)
    shutil.rmtree(server.directory, ignore_errors=True)


def _fetch_model(world: World, deployment: Deployment, root: Path) -> None:
    uri = deployment.container.get("ModelDataUrl")
    if uri is None:
        return
    try:
        archive = objects.read(world.roles.client(deployment.role_arn, "s3"), uri)
    except AWS_ERRORS as error:
        raise StartFailure(model_data_unreadable(world, deployment.role_arn, uri)) from error
    try:
        objects.unpack(archive, root / "model")
    except objects.DataError as error:
        raise StartFailure(
            f"{error} Please ensure that the object located at {uri} is a valid tar.gz archive."
        ) from error


def _await_ping(world: World, endpoint: Endpoint, deployment: Deployment, container: Container, port: int) -> None:
    variant = deployment.variant
    limit = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _HEALTH_CHECK_SECONDS)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and container.running:
        if world.closing.is_set() or endpoint.detail["EndpointStatus"] == "Deleting":
            raise StartFailure("The endpoint was deleted while it started.")
        if ping(port):
            return
        world.closing.wait(0.05)
    raise StartFailure(
        f"The primary container for production variant {variant['VariantName']} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )


def ping(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PING_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
