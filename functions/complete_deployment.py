"""Complete Deployment: an endpoint's state-change event answers the waiting execution. What Describe says counts."""

from typing import Any

from labelloop.contracts import events
from labelloop.engines import endpoints
from labelloop.store import callbacks
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    endpoint = events.named(event, "detail", "EndpointName")
    callback = callbacks.find("deployment", endpoint)
    outcome = endpoints.ended(endpoint) if callback else None
    if callback is not None and outcome is not None:
        callbacks.answer(callback, outcome)
        count("DeploymentCompleted" if outcome.ok else "DeploymentFailed")
    logger.info("endpoint event", endpoint=endpoint, known=callback is not None, ended=outcome is not None)
    return {"endpoint": endpoint}
