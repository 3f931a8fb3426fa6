"""Everything the emulated SageMaker remembers, in memory, and the tools its parts share.

`detail` of a resource is its Describe answer, kept in the API's own shape; runtime state stands beside it.
`World.lock` guards all of it: hold it for reading and changing, never while waiting for a network or a process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.annotators import Noise, Truth
from local.http import ServiceContext
from local.sagemaker.containers import Container, Containers
from local.sagemaker.faults import FaultBox
from local.sagemaker.registry import ImageRegistry
from local.sagemaker.roles import Roles

log = logging.getLogger("labelloop.local.sagemaker")


@dataclass
class Resource:
    """A resource without a life of its own: model, endpoint configuration, model package (group).

    token: ClientToken a package was made with. versions: how many packages a group ever had.
    """

    arn: str
    detail: dict[str, Any]
    token: str | None = None
    versions: int = 0


@dataclass
class TrainingJob:
    arn: str
    detail: dict[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)
    container: Container | None = None


@dataclass
class LabelingJob:
    arn: str
    detail: dict[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)
    objects: int = 0


@dataclass(frozen=True)
class Deployment:
    """What an endpoint serves, as it was when the endpoint was made.

    config: the endpoint configuration. container: Image, ModelDataUrl, Environment. role_arn: the model's role.
    """

    config: dict[str, Any]
    container: dict[str, Any]
    role_arn: str
    isolated: bool

    @property
    def variant(self) -> dict[str, Any]:
        variant: dict[str, Any] = self.config["ProductionVariants"][0]
        return variant

    @property
    def output(self) -> dict[str, Any]:
        output: dict[str, Any] = self.config.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        return output


@dataclass
class Server:
    """One running serving container: an instance of an endpoint."""

    container: Container
    port: int
    directory: Path
    in_flight: int = 0


@dataclass(frozen=True)
class Invocation:
    """One queued request. deadline: monotonic seconds at which RequestTTLSeconds are over."""

    inference_id: str
    input_location: str
    output_location: str
    failure_location: str | None
    content_type: str | None
    accept: str | None
    timeout_seconds: int
    received: datetime
    deadline: float


@dataclass
class Endpoint:
    """An endpoint, its instance (at most one runs here) and its queue.

    desired: how many instances it shall have, 0 or 1. starting: a thread is bringing the instance up.
    retry_at, idle_since, alarms_read_at: monotonic seconds; no new start before the first, no work since the second.
    """

    arn: str
    detail: dict[str, Any]
    deployment: Deployment
    server: Server | None = None
    desired: int = 1
    starting: bool = False
    failed_starts: int = 0
    retry_at: float = 0.0
    idle_since: float = 0.0
    alarms_read_at: float = 0.0
    queue: deque[Invocation] = field(default_factory=deque)
    in_flight: int = 0

    @property
    def name(self) -> str:
        return str(self.detail["EndpointName"])

    @property
    def backlog(self) -> int:
        return len(self.queue) + self.in_flight


@dataclass
class Annotators:
    truth: Truth = field(default_factory=Truth)
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True)
class People:
    """Whether a person labels, too: of every job the first `share` objects wait for that person."""

    person: bool = False
    share: int = 12

    @property
    def wanted(self) -> int:
        return self.share if self.person else 0


@dataclass
class World:
    context: ServiceContext
    registry: ImageRegistry
    roles: Roles
    idle_seconds: float = 60.0
    containers: Containers = field(default_factory=Containers)
    faults: FaultBox = field(default_factory=FaultBox)
    annotators: Annotators = field(default_factory=Annotators)
    people: People = field(default_factory=People)
    lock: threading.RLock = field(default_factory=threading.RLock)
    closing: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    training_jobs: dict[str, TrainingJob] = field(default_factory=dict)
    labeling_jobs: dict[str, LabelingJob] = field(default_factory=dict)
    models: dict[str, Resource] = field(default_factory=dict)
    endpoint_configs: dict[str, Resource] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    package_groups: dict[str, Resource] = field(default_factory=dict)
    packages: dict[str, Resource] = field(default_factory=dict)
    scalable_targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    scaling_policies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    notices: list[dict[str, Any]] = field(default_factory=list)

    def arn(self, kind: str, name: str) -> str:
        """ARNs of SageMaker carry the name in lower case."""
        return f"arn:aws:sagemaker:{self.context.region}:{self.context.account}:{kind}/{name.lower()}"

    def spawn(self, name: str, work: Callable[[], None]) -> None:
        """Run in a thread that shutdown() waits for. An exception is logged: the caller's state says the rest."""

        def guarded() -> None:
            try:
                work()
            except Exception:
                if not self.closing.is_set():
                    log.exception("%s broke", name)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        with self.lock:
            self.threads = [known for known in self.threads if known.is_alive()]
            self.threads.append(thread)
            # Started under the lock: shutdown() must never try to join a thread that has not begun.
            thread.start()

    def publish(self, detail_type: str, detail: Mapping[str, Any], arn: str) -> None:
        if detail_type in self.faults.current.drop_events or self.closing.is_set():
            return
        self.context.publish_event("aws.sagemaker", detail_type, detail, [arn])

    def directory(self, kind: str, name: str) -> Path:
        path = self.context.state_dir / "sagemaker" / kind / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log_file(self, kind: str, name: str) -> Path:
        return self.context.state_dir / "sagemaker" / "logs" / kind / f"{name}.log"

    def shutdown(self) -> None:
        """Kill every container and wait for every thread."""
        self.closing.set()
        with self.lock:
            stops = [job.stop for job in self.training_jobs.values()] + [
                job.stop for job in self.labeling_jobs.values()
            ]
            threads = list(self.threads)
        for stop in stops:
            stop.set()
        self.containers.shutdown()
        for thread in threads:
            thread.join(timeout=10)


def now() -> datetime:
    return datetime.now(UTC)


def milliseconds(moment: datetime | None) -> int | None:
    """Times in EventBridge details: milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)


def seconds_setting(name: str, default: float) -> float:
    """A number of seconds from the environment. Raises ValueError naming the variable when it is none."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError as error:
        raise ValueError(f"{name} is a number of seconds, not {text!r}") from error


def tag_map(tags: list[dict[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags or []}


def chosen(parameters: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The members of a request that its Describe answer echoes."""
    return {name: parameters[name] for name in names if parameters.get(name) is not None}
