"""What trains models, and has them look at images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

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
    """Where the answer to a request will lie, and where the failure, should there be one instead. `answered`: it lies
    there already, and nobody will tell.
    """

    output_uri: str
    failure_uri: str
    answered: bool = False


class Engine(Protocol):
    """`name` is how a version, or a wait, names the engine that it belongs to. An endpoint is called after the version
    that it serves. What `model` says is kept of a version is the file `archive` of its folder, called
    model.<suffix>, of this `media_type`.
    """

    name: str
    archive: str
    media_type: str
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

    def facts(self) -> dict[str, Any]:
        """What the card of a version that is registered now notes besides, for whoever deploys it."""
        ...

    def publish(self, version: str, card: Mapping[str, Any]) -> str:
        """Tells a registry of models, where its service has one, of this version; its name there, or empty. A repeat
        finds the first.
        """
        ...

    def stored(self, version: str) -> ModelDescription:
        """Of a version that was registered. Raises ChangedObjectError unless its archive is the one of then."""
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
        """Asks; the answer comes later, or is there."""
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
