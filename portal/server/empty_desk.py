"""A desk without work, for the portal in the stack until jobs are laid out in its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.server.desk import Job, Task, UnknownTask


class EmptyDesk:
    def jobs(self, worker: str) -> list[dict[str, Any]]:
        return []

    def next(self, job_name: str, worker: str) -> str | None:
        raise _unknown()

    def look(self, task_id: str, worker: str) -> dict[str, Any]:
        raise _unknown()

    def shown(self, task_id: str, worker: str) -> tuple[Job, Task]:
        raise _unknown()

    def submit(
        self, task_id: str, worker: str, content: Mapping[str, Any], submission: str, seconds: float | None = None
    ) -> None:
        raise _unknown()

    def is_stored(self, task_id: str, worker: str, submission: str) -> bool:
        raise _unknown()

    def release(self, task_id: str, worker: str) -> None:
        raise _unknown()

    def hand_over(self, job_name: str) -> int:
        raise _unknown()


def _unknown() -> UnknownTask:
    return UnknownTask("There is no work of this name. The job list shows what is open.")
