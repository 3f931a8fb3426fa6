"""The deployed stack, as its outputs describe it. Region, profile and endpoint are boto3's business."""

from dataclasses import dataclass

from botocore.exceptions import ClientError
from labelloop.contracts import settings
from labelloop.store import aws, settings_documents

from cli.errors import Refused


@dataclass(frozen=True)
class Stack:
    name: str
    bucket: str
    label_batch_arn: str
    train_model_arn: str
    notification_topic: str


def connect(name: str) -> Stack:
    """Finds the stack; from here on `settings()` gives what it works with. Raises Refused saying what to do."""
    found = outputs(name)
    try:
        bucket, sha256 = found["DataBucketName"], found["SettingsSha256"]
        stack = Stack(name, bucket, found["LabelBatchArn"], found["TrainModelArn"], found["NotificationTopicArn"])
    except KeyError as error:
        raise Refused(
            f"The stack {name} has no output {error}: it is no labelloop stack, or one of an earlier version. "
            "Name another with --stack, or deploy this version."
        ) from None
    settings.source = lambda: settings_documents.stored_document(bucket, sha256)
    return stack


def outputs(name: str) -> dict[str, str]:
    """Raises Refused where there is no such stack."""
    cloudformation = aws.client("cloudformation")
    try:
        (described,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in aws.error_message(error):
            raise
        raise Refused(
            f"There is no stack {name} in {cloudformation.meta.region_name}. Name it with --stack, and its region and "
            "account with AWS_DEFAULT_REGION and AWS_PROFILE; for the embedded AWS: "
            'eval "$(python -m local env)".'
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
