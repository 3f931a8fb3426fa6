"""Complete Inference: an asynchronous endpoint's notice (SNS through SQS) answers the waiting shard.

A notice is a hint: only the request's id is read from it, the objects in S3 are the truth. A notice for an unknown id
fails, comes again, and ends in the dead-letter queue: the row is written before the request, so only a foreign
request has none.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from labelloop.contracts import events
from labelloop.contracts.errors import TransientError
from labelloop.engines import endpoints
from labelloop.store import callbacks
from labelloop.store.observability import count, entry, logger

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@entry
def handler(event: dict[str, Any], context: Any) -> Any:
    answer = process_partial_response(event=event, record_handler=complete, processor=processor, context=context)
    for _, error, _ in processor.exceptions:
        logger.warning("a notice was not taken, it will come again or be dead-lettered", reason=str(error))
    return answer


def complete(record: SQSRecord) -> None:
    notice = events.notice(record.body)
    if notice.get("eventName") != "InferenceResult":
        return
    inference_id = events.named(notice, "inferenceId")
    callback = callbacks.find("inference", inference_id)
    if callback is None:
        raise TransientError(f"no request is known under {inference_id} yet")
    outcome = endpoints.answered(callback)
    if outcome is None:
        raise TransientError(f"{inference_id} is announced as ended, but neither output nor failure is in S3 yet")
    callbacks.answer(callback, outcome)
    count("InferenceCompleted" if outcome.ok else "InferenceFailed")
    logger.info("inference answered", inference_id=inference_id, ok=outcome.ok)
