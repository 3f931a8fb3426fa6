"""Register Model: stores the version, immutable, with metrics and card, and registers a model package."""

from collections.abc import Mapping
from typing import Any

from labelloop import engines
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import Engine, models
from labelloop.store import immutable, ledger, storage
from labelloop.store.observability import count, entry


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    version, folder, engine = event["model_version"], f"models/{event['model_version']}", engines.trainer()
    comparison = storage.read_json(storage.own_key(event["comparison_uri"]))
    if not storage.exists(f"{folder}/{engine.archive}"):
        body = _verified(engine, event["model_uri"], version)
        immutable.create(f"{folder}/{engine.archive}", body, engine.media_type)
    immutable.create_json(f"{folder}/metrics.json", comparison)
    card = immutable.create_json(
        f"{folder}/card.json",
        {
            "version": version,
            "parent": event["champion"],
            "dataset": event["dataset_version"],
            "job": event["job"],
            "trained_from": event["model_uri"],
            "thresholds": event["thresholds_uri"],
            "reason": comparison["reason"],
            "start": _start(comparison),
            "engine": engine.name,
            **engine.facts(),
        },
    )
    package = engine.publish(version, card)
    ledger.index_version("model", version, {**card, "model_package": package})
    count("ModelRegistered")
    return {"model_package": package}


def _start(comparison: Mapping[str, Any]) -> str:
    """What it was trained from: base weights, the champion, or random weights; empty where nobody says, as of a model
    that was trained elsewhere.
    """
    trained = (comparison.get("metrics") or {}).get("train") or {}
    return str(trained.get("start") or "")


def _verified(engine: Engine, model_uri: str, version: str) -> bytes:
    """Raises InvalidInputError unless these are the weights that were compared, or adopted, under this version."""
    archive, description = engine.model(model_uri)
    if version != models.version(int(version[1:7]), description):
        raise InvalidInputError(
            f"{model_uri} was exchanged since it became {version}: its weights now have the SHA-256 "
            f"{description.weights_sha256}. Nothing is registered; train, or adopt the model again"
        )
    return archive
