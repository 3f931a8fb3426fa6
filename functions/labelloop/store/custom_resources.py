"""How a custom resource hears from CloudFormation and answers it. Contract: AWS CloudFormation user guide, "Custom
resource response objects": a PUT to the pre-signed URL of the request, without a content type.
"""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from labelloop.store import aws
from labelloop.store.observability import logger

# The whole answer may have 4,096 bytes; ids and attributes need a few hundred of them.
LONGEST_REASON_BYTES = 2500
# A resource that an update made is deleted when the update is rolled back, and one that an update leaves out after it.
_STAYS = ("UPDATE_", "IMPORT_")


def stack_goes(event: Mapping[str, Any]) -> bool:
    """Whether this Delete is part of deleting the whole stack, and not of an update or of its rollback.

    A stack that cannot be asked is taken to go: otherwise its deletion would hang.
    """
    if event["RequestType"] != "Delete":
        return False
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
        status = str(stacks[0]["StackStatus"])
    except Exception as error:
        logger.warning("the stack's status is unknown; it is taken as being deleted", reason=str(error))
        return True
    if status.startswith(_STAYS):
        logger.info("the stack stays, nothing is ended", status=status)
        return False
    return True


def answer(
    event: Mapping[str, Any],
    physical_id: str,
    refusal: str = "",
    attributes: Mapping[str, str] | None = None,
) -> None:
    """SUCCESS with what Fn::GetAtt shall find, or FAILED with a sentence, which CloudFormation shows to people."""
    body = {
        "Status": "FAILED" if refusal else "SUCCESS",
        "Reason": refusal.encode(errors="replace")[:LONGEST_REASON_BYTES].decode(errors="ignore"),
        "PhysicalResourceId": event.get("PhysicalResourceId", physical_id),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": dict(attributes or {}),
    }
    told = json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(event["ResponseURL"], told, {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
