"""Find Missing Predictions: compares a round's images with the predictions in S3, and prepares requests for single
images.
"""

from typing import Any

from labelloop import batches, storage
from labelloop.batches import Files
from labelloop.observability import count, entry, logger

# Attempt 1 runs a few single requests at a time; attempt 2 one at a time, so that an image that kills the worker
# takes no other with it.
CONCURRENCY = {1: 4, 2: 1}
# More than this missing is no poison image but a broken endpoint: the rest is judged without a prediction.
MOST_SINGLE_REQUESTS = 500


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`attempt` counts the attempts already made; the answer's count is 0 when nothing is missing or no attempt is
    left.
    """
    files, number, attempt = Files(event["batch_id"]), int(event["round"]), int(event["attempt"]) + 1
    asked = _asked(files, number)
    found = batches.predictions(files.batch_id, number)
    missing = [request for request in asked if request["source-ref"] not in found]
    if missing:
        count("PredictionsMissing", len(missing))
        logger.warning("predictions are missing", missing=len(missing), asked=len(asked), attempt=attempt)
    if not missing or attempt not in CONCURRENCY:
        return {"count": 0, "attempt": attempt, "concurrency": 1, "requests_key": ""}
    requests_key = batches.write_shards(files, f"single-{number}-{attempt}", missing[:MOST_SINGLE_REQUESTS], 1)
    return {
        "count": len(missing),
        "attempt": attempt,
        "concurrency": CONCURRENCY[attempt],
        "requests_key": requests_key,
    }


def _asked(files: Files, number: int) -> list[dict[str, Any]]:
    items = storage.read_lines(files.shard(f"infer-{number}"))
    return [request for item in items for request in storage.read_lines(storage.own_key(item["uri"]))]
