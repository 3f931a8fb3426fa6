"""Complete Inference: an asynchronous endpoint's notice (SNS through SQS) answers the waiting shard.

A notice is a hint: the objects in S3 are the truth. A notice for an unknown id fails, comes again, and ends in the
dead-letter queue:
the row is written before the request, so only a foreign request has none.
"""

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from labelloop import callbacks, outcomes
from labelloop.errors import TransientError
from labelloop.observability import count, entry, logger

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@entry
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=complete, processor=processor, context=context)


def complete(record: SQSRecord) -> None:
    body = json.loads(record.body)
    notice = json.loads(body["Message"]) if "Message" in body else body
    if notice.get("eventName") != "InferenceResult":
        return
    inference_id = notice["inferenceId"]
    callback = callbacks.find("inference", inference_id)
    if callback is None:
        raise TransientError(f"no request is known under {inference_id} yet")
    failed = notice.get("invocationStatus") == "Failed"
    reason = notice.get("failureReason", "the endpoint gave no reason") if failed else ""
    announced = notice.get("responseParameters", {}).get("outputLocation", "")
    outcome = outcomes.inference(callback, failure_reason=reason, announced_uri=announced)
    if outcome is None:
        raise TransientError(f"{inference_id} is announced as complete, but its output is not there yet")
    callbacks.answer(callback, outcome)
    count("InferenceCompleted" if outcome.ok else "InferenceFailed")
    logger.info("inference answered", inference_id=inference_id, ok=outcome.ok)
