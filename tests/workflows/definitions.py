"""Machines with another definition than the deployed one: that of version 0.1.0, or today's with a change."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from loop import PREFIX, Loop

SUPPORT = Path(__file__).resolve().parents[1] / "support"
RELEASED = Path(__file__).resolve().parents[2] / "lint" / "released.json"


def of_0_1(loop: Loop, machine: str) -> str:
    """The definition of label_batch or train_model with the names of this stack, which are those of 0.1.0."""
    text = (SUPPORT / f"{machine}-0.1.0.asl.json").read_text(encoding="utf-8")
    text = text.replace("${TrainModelStateMachineArn}", loop.outputs["TrainModelArn"])
    for name in json.loads(RELEASED.read_text(encoding="utf-8"))["0.1.0"]:
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{PREFIX}-{name}"
        text = text.replace(f"${{{name}FunctionArn}}", arn)
    assert "${" not in text
    return text


def of_today(loop: Loop, machine: str) -> str:
    return str(loop.client("stepfunctions").describe_state_machine(stateMachineArn=_arn(loop, machine))["definition"])


@contextlib.contextmanager
def defined(loop: Loop, machine: str, definition: str) -> Iterator[None]:
    """What is started within the block has this definition."""
    machines, arn, today = loop.client("stepfunctions"), _arn(loop, machine), of_today(loop, machine)
    machines.update_state_machine(stateMachineArn=arn, definition=definition)
    try:
        yield
    finally:
        machines.update_state_machine(stateMachineArn=arn, definition=today)


def _arn(loop: Loop, machine: str) -> str:
    return loop.outputs["".join(map(str.capitalize, machine.split("_"))) + "Arn"]
