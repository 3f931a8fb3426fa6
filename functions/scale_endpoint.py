"""Scale Endpoint: lets the endpoint go to zero instances when idle, and wakes it when requests wait."""

from typing import Any

from labelloop import endpoints
from labelloop.observability import entry
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    endpoints.scale(event["endpoint"], settings().max_instances)
    return {"endpoint": event["endpoint"]}
