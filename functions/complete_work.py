"""Complete Work: a notice that work outside has ended answers the state that waits for it.

Notices of inference come from SNS through SQS, those of jobs and endpoints from EventBridge. A notice is a hint: only
what it is about is read from it. One for an unknown inference request fails, comes again, and ends in the dead-letter
queue: the row is written before the request, so only a foreign request has none.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from labelloop.contracts import events
from labelloop.contracts.errors import TransientError
from labelloop.store import callbacks
from labelloop.store.callbacks import Callback
from labelloop.store.observability import count, entry, logger
from labelloop.work import outside

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@entry
def handler(event: dict[str, Any], context: Any) -> Any:
    if not _queued(event):
        return _job_or_endpoint(event)
    answer = process_partial_response(event=event, record_handler=inference, processor=processor, context=context)
    for _, error, _ in processor.exceptions:
        logger.warning("a notice was not taken, it will come again or be dead-lettered", reason=str(error))
    return answer


def _queued(event: dict[str, Any]) -> bool:
    """Whether SQS calls: its records have ids, by which those that were not taken are named."""
    records = event.get("Records")
    named = isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)
    return named and bool(records)


def _job_or_endpoint(event: dict[str, Any]) -> dict[str, Any]:
    kind, external_id = outside.changed(event)
    callback = callbacks.find(kind, external_id)
    ended = callback is not None and _complete(callback)
    logger.info("notice of outside work", kind=kind, work=external_id, known=callback is not None, ended=ended)
    return {kind: external_id}


def inference(record: SQSRecord) -> None:
    notice = events.notice(record.body)
    if notice.get("eventName") != "InferenceResult":
        return
    inference_id = events.named(notice, "inferenceId")
    callback = callbacks.find("inference", inference_id)
    if callback is None:
        raise TransientError(f"no request is known under {inference_id} yet")
    if not _complete(callback):
        raise TransientError(f"{inference_id} is announced as ended, but neither output nor failure is in S3 yet")
    logger.info("inference answered", inference_id=inference_id)


def _complete(callback: Callback) -> bool:
    """Whether the work has ended."""
    outcome = outside.answer(callback)
    if outcome is not None:
        completed, failed = outside.METRICS[callback.kind]
        count(completed if outcome.ok else failed)
    return outcome is not None
