"""People's open work: tasks of labelling jobs that wait for a person, who holds them, and what was answered.

A labelling job lays its tasks here and takes the answers away; the portal is where people meet them. An answer lies
on the desk completely before anybody hears of it, or not at all; the same submission sent again finds itself.

The portal needs a `Desk`; where its tasks are kept is another file's matter (memory_desk.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

PERSON = f"private.us-east-1.{hashlib.sha256(b'the person at this machine').hexdigest()[:26].upper()}"
HANDED_OVER, EXPIRED, STOPPED = "handed-over", "expired", "stopped"
CLOSED = {
    HANDED_OVER: "This image was handed over: the other workers label it now.",
    EXPIRED: "The time of this labelling job is over; nobody can answer its images any more.",
    STOPPED: "This labelling job was stopped; its open images were withdrawn.",
}


class UnknownTask(LookupError):
    """No such task or job lies on the desk."""


class TaskGone(Exception):
    """The worker cannot answer this task (any more); the text says why and what to do."""


class AnsweredAlready(Exception):
    """Another submission was there first; `content` is the answer that counts."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__("This image has been answered already, maybe in another tab. The first answer counts.")
        self.content = content


@dataclass(frozen=True)
class Answered:
    """A person's answer. `seconds` of work as the page measured them; `submission` names the submit it came with."""

    worker: str
    content: Mapping[str, Any]
    submission: str
    accepted: datetime
    submitted: datetime
    seconds: float


@dataclass(frozen=True)
class Claim:
    """A worker holds the task until the clock reads `ends`."""

    worker: str
    accepted: datetime
    ends: float


@dataclass
class Task:
    """One object that waits for one person's answer. `closed`: why nobody can give it any more, "" while one can.
    `given_back_by`: workers who would rather have another one. `picture`: the key of a copy of the object that is shown
    instead of it, where the desk makes one.
    """

    id: str
    position: int
    task_input: Mapping[str, Any]
    claim: Claim | None = None
    answered: Answered | None = None
    closed: str = ""
    given_back_by: set[str] = field(default_factory=set)
    picture: str = ""

    @property
    def open(self) -> bool:
        return self.answered is None and not self.closed


@dataclass(frozen=True)
class Job:
    """What the tasks of a labelling job have in common.

    kind: annotate, adjust or verify. template: the worker template. task_seconds: how long a worker may hold a task.
    ends: reading of the desk's clock at which the job's lifetime is over. read: bytes of an `s3://` URI, in the name of
    the job's role.
    """

    name: str
    title: str
    description: str
    kind: str
    template: str
    task_seconds: float
    ends: float
    read: Callable[[str], bytes]
    tasks: list[Task] = field(default_factory=list)

    @property
    def status(self) -> str:
        """open; completed, by whomever; stopped; or failed, when its time ran out."""
        if any(task.open for task in self.tasks):
            return "open"
        closed = {task.closed for task in self.tasks}
        return "stopped" if STOPPED in closed else "failed" if EXPIRED in closed else "completed"

    def counts(self) -> dict[str, int]:
        closed = [task.closed for task in self.tasks]
        return {
            "asked": len(self.tasks),
            "answered": sum(task.answered is not None for task in self.tasks),
            "open": sum(task.open for task in self.tasks),
            **{name.replace("-", "_"): closed.count(name) for name in CLOSED},
        }


class Desk(Protocol):
    """What the portal asks of a desk. Every method may be called from any thread."""

    def jobs(self, worker: str) -> list[dict[str, Any]]:
        """The job list as the portal's API gives it, those with open tasks first, then the newest. `mine_open`: tasks
        that the worker holds; `eta_seconds`: for the open tasks, at the pace so far.
        """

    def next(self, job_name: str, worker: str) -> str | None:
        """The task that the worker holds, else the first free one, held from now on; one that the worker gave back
        only when no other is free. Raises UnknownTask.
        """

    def look(self, task_id: str, worker: str) -> dict[str, Any]:
        """The task as the portal's API gives it. Raises UnknownTask."""

    def shown(self, task_id: str, worker: str) -> tuple[Job, Task]:
        """What the worker's page is made of. Raises UnknownTask, and TaskGone for a task that the worker neither holds
        nor answered.
        """

    def submit(
        self, task_id: str, worker: str, content: Mapping[str, Any], submission: str, seconds: float | None = None
    ) -> None:
        """Store the answer, once. Raises UnknownTask, TaskGone or AnsweredAlready, and then nothing has changed."""

    def is_stored(self, task_id: str, worker: str, submission: str) -> bool:
        """Whether this very submission is the answer. Raises UnknownTask, and AnsweredAlready for another answer."""

    def release(self, task_id: str, worker: str) -> None:
        """Give the task back; it is open for everybody. Raises UnknownTask."""

    def hand_over(self, job_name: str) -> int:
        """The other workers answer what is open of the job; how many tasks these are. Raises UnknownTask."""
