"""What SageMaker does in the name of a role: clients with the role's own credentials, and the check that it may."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.http import Request, ServiceContext, ServiceFault

_CLIENT_LIFETIME_SECONDS = 600.0
_CONFIG = Config(
    s3={"addressing_style": "path"},
    retries={"max_attempts": 2, "mode": "standard"},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
)

# ServiceFault: the role was deleted, or no longer trusts SageMaker.
AWS_ERRORS = (ClientError, BotoCoreError, ServiceFault)


@dataclass
class Roles:
    """boto3 clients per (role, service), shared by threads and renewed with their credentials."""

    context: ServiceContext
    _clients: dict[tuple[str, str], tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _session: Any = None

    def client(self, role_arn: str, service: str) -> Any:
        """Raises ServiceFault when the role does not exist (any more) or does not trust SageMaker."""
        with self._lock:
            made, client = self._clients.get((role_arn, service), (0.0, None))
            if client is None or time.monotonic() - made > _CLIENT_LIFETIME_SECONDS:
                client = self._make(service, self.credentials(role_arn))
                self._clients[role_arn, service] = (time.monotonic(), client)
            return client

    def service_client(self, service: str) -> Any:
        """A client of the service itself (Application Auto Scaling reading alarms): the account's own root key."""
        with self._lock:
            _, client = self._clients.get(("", service), (0.0, None))
            if client is None:
                client = self._make(service, self.context.root_credentials)
                self._clients["", service] = (time.monotonic(), client)
            return client

    def credentials(self, role_arn: str) -> dict[str, str]:
        return self.context.role_credentials(role_arn, "SageMaker")

    def _make(self, service: str, credentials: Mapping[str, str]) -> Any:
        if self._session is None:
            self._session = boto3.Session(botocore_session=botocore.session.Session())
        return self._session.client(
            service,
            endpoint_url=self.context.endpoint_url,
            region_name=self.context.region,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
            config=_CONFIG,
        )


def check_passed_role(context: ServiceContext, request: Request, role_arn: str) -> None:
    """The caller may pass the role to SageMaker, and SageMaker may assume it. Raises AccessDenied or ServiceFault."""
    context.authorize(request, "iam:PassRole", role_arn, context={"iam:PassedToService": "sagemaker.amazonaws.com"})
    try:
        context.role_credentials(role_arn, "SageMaker")
    except ServiceFault as fault:
        raise ServiceFault(
            "ValidationException",
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role.",
        ) from fault


def error_text(error: Exception) -> str:
    """An AWS error in one line: the code first, so that a person sees AccessDenied at once."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{details.get('Code', 'Unknown')} when calling {error.operation_name}: {details.get('Message', '')}"
    return str(error)


def error_code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
