"""A person as one of a job's workers: some objects wait at the desk until the person has answered or handed over,
or time is up.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from local.sagemaker import objects
from local.sagemaker.labeling_objects import LabelObject, Response, Task
from local.sagemaker.labeling_steps import BATCH, Run, conclude, count, simulated, tasks_of
from local.sagemaker.labeling_steps import EXPIRED as EXPIRED_REASON
from local.sagemaker.store import World
from portal.server import desk
from portal.server.desk import EXPIRED, HANDED_OVER, STOPPED, Answered

_SECONDS_BETWEEN_LOOKS = 0.2


def share(world: World, offered: Sequence[LabelObject]) -> list[LabelObject]:
    """The first open objects, as many as wait for the person; none while no person labels."""
    return [item for item in offered if item.state == "open"][: world.people.wanted]


def lay_out(run: Run, items: Sequence[LabelObject]) -> dict[str, Task]:
    """Open tasks at the desk, by the desk's id."""
    tasks = tasks_of(run, items)
    if not tasks:
        return {}
    job = desk.Job(
        name=run.files.job_name,
        title=run.human["TaskTitle"],
        description=run.human["TaskDescription"],
        kind=_kind(run.template, tasks),
        template=run.template,
        task_seconds=run.human["TaskTimeLimitInSeconds"],
        ends=run.deadline,
        read=lambda uri: objects.read(run.s3, uri),
    )
    ids = run.world.context.desk.lay_out(job, [task.task_input for task in tasks])
    return dict(zip(ids, tasks, strict=True))


def attend(run: Run, waiting: dict[str, Task], first_number: int) -> None:
    """Conclude the objects as the person answers them, until none is open. A stop withdraws the rest, the end of the
    job's lifetime lets it expire, and where no person labels any more it is handed over.

    first_number: that of the next consolidation request.
    """
    left, board, numbers = dict(waiting), run.world.context.desk, itertools.count(first_number)
    while left:
        if run.stopped:
            board.close(run.files.job_name, STOPPED)
        elif time.monotonic() >= run.deadline:
            board.close(run.files.job_name, EXPIRED)
        elif not run.world.people.wanted:
            board.close(run.files.job_name, HANDED_OVER)
        settled = board.settled(left, _SECONDS_BETWEEN_LOOKS)
        found = [(left.pop(task_id), how) for task_id, how in settled.items()]
        for start in range(0, len(found), BATCH):
            _conclude(run, next(numbers), found[start : start + BATCH])
            count(run)


def _conclude(run: Run, number: int, settled: Sequence[tuple[Task, Answered | str]]) -> None:
    """The person's answer takes the seat of the last simulated worker."""
    complete = []
    for task, how in settled:
        if isinstance(how, Answered):
            own = Response(how.worker, how.content, how.accepted, how.submitted, how.seconds)
            task.item.responses = [*simulated(run, task, run.workers[:-1]), own]
        elif how == HANDED_OVER:
            task.item.responses = simulated(run, task, run.workers)
        if isinstance(how, Answered) or how == HANDED_OVER:
            complete.append(task.item)
        elif how == EXPIRED:
            task.item.fail(EXPIRED_REASON)
    conclude(run, number, complete)


def _kind(template: str, tasks: Sequence[Task]) -> str:
    """Ground Truth does not say; what the workers see does."""
    if "<crowd-image-classifier" in template:
        return "verify"
    return "adjust" if any(task.task_input.get("initial") for task in tasks) else "annotate"
