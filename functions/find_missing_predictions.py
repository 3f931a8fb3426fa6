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
# More than this missing is no poison image but a broken endpoint: the round is judged without these predictions.
MOST_SINGLE_REQUESTS = 500


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`attempt` counts the attempts already made; the answer's count is 0 when nothing is missing, when asking again
    is of no use, or when no attempt is left.
    """
    files, number, attempt = Files(event["batch_id"]), int(event["round"]), int(event["attempt"]) + 1
    shards = _asked(files, number)
    found = batches.predictions(files.batch_id, number)
    missing = [request for shard in shards for request in shard if request["source-ref"] not in found]
    if missing:
        count("PredictionsMissing", len(missing))
        asked = sum(map(len, shards))
        logger.warning("predictions are missing", missing=len(missing), asked=asked, attempt=attempt)
    silent = not found and (len(shards) > 1 or attempt > 1)  # one shard alone may hold an image that kills the worker
    if not missing or silent or len(missing) > MOST_SINGLE_REQUESTS or attempt not in CONCURRENCY:
        return {"count": 0, "attempt": attempt, "concurrency": 1, "requests_key": ""}
    return {
        "count": len(missing),
        "attempt": attempt,
        "concurrency": CONCURRENCY[attempt],
        "requests_key": batches.write_shards(files, f"single-{number}-{attempt}", missing, 1),
    }


def _asked(files: Files, number: int) -> list[list[dict[str, Any]]]:
    """The requests of each shard."""
    items = storage.read_lines(files.shard(f"infer-{number}"))
    return [storage.read_lines(storage.own_key(item["uri"])) for item in items]
