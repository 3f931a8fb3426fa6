"""The lint gate goes red for a role that may too much, too little, or what AWS does not have."""

from pathlib import Path
from typing import Any

import pytest
from planted_faults import Fault, findings_with, in_machine, in_template

from lint import authorization, permissions

BATCH = "label_batch"


def without(action: str) -> Fault:
    """Takes an action from the statements of LabelBatch's role."""

    def plant(copy: Path) -> None:
        path = copy / "template.yaml"
        before, machine, rest = path.read_text().partition("  LabelBatchStateMachine:\n")
        inside, end, after = rest.partition("  TrainModelStateMachine:\n")
        assert machine and end and action in inside
        path.write_text(before + machine + inside.replace(action, "sns:Publish") + end + after)

    return plant


FAULTS: dict[str, tuple[Any, Fault, str]] = {
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
}


@pytest.mark.fault("I14")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_planted_into_a_permission_turns_the_gate_red(name: str, tmp_path: Path) -> None:
    checked, fault, message = FAULTS[name]
    findings = findings_with(fault, checked, tmp_path)
    assert any(message in finding for finding in findings), findings
