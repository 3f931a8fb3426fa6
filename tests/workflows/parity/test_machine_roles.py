"""A state machine may do only what its role allows (patch machine_roles)."""

from __future__ import annotations

import json

import pytest
from toys import ACCOUNT, ALL, Toys, allow, distributed_map, nested_task, only, task

NESTED_RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"


@pytest.mark.parametrize(
    "missing",
    [
        "lambda:InvokeFunction",
        "s3:GetObject",
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:PutRule",
        "events:PutTargets",
        "events:DescribeRule",
        None,
    ],
)
def test_a_machine_may_do_only_what_its_role_allows(aws: Toys, echo: str, missing: str | None) -> None:
    bucket = aws.bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="items.jsonl", Body=b'{"n":1}\n')
    child = aws.machine(only({"Type": "Pass", "End": True}))
    definition = {
        "StartAt": "Map",
        "States": {
            "Map": {key: value for key, value in distributed_map(bucket, echo).items() if key != "End"}
            | {"Next": "Nested"},
            "Nested": nested_task(child),
        },
    }
    wanted = {
        "lambda:InvokeFunction": echo,
        "s3:GetObject": f"arn:aws:s3:::{bucket}/*",
        "states:StartExecution": "*",
        "states:DescribeExecution": f"{child.replace(':stateMachine:', ':execution:')}:*",
        "states:StopExecution": f"{child.replace(':stateMachine:', ':execution:')}:*",
        "events:PutRule": NESTED_RULE,
        "events:PutTargets": NESTED_RULE,
        "events:DescribeRule": NESTED_RULE,
    }
    statements = [allow(action, resource) for action, resource in wanted.items() if action != missing]
    execution = aws.run(aws.machine(definition, statements), {"name": "child"})
    if missing is None:
        assert execution["status"] == "SUCCEEDED", execution
        return
    assert execution["status"] == "FAILED"
    reason = execution["cause"]
    if missing == "lambda:InvokeFunction":  # the map's child fails, the parent says that too many did
        reason = _only_child_cause(aws, execution["executionArn"])
    assert f"is not authorized to perform: {missing}" in reason


def _only_child_cause(aws: Toys, execution: str) -> str:
    states = aws.client("stepfunctions")
    run = states.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    child = states.list_executions(mapRunArn=run)["executions"][0]["executionArn"]
    return str(states.describe_execution(executionArn=child)["cause"])


def test_a_machine_needs_a_role_that_trusts_step_functions(aws: Toys, echo: str) -> None:
    states = aws.client("stepfunctions")
    definition = json.dumps(only(task(echo)))
    role = aws.role("lambda", ALL)
    machine = states.create_state_machine(name="distrusted", definition=definition, roleArn=role)["stateMachineArn"]
    assert "cannot be assumed by states.amazonaws.com" in aws.run(machine)["cause"]


def test_integrations_are_checked_or_refused(aws: Toys) -> None:
    aws.client("dynamodb").create_table(
        TableName="toy",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "toy", "Item": {"id": {"S": "1"}}},
        "End": True,
    }
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/toy"
    assert aws.run(aws.machine(only(put), [allow("dynamodb:PutItem", table)]))["status"] == "SUCCEEDED"
    denied = aws.run(aws.machine(only(put), [allow("dynamodb:PutItem", f"{table}2")]))
    assert "is not authorized to perform: dynamodb:PutItem" in denied["cause"]
    unknown = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter", "Parameters": {"Name": "x"}}
    refused = aws.run(aws.machine(only({**unknown, "End": True})))
    assert "no role check for the integration ssm:getParameter" in refused["cause"]


def test_a_wildcard_stands_for_line_ends_too(aws: Toys) -> None:
    """The embedded AWS is another process: what it does to this module there is done here."""
    from ministack.core import iam_evaluator

    from local.patches import whole_wildcards

    key = "arn:aws:s3:::bucket/incoming/a\nb\u2028c.png"
    assert not iam_evaluator.fnmatch_iam_cs(key, "arn:aws:s3:::bucket/incoming/*"), "not needed any more"
    before = iam_evaluator._fnmatch_compile
    whole_wildcards.apply()
    try:
        assert iam_evaluator.fnmatch_iam_cs(key, "arn:aws:s3:::bucket/incoming/*")
        assert not iam_evaluator.fnmatch_iam_cs(f"{key}\n", "arn:aws:s3:::bucket/incoming/*.png")
        assert not iam_evaluator.fnmatch_iam_cs(key, "arn:aws:s3:::other/*")
        assert iam_evaluator.fnmatch_iam("S3:getobject", "s3:Get*")
    finally:
        iam_evaluator._fnmatch_compile = before
