"""Deploy Model: remembers the task token, then creates the version's own endpoint."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop.contracts import naming
from labelloop.contracts.settings import settings
from labelloop.engines import container_images, endpoints
from labelloop.store import immutable
from labelloop.store.observability import count, entry
from labelloop.work import outside


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version = event["model_version"]
    name = naming.endpoint(settings().resource_prefix, version)
    callback = outside.remember("deployment", name, event)
    if callback is None:
        return {"endpoint": name}
    immutable.read(f"models/{version}/model.tar.gz")  # raises unless it is the archive that was registered
    card = immutable.find_json(f"models/{version}/card.json") or {}
    image = card.get("image") or container_images.resolve(settings().inference_image)
    outside.start(callback, lambda: _create(name, version, image), lambda: endpoints.ended(name), (ClientError,))
    count("DeploymentRequested")
    return {"endpoint": name}


def _create(endpoint: str, version: str, image: str) -> bool:
    """Never newly begun: the endpoint of an earlier attempt may be in service already, and then no event will come."""
    endpoints.create(endpoint, version, image, settings())
    return False
