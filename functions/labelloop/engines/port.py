"""What trains models, and has them look at images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from labelloop.contracts.events import Kinds

if TYPE_CHECKING:
    from labelloop.engines.model_descriptions import ModelDescription
    from labelloop.engines.training import Scores
    from labelloop.store.callbacks import Callback, Outcome


@dataclass(frozen=True)
class Training:
    """A training to begin: its name, the dataset's folder, the manifest of the images that it reads, the champion's
    version (empty: the first model), and how long it may run.
    """

    job: str
    dataset_uri: str
    images_uri: str
    champion: str
    seconds: int


@dataclass(frozen=True)
class Request:
    """Images for an endpoint to look at: `requests_uri` names a file with one per line. The answer is wanted as
    `batches/<folder>/<name>`; `inference_id` is what the notice of it will say.
    """

    endpoint: str
    requests_uri: str
    inference_id: str
    folder: str
    name: str


@dataclass(frozen=True)
class Asked:
    """Where the answer to a request will lie, and where the failure, should there be one instead."""

    output_uri: str
    failure_uri: str


class Engine(Protocol):
    """`name` is how a version, or a wait, names the engine that it belongs to. An endpoint is called after the version
    that it serves.
    """

    name: str
    events: Kinds  # those that tell of trainings and endpoints

    def train(self, training: Training) -> bool:
        """Begins it. False: an earlier attempt did."""
        ...

    def trained(self, job: str) -> Outcome | None:
        """How the training ended, {"model_uri", "output_uri"}; None while it goes on."""
        ...

    def scores(self, output_uri: str) -> Scores:
        """What a training measured on the judge images. Raises InvalidInputError where that cannot be read."""
        ...

    def model(self, model_uri: str) -> tuple[bytes, ModelDescription]:
        """What a training made, or people give to begin with: what is kept of it, and what it is. Raises
        InvalidInputError where that cannot be read.
        """
        ...

    def deploy(self, endpoint: str, version: str) -> bool:
        """Begins to make the endpoint. False: an earlier attempt did, or may have."""
        ...

    def deployed(self, endpoint: str) -> Outcome | None:
        """How the deployment ended, {"endpoint"}; None while it goes on."""
        ...

    def scale(self, endpoint: str) -> None:
        """Of a champion to be: as many instances as wait for it to look, and none where nobody waits."""
        ...

    def state(self, endpoint: str) -> str:
        """How its service calls the state it is in; empty where there is no such endpoint."""
        ...

    def trouble(self, endpoint: str) -> str:
        """Why the endpoint takes no requests now, and what to do; empty where it does."""
        ...

    def predict(self, request: Request) -> Asked:
        """Asks; the answer comes later."""
        ...

    def answered(self, asked: Callback) -> Outcome | None:
        """What came of the request that this row remembers, {"output_uri"}; None while nothing has."""
        ...

    def trainings(self, prefix: str) -> list[str]:
        """Those of the stack with this prefix that go on."""
        ...

    def deployments(self, prefix: str) -> list[str]:
        """The endpoints of the stack with this prefix, newest first."""
        ...

    def retire(self, kind: Literal["training", "deployment"], name: str) -> bool:
        """Ends a training, or takes an endpoint away with all that was made for it. False: it cannot be ended now, ask
        again later. What has ended, or is gone, is fine.
        """
        ...
