"""The lint gate goes red for every fault it promises to see: each is planted into a copy of the real files.

Here: resources, machines, and the names that hold both together. test_lint_permissions.py plants into roles,
test_lint_worker_templates.py into the pages that people work on.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from planted_faults import ROOT, Fault, copy_into, findings_with, in_file, in_machine, in_template, rename

from lint import cloudformation, machines, states, vocabulary
from lint.__main__ import check
from lint.project import Project, all_states

BATCH, TRAIN = "label_batch", "train_model"
BY_NAME = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Prefix}-Consolidate"


def copied_state(states: dict[str, Any]) -> None:
    states["Nobody Comes Here"] = {"Type": "Pass", "Comment": "Lost.", "Next": "Report Batch"}


def _ladder_of(states: dict[str, Any], of_map: str, state: str) -> list[dict[str, Any]]:
    ladder: list[dict[str, Any]] = states[of_map]["ItemProcessor"]["States"][state]["Retry"]
    return ladder


FAULTS: dict[str, tuple[Any, Fault, str]] = {
    "dangling GetAtt": (cloudformation, in_template("!GetAtt TrainingRole.Arn", "!GetAtt TraningRole.Arn"), "E1010"),
    "cycle": (
        cloudformation,
        in_template(
            f'CONSOLIDATE_FUNCTION_ARN: !Sub "{BY_NAME}"', "CONSOLIDATE_FUNCTION_ARN: !GetAtt ConsolidateFunction.Arn"
        ),
        "E3004",
    ),
    "value that CloudFormation refuses": (
        cloudformation,
        in_template("BillingMode: PAY_PER_REQUEST", "BillingMode: PAY_PER_MONTH"),
        "PAY_PER_MONTH",
    ),
    "transition to a state that does not exist": (
        states,
        in_machine(BATCH, lambda s: s["Judge Batch"].update(Next="Humans Neded?")),
        "'Humans Neded?', which does not exist",
    ),
    "catch that leads nowhere": (
        states,
        in_machine(TRAIN, lambda s: s["Promote Model"]["Catch"][0].update(Next="Lost")),
        "'Lost', which does not exist",
    ),
    "unreachable state": (states, in_machine(BATCH, copied_state), "no transition leads here"),
    "wait without a timeout": (
        states,
        in_machine(BATCH, lambda s: s["Request Labels"].pop("TimeoutSecondsPath")),
        "waits without TimeoutSeconds",
    ),
    "wait without a catch": (
        states,
        in_machine(TRAIN, lambda s: s["Train Challenger"].pop("Catch")),
        "waits without a Catch",
    ),
    "token passed to nobody": (
        states,
        in_machine(TRAIN, lambda s: s["Deploy Model"]["Parameters"]["Payload"].pop("task_token.$")),
        "passes to nobody",
    ),
    "retry on an error that nothing raises": (
        states,
        in_machine(BATCH, lambda s: s["Judge Batch"]["Retry"][1].update(ErrorEquals=["TransientErorr"])),
        "'TransientErorr', which nothing raises",
    ),
    "retry on everything": (
        states,
        in_machine(BATCH, lambda s: s["Judge Batch"]["Retry"][1].update(ErrorEquals=["States.ALL"])),
        "retries States.ALL",
    ),
    "no retry of the platform's errors": (
        states,
        in_machine(BATCH, lambda s: s["Judge Batch"]["Retry"].pop(0)),
        "does not retry the four errors",
    ),
    "no retry of a function that died": (
        states,
        in_machine(BATCH, lambda s: _ladder_of(s, "Infer Shards", "Request Inference").pop(1)),
        "Request Inference: does not retry a function that died",
    ),
    "a function that died is retried without end": (
        states,
        in_machine(TRAIN, lambda s: s["Promote Model"]["Retry"][1].update(MaxAttempts=6)),
        "Promote Model: retries a function that died 6 times",
    ),
    "string in an integer field": (
        states,
        in_machine(BATCH, lambda s: s["Judge Batch"]["Retry"][0].update(MaxAttempts="6")),
        "MaxAttempts must be a whole number",
    ),
    "map without a bound": (
        states,
        in_machine(BATCH, lambda s: s["Infer Shards"].pop("MaxConcurrencyPath")),
        "10,000 children",
    ),
    "assign": (states, in_machine(BATCH, lambda s: s["Nobody Asked"].update(Assign={"x": 1})), "Assign is not used"),
    "missing comment": (states, in_machine(TRAIN, lambda s: s["Better?"].pop("Comment")), "has no Comment"),
    "name that is not prose": (
        states,
        in_file("statemachines/train_model.asl.json", '"Champion Kept"', '"championKept"', 9),
        "not named in prose",
    ),
    "choice that asks nothing": (
        states,
        in_file("statemachines/train_model.asl.json", '"Better?"', '"Better"', 9),
        "a question is the name of a Choice",
    ),
    "undeclared substitution": (
        states,
        in_template("        JudgeBatchFunctionArn: !GetAtt JudgeBatchFunction.Arn\n", ""),
        "${JudgeBatchFunctionArn} is not declared",
    ),
    "unused substitution": (
        states,
        in_template("        JudgeBatchFunctionArn:", "        Unused: x\n        JudgeBatchFunctionArn:"),
        "which the file does not use",
    ),
    "unquoted substitution": (
        states,
        in_file("statemachines/train_model.asl.json", '"${PlanTrainingFunctionArn}"', "${PlanTrainingFunctionArn}"),
        "is every ${Name} quoted?",
    ),
    "retry rung on several lines": (
        machines,
        in_file("statemachines/train_model.asl.json", '{"ErrorEquals": [', '{\n  "ErrorEquals": ['),
        "run `python -m lint.machines`",
    ),
    "key given twice": (
        machines,
        in_file("statemachines/train_model.asl.json", '"StartAt": ', '"StartAt": "Lost",\n  "StartAt": '),
        "run `python -m lint.machines`",
    ),
    "renamed function file": (
        vocabulary,
        rename("functions/judge_batch.py", "functions/judge_images.py"),
        "functions/judge_batch.py does not exist",
    ),
    "function file without a function": (
        vocabulary,
        rename("functions/judge_batch.py", "functions/judge_images.py"),
        "template.yaml has no JudgeImagesFunction",
    ),
    "handler of another function": (
        vocabulary,
        in_template("Handler: judge_batch.handler", "Handler: report_batch.handler"),
        "its Handler must be judge_batch.handler",
    ),
    "state that calls another function": (
        vocabulary,
        in_template("!GetAtt JudgeBatchFunction.Arn", "!GetAtt ReportBatchFunction.Arn"),
        "must stand for JudgeBatchFunction",
    ),
    "renamed state": (
        vocabulary,
        in_file("statemachines/label_batch.asl.json", '"Judge Batch"', '"Decide Batch"', 9),
        "must be, or begin with, 'Judge Batch'",
    ),
    "function that executions of the last release may still call": (
        vocabulary,
        in_template("  StopLabelingFunction:\n", "  HaltLabelingFunction:\n"),
        "StopLabelingFunction of version 0.1.0 is gone",
    ),
    "alias with the code of another function": (
        vocabulary,
        in_template(
            "Description: Promote Model, as executions of version 0.1 call it.\n      Handler: promote_model.handler",
            "Description: Promote Model, as executions of version 0.1 call it.\n      Handler: deploy_model.handler",
        ),
        "stands for PromoteModelFunction and must have its Handler",
    ),
    "alias with a role of its own": (
        vocabulary,
        in_template("Role: !GetAtt PromoteModelFunctionRole.Arn", "Role: !GetAtt DeployModelFunctionRole.Arn"),
        "must have its Role: !GetAtt PromoteModelFunctionRole.Arn",
    ),
    "alias that no machine may call": (
        vocabulary,
        in_template("                - !GetAtt ScaleEndpointFunction.Arn\n", ""),
        "ScaleEndpointFunction: no machine may call it",
    ),
    "state that calls an alias": (
        vocabulary,
        in_file("statemachines/train_model.asl.json", "${PromoteModelFunctionArn}", "${ScaleEndpointFunctionArn}"),
        "which is for executions of a released version: call PromoteModel",
    ),
    "release whose functions nobody noted": (
        vocabulary,
        in_file("CHANGELOG.md", "## [0.1.0]", "## [0.2.0] - 2027-01-01\n\n## [0.1.0]"),
        "lacks the functions of version 0.2.0",
    ),
}


@pytest.mark.fault("D17", "D21", "I14")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_turns_the_gate_red(name: str, tmp_path: Path) -> None:
    checked, fault, message = FAULTS[name]
    findings = findings_with(fault, checked, tmp_path)
    assert any(message in finding for finding in findings), findings


def test_a_machine_is_laid_out_in_one_way_and_stays_the_same_machine(tmp_path: Path) -> None:
    path = copy_into(tmp_path) / "statemachines" / f"{BATCH}.asl.json"
    as_it_is = path.read_text()
    spread = json.dumps(json.loads(as_it_is), indent=4)
    assert machines.text(json.loads(spread)) == as_it_is
    assert json.dumps(json.loads(as_it_is), indent=4) == spread, "no key moves, no value changes"
    ladders = [state.get("Retry", []) for _, state in all_states(json.loads(as_it_is))]
    lines = [line.strip().rstrip(",") for line in as_it_is.split("\n")]
    assert ladders and all(json.dumps(rung) in lines for ladder in ladders for rung in ladder)


def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    copy = copy_into(tmp_path)
    in_template("!Ref CallbacksTable", "!Ref CalbacksTable")(copy)
    done = subprocess.run(
        [sys.executable, "-m", "lint", "--project", str(copy)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "E1020" in done.stdout and "CalbacksTable" in done.stdout


def test_the_repository_passes() -> None:
    assert [str(finding) for finding in check(Project(ROOT))] == []
