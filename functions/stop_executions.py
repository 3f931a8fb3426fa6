"""Stop Executions: when the stack is deleted, ends what its machines run, before CloudFormation deletes the machines.

A state machine stays DELETING as long as an execution of it waits, for people maybe for days, and CloudFormation waits
for the machine. So this custom resource depends on the machines, and is deleted before them. It always answers SUCCESS
for Delete, so that it never blocks the deletion; what it could not do is logged. An update that is rolled back deletes
it too where it was new: then the stack stays, and so does what runs.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError
from labelloop.contracts.settings import MissingSettingError
from labelloop.store import aws, callbacks, custom_resources, ledger
from labelloop.store.observability import entry, logger

SECONDS_KEPT_FOR_THE_ANSWER = 60
SECONDS_BETWEEN_LOOKS = 2
LOOKS_WITHOUT_ANY = 2  # ListExecutions lags behind, and so does a rule that was just disabled


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    if custom_resources.stack_goes(event):
        deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT_FOR_THE_ANSWER
        given = event["ResourceProperties"]
        for rule in given["Rules"]:
            _try(aws.client("events").disable_rule, Name=rule)
        _try(_disable_schedule, Name=given["Schedule"])
        _stop_until_none_runs(given["Machines"], deadline)
    custom_resources.answer(event, "labelloop-stop-executions")


def _disable_schedule(Name: str) -> None:
    schedule = aws.client("scheduler").get_schedule(Name=Name)
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    aws.client("scheduler").update_schedule(**{name: schedule[name] for name in kept}, State="DISABLED")


def _stop_until_none_runs(machines: Sequence[str], deadline: float) -> None:
    """One that starts while others are stopped is stopped by a later look; a look that fails is made again."""
    empty = 0
    while empty < LOOKS_WITHOUT_ANY:
        running, all_seen = _look(machines)
        for execution in sorted(running):
            _try(
                aws.client("stepfunctions").stop_execution,
                executionArn=execution,
                error="StackDeleted",
                cause="the stack of this execution was deleted",
            )
        empty = empty + 1 if all_seen and not running else 0
        if time.monotonic() > deadline:
            logger.warning("executions may still run; stop them by hand", executions=sorted(running))
            return
        if empty < LOOKS_WITHOUT_ANY:
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _look(machines: Sequence[str]) -> tuple[set[str], bool]:
    """What runs, and whether all of it could be seen."""
    running: set[str] = set()
    try:
        running.update(_running(machines))
    except Exception as error:  # as for _try; what was seen before it is in the set
        logger.warning("not all executions could be listed", reason=str(error))
        return running, False
    return running, True


def _running(machines: Sequence[str]) -> Iterator[str]:
    for machine in machines:
        yield from _executions(machine)
    # Children of a Map end with their parent, on AWS; where one is left, its token tells of it.
    for execution in _waiting():
        if ledger.execution_status(execution) == "RUNNING":
            yield execution


def _waiting() -> set[str]:
    """Executions that wait for an answer; none where the settings went with the bucket, and the table's name."""
    try:
        return {callback.execution for callback in callbacks.open_callbacks()}
    except MissingSettingError as error:
        logger.warning("what waits for an answer cannot be read", reason=str(error))
        return set()


def _executions(machine: str) -> Iterator[str]:
    listing = aws.client("stepfunctions").get_paginator("list_executions")
    try:
        for page in listing.paginate(stateMachineArn=machine, statusFilter="RUNNING"):
            yield from (execution["executionArn"] for execution in page["executions"])
    except ClientError as error:
        if aws.error_code(error) != "StateMachineDoesNotExist":  # its creation failed, or it is deleted already
            raise


def _try(work: Any, **request: Any) -> None:
    try:
        work(**request)
    except Exception as error:  # whatever it is, it must not keep the stack from being deleted
        logger.warning("could not be done", what=request, reason=str(error))
