"""Stop Executions: when the stack is deleted, ends what its machines run, before CloudFormation deletes the machines.

A state machine stays DELETING as long as an execution of it waits, for people maybe for days, and CloudFormation waits
for the machine. So this custom resource depends on the machines, and is deleted before them. It always answers SUCCESS
for Delete, so that it never blocks the deletion; what it could not do is logged.
"""

import time
from collections.abc import Iterator
from typing import Any

from labelloop import aws, callbacks, custom_resources, ledger
from labelloop.observability import entry, logger
from labelloop.settings import settings

SECONDS_KEPT_FOR_THE_ANSWER = 60
SECONDS_BETWEEN_LOOKS = 2


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    if event["RequestType"] == "Delete":
        deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT_FOR_THE_ANSWER
        given = event["ResourceProperties"]
        for rule in given["Rules"]:
            _try(aws.client("events").disable_rule, Name=rule)
        _try(_disable_schedule, Name=given["Schedule"])
        _stop_until_none_runs(deadline)
    custom_resources.answer(event, "labelloop-stop-executions")


def _disable_schedule(Name: str) -> None:
    schedule = aws.client("scheduler").get_schedule(Name=Name)
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    aws.client("scheduler").update_schedule(**{name: schedule[name] for name in kept}, State="DISABLED")


def _stop_until_none_runs(deadline: float) -> None:
    """One that starts while others are stopped is stopped by the next look."""
    while running := sorted(set(_running())):
        for execution in running:
            _try(
                aws.client("stepfunctions").stop_execution,
                executionArn=execution,
                error="StackDeleted",
                cause="the stack of this execution was deleted",
            )
        if time.monotonic() > deadline:
            logger.warning("executions still run; stop them by hand", executions=running)
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _running() -> Iterator[str]:
    states = aws.client("stepfunctions")
    for machine in (settings().label_batch_arn, settings().train_model_arn):
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        yield from (execution["executionArn"] for page in pages for execution in page["executions"])
    # Children of a Map end with their parent, on AWS; where one is left, its token tells of it.
    for execution in {callback.execution for callback in callbacks.open_callbacks()}:
        if ledger.execution_status(execution) == "RUNNING":
            yield execution


def _try(work: Any, **request: Any) -> None:
    try:
        work(**request)
    except Exception as error:  # whatever it is, it must not keep the stack from being deleted
        logger.warning("could not be done", what=request, reason=str(error))
