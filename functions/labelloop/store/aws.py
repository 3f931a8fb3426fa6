"""boto3 clients, one per service and process.

boto3 itself honours AWS_ENDPOINT_URL, so nothing here knows where it runs.
"""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
)

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60, max_pool_connections=32
)
# A function of the user's: what it may have begun is not begun again, and one silent page must not take all the time.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=50, max_pool_connections=32)
_CONFIGS = {"lambda": ONCE}
_NETWORK_ERRORS = (EndpointConnectionError, ConnectionError, HTTPClientError)
_THROTTLES = frozenset(
    [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "RequestTimeout",
        "ProvisionedThroughputExceededException",
        "TransactionConflictException",
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "InternalError",
        "ResourceLimitExceeded",
        "LimitExceededException",
        "OperationAborted",
        "KMS.ThrottlingException",
    ]
)


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=_CONFIGS.get(service, _CONFIG))


@cache
def table(name: str) -> Any:
    return boto3.resource("dynamodb", config=_CONFIG).Table(name)


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed later: throttling, a limit that frees up, the network, a 5xx."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _THROTTLES or status >= 500
    return isinstance(error, _NETWORK_ERRORS)
