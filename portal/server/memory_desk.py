"""The desk in memory, on purpose: the job that waits for the answers lives in this process. When that
dies, the job, its objects and the bucket are gone with it, so an answer on disk would belong to nothing; the page still
holds the draft.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from portal.server.desk import (
    CLOSED,
    EXPIRED,
    HANDED_OVER,
    Answered,
    AnsweredAlready,
    Claim,
    Job,
    Task,
    TaskGone,
    UnknownTask,
)


class MemoryDesk:
    """Every method may be called from any thread. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, tuple[Job, Task]] = {}
        self._changed = threading.Condition()

    # --- for the labelling job

    def lay_out(self, job: Job, task_inputs: Sequence[Mapping[str, Any]]) -> list[str]:
        """One open task per input; their ids, in this order. They tell nothing and cannot be guessed."""
        tasks = [Task(secrets.token_urlsafe(16), number, shown) for number, shown in enumerate(task_inputs, start=1)]
        with self._changed:
            job.tasks.extend(tasks)
            self._jobs[job.name] = job
            self._tasks.update({task.id: (job, task) for task in tasks})
        return [task.id for task in tasks]

    def settled(self, task_ids: Collection[str], seconds: float) -> dict[str, Answered | str]:
        """Those of the tasks that were answered, or why they were closed; waits so long for the first one."""
        with self._changed:
            self._changed.wait_for(lambda: any(not self._tasks[each][1].open for each in task_ids), seconds)
            found = [self._tasks[each][1] for each in task_ids]
            return {task.id: task.answered or task.closed for task in found if not task.open}

    def close(self, job_name: str, reason: str) -> int:
        """Nobody can answer the job's open tasks any more; how many these were."""
        with self._changed:
            job = self._jobs.get(job_name)
            waiting = [task for task in job.tasks if task.open] if job else []
            for task in waiting:
                task.closed, task.claim = reason, None
            self._changed.notify_all()
        return len(waiting)

    def forget(self) -> None:
        """Jobs without open tasks never were."""
        with self._changed:
            self._jobs = {name: job for name, job in self._jobs.items() if job.status == "open"}
            self._tasks = {task.id: (job, task) for job in self._jobs.values() for task in job.tasks}

    def counts(self) -> dict[str, dict[str, float]]:
        """Per job: tasks asked of people, answered, open, and closed for each reason; seconds until its end."""
        with self._changed:
            left = {name: round(max(job.ends - self._clock(), 0.0), 1) for name, job in self._jobs.items()}
            return {name: {**job.counts(), "seconds_left": left[name]} for name, job in self._jobs.items()}

    # --- for people

    def jobs(self, worker: str) -> list[dict[str, Any]]:
        """The job list as the portal's API gives it, those with open tasks first, then the newest. `mine_open`: tasks
        that the worker holds; `eta_seconds`: for the open tasks, at the pace so far.
        """
        with self._changed:
            listed = [self._listed(job, worker) for job in reversed(self._jobs.values())]
        return sorted(listed, key=lambda job: job["status"] != "open")

    def next(self, job_name: str, worker: str) -> str | None:
        """The task that the worker holds, else the first free one, which the worker holds from now on. A task that the
        worker gave back comes only when no other is free. Raises UnknownTask.
        """
        with self._changed:
            job = self._job(job_name)
            if self._clock() >= job.ends:
                return None
            held = [task for task in job.tasks if self._holds(job, task, worker)]
            free = [task for task in job.tasks if task.open and self._claim(task) is None]
            task = next(iter(held or sorted(free, key=lambda task: worker in task.given_back_by)), None)
            if task is None:
                return None
            if not held:
                task.claim = Claim(worker, datetime.now(UTC), self._clock() + job.task_seconds)
            return task.id

    def look(self, task_id: str, worker: str) -> dict[str, Any]:
        """The task as the portal's API gives it. Raises UnknownTask."""
        with self._changed:
            job, task = self._find(task_id)
            mine = task.answered is not None and task.answered.worker == worker
            held = self._holds(job, task, worker)
            return {
                "task": task.id,
                "job": job.name,
                "kind": job.kind,
                "title": job.title,
                "position": task.position,
                "total": len(job.tasks),
                "seconds_left": self._seconds_left(job, task) if held else 0.0,
                "state": "submitted" if mine else "open" if held else "expired",
                "answer": task.answered.content if task.answered and mine else None,
            }

    def shown(self, task_id: str, worker: str) -> tuple[Job, Task]:
        """What the worker's page is made of. Raises UnknownTask, and TaskGone for a task that the worker neither
        holds nor answered.
        """
        with self._changed:
            job, task = self._find(task_id)
            if task.answered is None or task.answered.worker != worker:
                self._require_held(job, task, worker)
            return job, task

    def submit(
        self, task_id: str, worker: str, content: Mapping[str, Any], submission: str, seconds: float | None = None
    ) -> None:
        """Store the answer, once. Raises UnknownTask, TaskGone or AnsweredAlready, and then nothing has changed."""
        with self._changed:
            job, task = self._find(task_id)
            if self._is_stored(task, worker, submission):
                return
            claim = self._require_held(job, task, worker)
            submitted = datetime.now(UTC)
            whole = max((submitted - claim.accepted).total_seconds(), 0.0)
            spent = whole if seconds is None else min(max(seconds, 0.0), whole)
            task.answered = Answered(worker, content, submission, claim.accepted, submitted, round(spent, 3))
            task.claim = None
            self._changed.notify_all()

    def is_stored(self, task_id: str, worker: str, submission: str) -> bool:
        """Whether this very submission is the answer. Raises UnknownTask, and AnsweredAlready for another answer."""
        with self._changed:
            return self._is_stored(self._find(task_id)[1], worker, submission)

    def release(self, task_id: str, worker: str) -> None:
        """Give the task back; it is open for everybody. Raises UnknownTask."""
        with self._changed:
            job, task = self._find(task_id)
            if self._holds(job, task, worker):
                task.claim = None
                task.given_back_by.add(worker)

    def hand_over(self, job_name: str) -> int:
        """The other workers answer what is open of the job; how many tasks these are. Raises UnknownTask."""
        with self._changed:
            self._job(job_name)
        return self.close(job_name, HANDED_OVER)

    # --- with the lock held

    def _job(self, name: str) -> Job:
        if name not in self._jobs:
            raise UnknownTask(f"There is no labelling job {name!r} with work for people.")
        return self._jobs[name]

    def _find(self, task_id: str) -> tuple[Job, Task]:
        if task_id not in self._tasks:
            raise UnknownTask("There is no such task. The job list shows what is open.")
        return self._tasks[task_id]

    def _claim(self, task: Task) -> Claim | None:
        return task.claim if task.claim and task.claim.ends > self._clock() else None

    def _holds(self, job: Job, task: Task, worker: str) -> bool:
        claim = self._claim(task)
        return task.open and claim is not None and claim.worker == worker and self._clock() < job.ends

    def _require_held(self, job: Job, task: Task, worker: str) -> Claim:
        if task.closed:
            raise TaskGone(CLOSED[task.closed])
        if self._clock() >= job.ends:
            raise TaskGone(CLOSED[EXPIRED])
        claim = self._claim(task)
        if task.answered is not None or (claim is not None and claim.worker != worker):
            raise TaskGone("Somebody else has taken this image.")
        if claim is None:
            raise TaskGone(
                f"You do not hold this image any more: it was given back, or its time ({job.task_seconds / 60:.0f} "
                "minutes) was over. Take it again from the job list; your draft is kept."
            )
        return claim

    def _is_stored(self, task: Task, worker: str, submission: str) -> bool:
        if task.answered is None or task.answered.worker != worker:
            return False
        if task.answered.submission == submission:
            return True
        raise AnsweredAlready(task.answered.content)

    def _seconds_left(self, job: Job, task: Task) -> float:
        claim = self._claim(task)
        ends = job.ends if claim is None else min(claim.ends, job.ends)
        return round(max(ends - self._clock(), 0.0), 1)

    def _listed(self, job: Job, worker: str) -> dict[str, Any]:
        spent = [task.answered.seconds for task in job.tasks if task.answered is not None]
        waiting = [task for task in job.tasks if task.open]
        eta = round(sum(spent) / len(spent) * len(waiting), 1) if spent else None
        return {
            "job": job.name,
            "title": job.title,
            "description": job.description,
            "kind": job.kind,
            "total": len(job.tasks),
            "done": len(spent),
            "mine_open": sum(self._holds(job, task, worker) for task in waiting),
            "seconds_left": round(max(job.ends - self._clock(), 0.0), 1) if waiting else None,
            "eta_seconds": eta,
            "status": job.status,
        }
