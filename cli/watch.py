"""Follows one batch until it ends, a line for whatever changes."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from labelloop.store import training_lock

from cli import batches, status
from cli.batches import Job, Progress
from cli.errors import Refused
from cli.stack import Stack


def newest(stack: Stack, wait: Callable[[], None]) -> str:
    """The batch of the newest execution that owns one. An execution that has just begun owns its batch a moment later.

    Raises Refused where there is none.
    """
    while True:
        found = status.executions(stack.label_batch_arn, last=20)
        for told in found:
            if batch_id := status.batch_of(told):
                return batch_id
            if told["status"] == "RUNNING":
                break
        else:
            raise Refused(
                f"No batch was started yet: put images below s3://{stack.bucket}/incoming/<prefix>/, then the marker "
                "_READY.json beside them."
            )
        wait()


def follow(batch_id: str, say: Callable[[str], None], wait: Callable[[], None]) -> Progress:
    """Says what changes until the batch ends; how it ended."""
    said: list[str] = []
    while True:
        found = batches.look(batch_id)
        jobs = [job for job in batches.waiting() if job.batch == batch_id] if found.status == "running" else []
        lines = list(_lines(found, jobs))
        for line in lines:
            if line not in said:
                say(f"{datetime.now().astimezone():%H:%M:%S}  {line}")
        said = lines
        if found.status != "running":
            return found
        wait()


def _lines(found: Progress, jobs: list[Job]) -> Iterator[str]:
    if found.round:
        yield f"round {found.round}, {f'model {found.model}' if found.model else 'without a model'}"
    if found.images:
        yield f"{found.images} images: " + ", ".join(f"{number} {outcome}" for outcome, number in found.counts.items())
    if found.trouble:
        yield f"the images cannot be counted: {found.trouble}"
    for job in jobs:
        yield f"{job.name} waits for people: {job.answered} of {job.images} answered"
    if found.status == "running" and (owner := training_lock.owner()) and found.batch in owner:
        yield f"a training runs: {owner.rpartition(':')[2]}"


def every(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)
