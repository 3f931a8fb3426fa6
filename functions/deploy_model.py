"""Deploy Model: remembers the task token, then creates the version's own endpoint."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop import engines
from labelloop.contracts import naming
from labelloop.contracts.settings import settings
from labelloop.store.observability import count, entry
from labelloop.work import outside


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version = event["model_version"]
    name = naming.endpoint(settings().resource_prefix, version)
    engine = engines.of_version(version)
    callback = outside.remember("deployment", name, event, engine=engine.name)
    if callback is None:
        return {"endpoint": name}
    outside.start(callback, lambda: engine.deploy(name, version), lambda: engine.deployed(name), (ClientError,))
    count("DeploymentRequested")
    return {"endpoint": name}
