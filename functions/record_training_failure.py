"""Record Training Failure: says why, stops what the execution started, removes the endpoint that it deployed for
nothing, and releases the lock. The champion serves on.
"""

from typing import Any

from labelloop import aws, failures, ledger
from labelloop.observability import count, entry, logger
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    execution, cause = event["execution"], failures.describe(event["error"])
    version = event["state"].get("comparison", {}).get("model_version", "")
    failures.stop_open_work(execution)
    if version:
        failures.remove_unpromoted_endpoint(version)
    ledger.release_lock(execution)
    count("TrainingFailed")
    logger.error("training failed", cause=cause)
    aws.client("sns").publish(
        TopicArn=settings().notification_topic,
        Subject="Training failed, the champion serves on",
        Message=f"{execution}\n{cause}",
    )
    return {"cause": cause}
