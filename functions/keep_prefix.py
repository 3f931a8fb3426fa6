"""Keep Prefix: a stack keeps the first part of its names. Everything that is named refers to this resource, so it is
asked before anything is made, changed or replaced.

CloudFormation custom resource; its physical id is the prefix. Renamed, functions would be replaced while executions
call them, and jobs and endpoints of the old name would belong to nobody: that is refused, with a sentence.
"""

import time
from typing import Any

from botocore.exceptions import ClientError
from labelloop.store import aws, custom_resources
from labelloop.store.observability import entry, logger

# Of every version of the stack, and named `<prefix>-RegisterBatch` in all of them.
WITNESS = "RegisterBatchFunction"
# Made a moment ago with the stack, this function's role may not be known everywhere yet.
SECONDS_FOR_A_NEW_ROLE = 30
SECONDS_BETWEEN_TRIES = 3


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    prefix, refusal = str(event["ResourceProperties"]["ResourcePrefix"]), ""
    if event["RequestType"] != "Delete":
        try:
            refusal = _refusal(_prefix_so_far(event), prefix)
        except Exception as error:  # CloudFormation waits for what is not answered, and then nobody knows why
            logger.exception("the stack's prefix could not be found out")
            refusal = f"which prefix the stack's names have could not be found out: {error}. Deploy again"
    custom_resources.answer(event, prefix, refusal)


def _refusal(before: str, prefix: str) -> str:
    if before in ("", prefix):
        return ""
    return (
        f"ResourcePrefix cannot be changed from {before!r} to {prefix!r}: functions, jobs, endpoints and permissions "
        f"of this stack have that name, and what runs would lose them. Nothing was changed: deploy with "
        f"ResourcePrefix={before}, or deploy a second stack, with a stack name of its own, for {prefix!r}"
    )


def _prefix_so_far(event: dict[str, Any]) -> str:
    """Empty for a new stack. A rollback asks for the prefix that was kept all the time, whatever was tried."""
    if event["RequestType"] == "Update":
        return str(event["PhysicalResourceId"])
    # A stack of a version without this resource has its names all the same.
    return _name_of_the_witness(event["StackId"]).removesuffix("-RegisterBatch")


def _name_of_the_witness(stack: str) -> str:
    deadline = time.monotonic() + SECONDS_FOR_A_NEW_ROLE
    while True:
        try:
            found = aws.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=WITNESS)
            return str(found["StackResourceDetail"].get("PhysicalResourceId", ""))
        except ClientError as error:
            if aws.error_code(error) == "ValidationError":  # the stack has no such resource yet
                return ""
            if not aws.error_code(error).startswith("AccessDenied") or time.monotonic() > deadline:
                raise
        time.sleep(SECONDS_BETWEEN_TRIES)
