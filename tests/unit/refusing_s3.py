"""An S3 that does not hand out some of its objects, whoever asks: what moto does not do by itself."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError
from labelloop.store import aws

READS = ("GetObject", "HeadObject", "CopyObject")


def refuse(
    keys: Collection[str], code: str = "AccessDenied", message: str = "Access Denied", status: int = 403
) -> None:
    """From now on these objects are refused with this error, to be read, looked at or copied."""

    def look(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        key = params.get("CopySource", params).get("Key") if model.name in READS else None
        if key in keys:
            told = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(told, model.name)

    aws.client("s3").meta.events.register("provide-client-params.s3", look)


def counted(operation: str) -> Callable[[], int]:
    """How often S3 was asked for this, from now on."""
    calls: list[str] = []
    aws.client("s3").meta.events.register(f"provide-client-params.s3.{operation}", lambda **_: calls.append(operation))
    return lambda: len(calls)
