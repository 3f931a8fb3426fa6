"""A deployment while executions run: they finish as they began; one that fails leaves the old version working."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from loop import Loop, running_loop

from local import stack
from tests.support.pictures import pictures

COUNT = 6


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with running_loop(tmp_path_factory.mktemp("own"), {"RetrainMinimum": "1000"}) as loop:
        yield loop


@pytest.mark.fault("D15", "I01")
def test_an_execution_that_waits_for_people_finishes_on_the_definition_and_choices_it_began_with(own: Loop) -> None:
    own.faults(hold_labeling=True)
    own.upload("in flight", pictures(COUNT, seed="flight"), marker={})
    arn = own.started("in flight")
    own.reach(arn, "Request Labels")
    before = {name: own.outputs[name] for name in ("DataBucketName", "LedgerTableName", "CallbacksTableName")}
    own.deploy_again(HumanBudget="1", Classes="cat,dog", MaxRounds="1")
    machines = own.client("stepfunctions")
    machine = own.outputs["LabelBatchArn"]
    definition = json.loads(machines.describe_state_machine(stateMachineArn=machine)["definition"])
    definition["States"]["Merge Annotations"]["Comment"] = "another version of the machine"
    machines.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))
    assert stack.outputs(own.server, "labelloop").items() >= before.items(), "bucket and tables are the same"
    own.faults()
    own.control("PUT", "faults", {})
    run = own.wait(arn)
    own.assert_sound(run)
    summary = own.summary(run.batch)
    assert (summary["human"], summary["deferred"]) == (COUNT, 0), "HumanBudget was 12 when it began"
    (names,) = {tuple(line["boxes-metadata"]["class-map"].values()) for line in own.manifest(run.batch)}
    assert names == ("head",)


@pytest.mark.fault("J04")
def test_another_prefix_is_refused_before_anything_is_changed_and_what_runs_goes_on(own: Loop) -> None:
    own.deploy_again()
    own.faults(hold_labeling=True)
    own.upload("renamed", pictures(COUNT, seed="renamed"), marker={})
    arn = own.started("renamed")
    own.reach(arn, "Request Labels")
    formation = own.client("cloudformation")
    before = len(formation.describe_stack_events(StackName="labelloop")["StackEvents"])
    said = ""
    try:
        own.deploy_again(ResourcePrefix="renamed")
    except stack.DeployFailed as failed:
        said = str(failed)
    assert "cannot be changed from 'labelloop' to 'renamed'" in said and "deploy with ResourcePrefix=labelloop" in said
    told = formation.describe_stacks(StackName="labelloop")["Stacks"][0]
    assert told["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = formation.describe_stack_events(StackName="labelloop")["StackEvents"]
    touched = {each["LogicalResourceId"] for each in events[: len(events) - before]}
    assert touched <= {"labelloop", "Prefix", "KeepPrefixFunction", "KeepPrefixFunctionRole", "FunctionLogs"}
    named = [each["FunctionName"] for each in own.client("lambda").list_functions()["Functions"]]
    assert not [name for name in named if name.startswith("renamed")]
    own.faults()
    own.control("PUT", "faults", {})
    own.assert_sound(own.wait(arn))


@pytest.mark.fault("J04")
def test_a_prefix_with_a_hyphen_is_refused_with_the_reason(own: Loop) -> None:
    said = ""
    try:
        own.deploy_again(ResourcePrefix="labelloop-prod")
    except stack.DeployFailed as failed:
        said = " ".join(str(failed).split())
    assert "No hyphen" in said and "labelloop-prod" in said


@pytest.mark.fault("I04")
def test_a_deployment_that_fails_says_why_and_the_old_version_still_labels(own: Loop) -> None:
    own.deploy_again(RetrainMinimum="1000")
    with pytest.raises(stack.DeployFailed) as failed:
        own.deploy_again(Classes="head,head")
    assert "lists 'head' more than once" in str(failed.value)
    told = own.client("cloudformation").describe_stacks(StackName="labelloop")["Stacks"][0]
    assert told["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    run = own.label("after the rollback", pictures(COUNT, seed="rollback"))
    own.assert_sound(run)
    assert own.summary(run.batch)["human"] == COUNT


@pytest.mark.fault("I04")
def test_an_update_that_brings_stop_executions_and_fails_leaves_running_what_runs(own: Loop) -> None:
    """As from version 0.1: CloudFormation deletes what the update made, which is not a deletion of the stack."""
    formation = own.client("cloudformation")
    told = formation.describe_stacks(StackName="labelloop")["Stacks"][0]
    kept = [{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in told["Parameters"]]
    body = formation.get_template(StackName="labelloop", TemplateStage="Processed")["TemplateBody"]
    whole = json.loads(body) if isinstance(body, str) else body
    resources = {name: each for name, each in whole["Resources"].items() if name != "StopExecutions"}
    too_much = {"Variables": {"TEXT": "x" * 5000}}
    function = {"Role": "arn:aws:iam::000000000000:role/x", "Handler": "x.y", "Runtime": "python3.11"}
    broken = {
        "Type": "AWS::Lambda::Function",
        "DependsOn": "StopExecutions",
        "Properties": {**function, "Code": {"ZipFile": "x = 1"}, "Environment": too_much},
    }

    def update(**changed: object) -> str:
        text = json.dumps({**whole, "Resources": changed})  # too long for a request
        own.client("s3").put_object(Bucket=own.bucket, Key="templates/changed.json", Body=text.encode())
        formation.update_stack(
            StackName="labelloop",
            TemplateURL=f"https://s3.{stack.REGION}.amazonaws.com/{own.bucket}/templates/changed.json",
            Parameters=kept,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )

        def settled() -> str | None:
            status = str(formation.describe_stacks(StackName="labelloop")["Stacks"][0]["StackStatus"])
            return None if status.endswith("IN_PROGRESS") else status

        return own.eventually(settled)

    assert update(**resources) == "UPDATE_COMPLETE"
    own.faults(hold_labeling=True)
    own.upload("at work", pictures(COUNT, seed="at work"), marker={})
    arn = own.started("at work")
    own.reach(arn, "Request Labels")
    assert update(**whole["Resources"], Broken=broken) == "UPDATE_ROLLBACK_COMPLETE"
    events = formation.describe_stack_events(StackName="labelloop")["StackEvents"]
    of_ours = [each["ResourceStatus"] for each in events if each["LogicalResourceId"] == "StopExecutions"]
    assert of_ours[:2] == ["DELETE_COMPLETE", "DELETE_IN_PROGRESS"], "newest first"
    assert own.status(arn) == "RUNNING"
    (rule,) = [r for r in own.client("events").list_rules()["Rules"] if r["Name"].endswith("-marker-uploaded")]
    assert rule["State"] == "ENABLED"
    own.faults()
    own.assert_sound(own.wait(arn))
