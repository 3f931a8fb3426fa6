"""Scale Endpoint: lets the endpoint go to zero instances when idle, and wakes it when requests wait."""

from typing import Any

from labelloop.contracts.settings import settings
from labelloop.engines import endpoints
from labelloop.store.observability import entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    endpoints.scale(event["endpoint"], settings().max_instances)
    return {"endpoint": event["endpoint"]}
