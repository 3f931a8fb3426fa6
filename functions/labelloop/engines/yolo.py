"""YOLO on SageMaker (port.py): training jobs of our container, and one asynchronous endpoint for each version."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal

from labelloop.contracts.events import Kinds
from labelloop.contracts.settings import settings
from labelloop.engines import base_weights, container_images, endpoints, model_archives, model_packages, training
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.engines.port import Asked, Request, Training
from labelloop.engines.training import Scores
from labelloop.store import aws, immutable, storage
from labelloop.store.callbacks import Callback, Outcome

name = "yolo"
archive = "model.tar.gz"
media_type = "application/gzip"
events: Kinds = {
    "SageMaker Training Job State Change": ("training", ("detail", "TrainingJobName")),
    "SageMaker Endpoint State Change": ("deployment", ("detail", "EndpointName")),
}

SHORTEST_QUEUE_SECONDS = 60  # InvokeEndpointAsync, RequestTTLSeconds


def train(order: Training) -> bool:
    champion_uri = _archive(order.champion) if order.champion else ""
    request = training.job_request(
        job=order.job,
        dataset_uri=order.dataset_uri,
        images_uri=order.images_uri,
        champion_uri=champion_uri,
        base_uri=base_weights.channel(settings().base_weights),
        image=container_images.resolve(settings().training_image),
        settings=settings(),
    )
    bound = request["StoppingCondition"]
    bound["MaxRuntimeInSeconds"] = min(bound["MaxRuntimeInSeconds"], order.seconds)
    return training.create(request)


def trained(job: str) -> Outcome | None:
    return training.ended(job)


def scores(output_uri: str) -> Scores:
    return training.read_scores(output_uri)


def model(model_uri: str) -> tuple[bytes, ModelDescription]:
    return training.read_model(model_uri)


def facts() -> dict[str, Any]:
    """The container's image, which the version's endpoint keeps."""
    return {"image": container_images.resolve(settings().inference_image)}


def publish(version: str, card: Mapping[str, Any]) -> str:
    return model_packages.register(version, card)


def stored(version: str) -> ModelDescription:
    body, uri = immutable.read(_key(version)), storage.uri(_key(version))
    return model_archives.describe(model_archives.read(io.BytesIO(body), uri), uri)


def deploy(endpoint: str, version: str) -> bool:
    """Never newly begun: the endpoint of an earlier attempt may be in service already, and then no event will come."""
    _archive(version)
    card = immutable.find_json(f"models/{version}/card.json") or {}
    image = card.get("image") or container_images.resolve(settings().inference_image)
    endpoints.create(endpoint, version, image, settings())
    return False


def deployed(endpoint: str) -> Outcome | None:
    return endpoints.ended(endpoint)


def scale(endpoint: str) -> None:
    endpoints.scale(endpoint, settings().max_instances)


def state(endpoint: str) -> str:
    return endpoints.state(endpoint)


def trouble(endpoint: str) -> str:
    return endpoints.trouble(endpoint)


def predict(request: Request) -> Asked:
    """Contract: InvokeEndpointAsync (SageMaker Runtime)."""
    knobs = settings()
    answer = aws.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=request.endpoint,
        InputLocation=request.requests_uri,
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        InferenceId=request.inference_id,
        S3OutputPathExtension=request.folder,
        Filename=request.name,
        RequestTTLSeconds=max(SHORTEST_QUEUE_SECONDS, knobs.inference_queue_seconds),
        InvocationTimeoutSeconds=knobs.invocation_timeout_seconds,
    )
    return Asked(answer["OutputLocation"], answer.get("FailureLocation", ""))


def answered(asked: Callback) -> Outcome | None:
    return endpoints.answered(asked)


def trainings(prefix: str) -> list[str]:
    return training.running(prefix)


def deployments(prefix: str) -> list[str]:
    return endpoints.names(prefix)


def retire(kind: Literal["training", "deployment"], name: str) -> bool:
    if kind == "training":
        return training.stop(name)
    endpoints.remove(name)
    return True


def _archive(version: str) -> str:
    """Where a version's archive lies. Raises ChangedObjectError unless it is the one that was registered."""
    immutable.read(_key(version))
    return storage.uri(_key(version))


def _key(version: str) -> str:
    return f"models/{version}/{archive}"
