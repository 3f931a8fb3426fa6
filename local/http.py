"""The contract between the server and the services mounted into it (SageMaker, Application Auto Scaling).

A mounted service is a function from Request to Response. It meets the rest of the embedded AWS only through
ServiceContext, so it needs to know nothing of MiniStack. Both sides code against this file.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from portal.server.memory_desk import MemoryDesk


@dataclass(frozen=True)
class Request:
    """One HTTP request, already authenticated (the signature was verified) but not yet authorized.

    service: the SigV4 credential scope ("sagemaker" also for sagemaker-runtime, "application-autoscaling", ...).
    path: as sent, percent-encoding kept. query: decoded names to decoded values. headers: names in lower case.
    """

    service: str
    region: str
    account: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    access_key: str


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


ServiceHandler = Callable[[Request], Awaitable[Response]]


class ServiceFault(Exception):
    """An error that the calling SDK shall see under its modelled name, e.g. ServiceFault("ValidationException", "...").

    A handler may let it escape: the server renders it as AWS JSON 1.1.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class AccessDenied(ServiceFault):
    """The caller's identity may not do this. The message names principal, action and resource, as on AWS."""

    def __init__(self, message: str, code: str = "AccessDeniedException", status: int = 400) -> None:
        super().__init__(code, message, status)


class FunctionFault(Exception):
    """An invoked Lambda function raised. `payload` is its {"errorMessage", "errorType", "stackTrace"?} document."""

    def __init__(self, function_arn: str, payload: Mapping[str, Any]) -> None:
        super().__init__(f"{function_arn} raised {payload.get('errorType')}: {payload.get('errorMessage')}")
        self.function_arn, self.payload = function_arn, payload


class Authorize(Protocol):
    def __call__(
        self, request: Request, action: str, resource_arn: str, /, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise AccessDenied unless the caller of `request` may do `action` ("sagemaker:CreateModel") on the ARN.

        Also for `iam:PassRole` with context={"iam:PassedToService": "sagemaker.amazonaws.com"}. Root keys may all.
        """


class PublishEvent(Protocol):
    def __call__(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """Put an event of an AWS service ("aws.sagemaker") on the default bus. From any thread."""


class RoleCredentials(Protocol):
    def __call__(self, role_arn: str, session_name: str, service: str = "sagemaker.amazonaws.com") -> dict[str, str]:
        """Environment of a process that acts as the role: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
        AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL. From any thread.

        Raises ServiceFault("ValidationException") when the role does not exist or does not trust `service`.
        The same role and session give the same keys.
        """


class InvokeFunction(Protocol):
    def __call__(self, function_arn: str, payload: Mapping[str, Any], role_arn: str) -> Any:
        """Invoke synchronously on behalf of the role. Blocks: call it from a thread, never from the event loop.

        Raises AccessDenied when the role lacks lambda:InvokeFunction, ServiceFault("ResourceNotFoundException") for
        an unknown function, FunctionFault when the function raised.
        """


@dataclass(frozen=True)
class ServiceContext:
    """What the server gives `create_services(context)`.

    endpoint_url: the one URL of this embedded AWS. state_dir: a directory of this run, deleted at shutdown.
    truth_path: known labels for the simulated annotators (`up --truth`), if given.
    container_python: the interpreter that runs the container's entry points.
    on_shutdown: register a blocking function, called in reverse order when the server stops; end your children there.
    root_credentials: environment of a process that may do everything, for what AWS does in no role's name.
    desk: where labelling jobs lay out tasks for people, and the portal finds them.
    """

    endpoint_url: str
    region: str
    account: str
    state_dir: Path
    repo_root: Path
    container_python: Path
    truth_path: Path | None
    authorize: Authorize
    publish_event: PublishEvent
    role_credentials: RoleCredentials
    invoke_function: InvokeFunction
    on_shutdown: Callable[[Callable[[], None]], None]
    desk: MemoryDesk
    root_credentials: Mapping[str, str] = field(repr=False)


def json_response(document: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(document).encode(), {"content-type": "application/x-amz-json-1.1"})


def fault_response(fault: ServiceFault) -> Response:
    """Error shape of the AWS JSON 1.1 protocol; the header serves the REST-JSON protocol of sagemaker-runtime."""
    document = {"__type": fault.code, "message": fault.message, "Message": fault.message}
    body = json.dumps(document).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": fault.code}
    return Response(fault.status, body, headers)
