"""An engine that is not YOLO: it answers at once and notes what it was asked, so that tests see who asks whom."""

from typing import Any

from labelloop.engines import Request
from labelloop.engines.port import Asked
from labelloop.store.callbacks import Callback, Outcome


class AnotherEngine:
    name = "another"

    def __init__(self) -> None:
        self.events: dict[str, Any] = {}
        self.asked: list[str] = []

    def deploy(self, endpoint: str, version: str) -> bool:
        self.asked.append(f"deploy {endpoint}")
        return False

    def deployed(self, endpoint: str) -> Outcome | None:
        return Outcome(True, {"endpoint": endpoint})

    def state(self, endpoint: str) -> str:
        return "Answers At Once"

    def trouble(self, endpoint: str) -> str:
        return ""

    def predict(self, request: Request) -> Asked:
        self.asked.append(f"predict {request.endpoint}")
        return Asked(f"s3://data-bucket/batches/{request.folder}/{request.name}", "")

    def answered(self, asked: Callback) -> Outcome | None:
        return Outcome(True, {"output_uri": asked.details["output_uri"]})

    def deployments(self, prefix: str) -> list[str]:
        return []

    def retire(self, kind: str, name: str) -> bool:
        self.asked.append(f"retire {name}")
        return True
