"""Train Challenger: remembers the task token, then creates the training job."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop.contracts.settings import AROUND_TRAINING_SECONDS, settings
from labelloop.engines import container_images, training
from labelloop.store import immutable, storage
from labelloop.store.observability import count, entry
from labelloop.work import outside

SHORTEST_SECONDS = 60


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = event["job"]
    callback = outside.remember("training", job, event)
    if callback is None:
        return {"training_job": job}
    champion_uri = ""
    if event["champion"]:
        archive = f"models/{event['champion']}/model.tar.gz"
        immutable.read(archive)  # raises unless it is the archive that was registered
        champion_uri = storage.uri(archive)
    request = training.job_request(
        job=job,
        dataset_uri=event["dataset_uri"],
        images_uri=event["images_uri"],
        champion_uri=champion_uri,
        image=container_images.resolve(settings().training_image),
        settings=settings(),
    )
    # The state waits by what the batch has pinned, which may be less than the training has.
    left = max(SHORTEST_SECONDS, int(event["timeout_seconds"]) - AROUND_TRAINING_SECONDS)
    bound = request["StoppingCondition"]
    bound["MaxRuntimeInSeconds"] = min(bound["MaxRuntimeInSeconds"], left)
    outside.start(callback, lambda: training.create(request), lambda: training.ended(job), (ClientError,))
    count("TrainingRequested")
    return {"training_job": job}
