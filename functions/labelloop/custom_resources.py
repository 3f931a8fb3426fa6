"""How a custom resource answers CloudFormation. Contract: AWS CloudFormation user guide, "Custom resource response
objects": a PUT to the pre-signed URL of the request, without a content type.
"""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any


def answer(
    event: Mapping[str, Any],
    physical_id: str,
    refusal: str = "",
    attributes: Mapping[str, str] | None = None,
) -> None:
    """SUCCESS with what Fn::GetAtt shall find, or FAILED with a sentence, which CloudFormation shows to people."""
    body = {
        "Status": "FAILED" if refusal else "SUCCESS",
        "Reason": refusal[:1000],
        "PhysicalResourceId": event.get("PhysicalResourceId", physical_id),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": dict(attributes or {}),
    }
    told = json.dumps(body).encode()
    request = urllib.request.Request(event["ResponseURL"], told, {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
