"""Deploy Model: remembers the task token, then creates the version's own endpoint."""

from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.settings import settings
from labelloop.engines import container_images, endpoints
from labelloop.store import callbacks, immutable
from labelloop.store.observability import count, entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version = event["model_version"]
    name = naming.endpoint(settings().resource_prefix, version)
    callback = callbacks.remember(
        "deployment", name, event["task_token"], event["execution"], int(event["timeout_seconds"])
    )
    if callback.outcome is not None:
        callbacks.deliver(callback, again=True)
        return {"endpoint": name}
    immutable.read(f"models/{version}/model.tar.gz")  # raises unless it is the archive that was registered
    card = immutable.find_json(f"models/{version}/card.json") or {}
    image = card.get("image") or container_images.resolve(settings().inference_image)
    endpoints.create(name, version, image, settings())
    callbacks.mark_started(callback)
    count("DeploymentRequested")
    # An endpoint of an earlier attempt may be in service already: then no event will come.
    if (known := endpoints.ended(name)) is not None:
        callbacks.answer(callback, known)
    return {"endpoint": name}
