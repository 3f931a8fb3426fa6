"""Promote Model: lets the endpoint go to zero instances when idle and wakes it when requests wait, then flips the
champion pointer, guarded by the lock's fencing number, and releases the lock.
"""

from typing import Any

from labelloop import engines
from labelloop.engines import models
from labelloop.store import immutable, notices, storage, training_lock
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    # Scale Endpoint of version 0.1 names no version; its Promote Model comes next.
    engine = engines.of_version(event["model_version"]) if "model_version" in event else engines.of()
    engine.scale(event["endpoint"])
    if "model_version" not in event:
        return {"endpoint": event["endpoint"]}
    execution, version = event["execution"], event["model_version"]
    seen = models.champion()
    if seen is None or seen.value["version"] != version:
        training_lock.check(execution, int(event["fence"]))
        previous = seen.value["version"] if seen else ""
        models.flip(
            seen,
            {
                "version": version,
                "endpoint": event["endpoint"],
                "engine": engine.name,
                "thresholds_uri": event["thresholds_uri"],
                "dataset": event["dataset_version"],
                "previous": previous,
            },
        )
        count("ModelPromoted")
        logger.info("model promoted", model=version, previous=previous)
        notices.tell(
            f"promoted/{version}/{event['fence']}",
            "A better model serves",
            f"Model {version} replaced {previous or 'nothing: it is the first'}. "
            f"Trained on dataset {event['dataset_version'] or 'elsewhere'}. {_outlook(event['thresholds_uri'])}",
        )
    training_lock.note_training(event["dataset_version"], int(event["train"]), event["job"])
    training_lock.release(execution)
    return {"champion": version}


def _outlook(thresholds_uri: str) -> str:
    """Whether labels of this model can be accepted, at once: people may want to choose another target."""
    fitted = immutable.find_json(storage.own_key(thresholds_uri)) or {}
    return str(fitted.get("outlook", ""))
