"""A state machine that is deleted stays DELETING while an execution of it runs, and a stack waits for it; MiniStack
drops machine and executions at once.

AWS waits, for days if an execution waits for people. Here the deletion of the stack fails at once, saying why:
MiniStack deletes resources while nothing else of it moves, so nobody could end the execution meanwhile.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from local.patches.hooks import original


def apply() -> None:
    delete = original(provisioners, "_sfn_state_machine_delete", "physical_id", "props")
    start = original(stepfunctions, "_start_execution", "data")
    delete_machine = original(stepfunctions, "_delete_state_machine", "data")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"]
    assert handlers["delete"] is delete, "the machine's handlers moved"

    def delete_when_idle(physical_id: str, props: dict[str, Any]) -> None:
        machine = stepfunctions._state_machines.get(physical_id)
        if machine is not None:
            machine["status"] = "DELETING"
            if running := _running(physical_id):
                raise ValueError(
                    f"State machine {physical_id} is still DELETING: {len(running)} executions run, e.g. {running[0]}"
                )
        delete(physical_id, props)

    def start_unless_deleting(data: dict[str, Any]) -> Any:
        machine = stepfunctions._state_machines.get(data.get("stateMachineArn"))
        if machine is not None and machine.get("status") == "DELETING":
            return error_response_json(
                "StateMachineDeleting", f"State Machine is being deleted: '{data['stateMachineArn']}'", 400
            )
        return start(data)

    def mark_deleting(data: dict[str, Any]) -> Any:
        arn = str(data.get("stateMachineArn"))
        machine = stepfunctions._state_machines.get(arn)
        if machine is None or not _running(arn):
            return delete_machine(data)
        machine["status"] = "DELETING"
        return stepfunctions.json_response({})

    handlers["delete"] = delete_when_idle
    stepfunctions._start_execution = start_unless_deleting
    stepfunctions._delete_state_machine = mark_deleting


def _running(arn: str) -> list[str]:
    executions = list(stepfunctions._executions.items())
    return [name for name, each in executions if each.get("stateMachineArn") == arn and each.get("status") == "RUNNING"]
