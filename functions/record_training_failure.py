"""Record Training Failure: says why, stops what the execution started, removes the endpoint that it deployed for
nothing, and releases the lock. The champion serves on.
"""

from typing import Any

from labelloop.store import ledger, notices
from labelloop.store.observability import count, entry, logger
from labelloop.work import failures


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
    notices.tell(
        f"training-failed/{execution}/{ledger.redrives(execution)}",
        "Training failed, the champion serves on",
        f"{execution}\n{cause}",
    )
    return {"cause": cause}
