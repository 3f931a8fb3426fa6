"""What people are told, once for each fact, however often the step that tells it is repeated.

The fact is noted after the message went out: a function that dies in between tells it again, and none is lost.
"""

import time

from botocore.exceptions import ClientError

from labelloop.contracts.settings import settings
from labelloop.store import aws

KEPT_SECONDS = 90 * 24 * 3600
LONGEST_SUBJECT = 100  # SNS


def tell(fact: str, subject: str, message: str) -> None:
    """`fact` identifies what happened, e.g. `labeling-waits/<job>`."""
    table, key = aws.table(settings().callbacks_table), {"id": f"notice#{fact}"}
    if "Item" in table.get_item(Key=key, ConsistentRead=True):
        return
    aws.client("sns").publish(
        TopicArn=settings().notification_topic, Subject=subject[:LONGEST_SUBJECT], Message=message
    )
    try:
        table.update_item(
            Key=key,
            UpdateExpression="SET expires = :later",
            ConditionExpression="attribute_not_exists(id)",
            ExpressionAttributeValues={":later": int(time.time()) + KEPT_SECONDS},
        )
    except ClientError as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
