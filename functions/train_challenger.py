"""Train Challenger: remembers the task token, then begins the training."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop import engines
from labelloop.contracts.settings import AROUND_TRAINING_SECONDS
from labelloop.engines import Training
from labelloop.store.observability import count, entry
from labelloop.work import outside

SHORTEST_SECONDS = 60


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = event["job"]
    engine = engines.trainer()
    callback = outside.remember("training", job, event, engine=engine.name)
    if callback is None:
        return {"training_job": job}
    # The state waits by what the batch has pinned, which may be less than the training has.
    seconds = max(SHORTEST_SECONDS, int(event["timeout_seconds"]) - AROUND_TRAINING_SECONDS)
    training = Training(job, event["dataset_uri"], event["images_uri"], event["champion"], seconds)
    outside.start(callback, lambda: engine.train(training), lambda: engine.trained(job), (ClientError,))
    count("TrainingRequested")
    return {"training_job": job}
