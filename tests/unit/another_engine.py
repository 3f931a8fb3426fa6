"""An engine that is not YOLO: it trains, deploys and answers at once, keeps a model as JSON, and notes what it was
asked, so that tests see who asks whom.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from labelloop.contracts.predictions import Prediction
from labelloop.engines import Request, Training
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.engines.port import Asked
from labelloop.engines.training import Scores
from labelloop.store import immutable, storage
from labelloop.store.callbacks import Callback, Outcome

# What YOLO's engine would ask.
FORBIDDEN = {
    "sagemaker": (
        "create_endpoint",
        "create_model",
        "describe_endpoint",
        "describe_training_job",
        "create_training_job",
    ),
    "sagemaker-runtime": ("invoke_endpoint_async",),
    "application-autoscaling": ("register_scalable_target",),
}


class AnotherEngine:
    """`seen`: what its models see; `at_once`: whether an answer is there when a request has been made."""

    name = "another"
    archive = "model.json"
    media_type = "application/json"

    def __init__(self, seen: Iterable[Prediction] = (), at_once: bool = False) -> None:
        self.events: dict[str, Any] = {}
        self.asked: list[str] = []
        self.seen, self.at_once = list(seen), at_once

    def train(self, training: Training) -> bool:
        self.asked.append(f"train {training.job}")
        return False

    def trained(self, job: str) -> Outcome | None:
        place = storage.uri(f"training/{job}/output/trained.json")
        return Outcome(True, {"model_uri": place, "output_uri": place})

    def scores(self, output_uri: str) -> Scores:
        return Scores({"judge": {"challenger": {"map50": 0.9}}}, {"challenger-judge": self.seen})

    def model(self, model_uri: str) -> tuple[bytes, ModelDescription]:
        body = storage.read(storage.own_key(model_uri))
        return body, self._described(body)

    def facts(self) -> dict[str, Any]:
        return {"project": "arn:project"}

    def publish(self, version: str, card: Mapping[str, Any]) -> str:
        self.asked.append(f"publish {version} of {card['project']}")
        return ""

    def stored(self, version: str) -> ModelDescription:
        return self._described(immutable.read(f"models/{version}/{self.archive}"))

    def deploy(self, endpoint: str, version: str) -> bool:
        self.asked.append(f"deploy {endpoint}")
        return False

    def deployed(self, endpoint: str) -> Outcome | None:
        return Outcome(True, {"endpoint": endpoint})

    def scale(self, endpoint: str) -> None:
        self.asked.append(f"scale {endpoint}")

    def state(self, endpoint: str) -> str:
        return "Answers At Once"

    def trouble(self, endpoint: str) -> str:
        return ""

    def predict(self, request: Request) -> Asked:
        self.asked.append(f"predict {request.endpoint}")
        return Asked(f"s3://data-bucket/batches/{request.folder}/{request.name}", "", self.at_once)

    def answered(self, asked: Callback) -> Outcome | None:
        return Outcome(True, {"output_uri": asked.details["output_uri"]})

    def trainings(self, prefix: str) -> list[str]:
        return []

    def deployments(self, prefix: str) -> list[str]:
        return []

    def retire(self, kind: str, name: str) -> bool:
        self.asked.append(f"retire {name}")
        return True

    @staticmethod
    def _described(body: bytes) -> ModelDescription:
        assert json.loads(body) == {"trained by": "another"}
        return ModelDescription(("head", "bag"), 640, "another", "", hashlib.sha256(body).hexdigest())
