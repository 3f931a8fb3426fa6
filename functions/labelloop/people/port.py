"""What asks people to label: the service behind the parameter LabelingBackend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from labelloop.contracts.events import Kinds
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import Settings

if TYPE_CHECKING:
    from labelloop.people.jobs import Job
    from labelloop.store.callbacks import Outcome


class Backend(Protocol):
    """A job is known to the service by its name, which the round has pinned; `name` is the value of LabelingBackend."""

    name: str
    events: Kinds  # those that tell of jobs

    def ask(self, files: Files, number: int, job: Job) -> bool:
        """Puts the job of round `number` before people. False: an earlier attempt or execution did.

        Raises LimitReachedError while the service takes no more jobs, and InvalidInputError, with what to do, where it
        can ask nobody.
        """
        ...

    def ended(self, job: str) -> Outcome | None:
        """How the job ended, {"status", "reason", "output_uri"}; None while it goes on."""
        ...

    def progress(self, job: str) -> tuple[int, int]:
        """How many images of the job people have answered, and of how many."""
        ...

    def collect(self, files: Files, number: int, job: Job) -> Iterable[str]:
        """What people answered in a job that ended: the lines of its output manifest, none where nobody answered.

        Raises ChangedObjectError where it was deleted.
        """
        ...

    def stop(self, job: str) -> None:
        """Asks the job to end; what people answered so far is kept. One that has ended is left as it is."""
        ...

    def running(self, prefix: str) -> list[str]:
        """The jobs of the stack with this prefix that go on."""
        ...

    def unable(self, settings: Settings) -> str:
        """Why nobody can be asked what these settings ask; empty where people can."""
        ...
