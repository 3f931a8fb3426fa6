"""What a handler does to objects while a test runs it, against what its role in the template allows: a call that the
role does not allow is denied, as IAM would.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from made_up_stack import BUCKET

from lint.permissions import allow_statements
from lint.project import Project, listed

ROOT = Path(__file__).resolve().parents[2]
# What every call asks IAM for, besides the copy's source.
ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetBucketCors": "s3:GetBucketCORS",
}
used: dict[str, set[tuple[str, str]]] = defaultdict(set)  # function -> (action, key)
_lock = threading.Lock()


class _Services(threading.local):
    deep = False


_services = _Services()


@cache
def allowed(function: str) -> dict[str, set[str]]:
    """action -> patterns of keys; the bucket itself is the empty pattern."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, statement in allow_statements(Project(ROOT).template):
        resources = [one.get("Fn::Sub", "") for one in listed(statement["Resource"]) if isinstance(one, dict)]
        keys = {text.partition("/")[2] for text in resources if text.startswith("${DataBucket.Arn}/")}
        keys |= {"" for one in listed(statement["Resource"]) if one == {"Fn::GetAtt": ["DataBucket", "Arn"]}}
        if name == function:
            for action in listed(statement["Action"]):
                found[action] |= keys
    return found


def may(function: str, action: str, key: str) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in allowed(function)[action])


@contextlib.contextmanager
def acting_as(handler: str) -> Iterator[None]:
    """While the function of this handler works, S3 allows what its role does."""
    function = "".join(word.capitalize() for word in handler.split("_")) + "Function"
    call = BaseClient._make_api_call

    def checked(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if client.meta.service_model.service_name == "s3" and request.get("Bucket") == BUCKET and not _services.deep:
            for action, key in _asked(operation, request):
                with _lock:
                    used[function].add((action, key))
                if not may(function, action, key):
                    said = {"Code": "AccessDenied", "Message": f"{function} may not {action} {key!r}"}
                    raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)
        return call(client, operation, request)

    BaseClient._make_api_call = checked
    outside, _services.deep = _services.deep, False
    try:
        yield
    finally:
        BaseClient._make_api_call, _services.deep = call, outside


@contextlib.contextmanager
def as_the_service() -> Iterator[None]:
    """What an AWS service does while a function waits for it, it does in another role's name."""
    before = _services.deep
    _services.deep = True
    try:
        yield
    finally:
        _services.deep = before


def _asked(operation: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    source = request.get("CopySource")
    for place in (request, source) if isinstance(source, dict) else (request,):
        action = "s3:GetObject" if place is source else ACTIONS[operation]
        action += "Version" if place.get("VersionId") and action == "s3:GetObject" else ""
        yield action, str(place.get("Key", ""))
