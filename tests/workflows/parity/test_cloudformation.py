"""Stacks: custom resources, metric math, alarm names, settings of tables (patches of the same names)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from toys import ALL, Toys
from waiting import eventually

from local import stack


def _create(aws: Toys, name: str, resources: dict[str, Any]) -> dict[str, Any]:
    formation = aws.client("cloudformation")
    formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))

    def settled() -> dict[str, Any] | None:
        found: dict[str, Any] = formation.describe_stacks(StackName=name)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    return eventually(settled)


CUSTOM = """
import boto3, json, os, urllib.request
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event["RequestType"]))
    if os.environ.get("RAISE"):
        raise ValueError("cannot clean up")
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer.update(Status="SUCCESS", PhysicalResourceId="cleanup")
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


def test_deleting_a_stack_runs_its_custom_resource_and_keeps_what_is_retained(aws: Toys) -> None:
    url, _ = aws.queue()
    function = aws.function(CUSTOM, variables={"QUEUE": url})
    resources = {
        "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "toy-kept"}},
        "Gone": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "toy-gone"}},
        "Cleanup": {"Type": "Custom::Cleanup", "Properties": {"ServiceToken": function}},
    }
    assert _create(aws, "toy-stack", resources)["StackStatus"] == "CREATE_COMPLETE"
    assert aws.message(url) == "Create"
    stack.delete(aws.server, "toy-stack")
    assert aws.message(url) == "Delete"
    aws.client("s3").head_bucket(Bucket="toy-kept")
    with pytest.raises(ClientError, match="NonExistentQueue"):
        aws.client("sqs").get_queue_url(QueueName="toy-gone")


def test_a_custom_resource_that_raises_fails_the_stack_at_once(aws: Toys) -> None:
    url, _ = aws.queue()
    function = aws.function(CUSTOM, variables={"QUEUE": url, "RAISE": "1"})
    created = _create(
        aws, "toy-failing", {"Cleanup": {"Type": "Custom::Cleanup", "Properties": {"ServiceToken": function}}}
    )
    assert created["StackStatus"].startswith("ROLLBACK")
    events = aws.client("cloudformation").describe_stack_events(StackName="toy-failing")["StackEvents"]
    assert any("cannot clean up" in event.get("ResourceStatusReason", "") for event in events)


def _alarm(*metrics: dict[str, Any]) -> dict[str, Any]:
    properties = {"AlarmName": "toy-math", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    return {
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {**properties, "EvaluationPeriods": 1, "Metrics": list(metrics)},
        }
    }


def _metric(name: str, **fields: Any) -> dict[str, Any]:
    stat = {"Metric": {"Namespace": "AWS/States", "MetricName": name}, "Period": 300, "Stat": "Sum"}
    return {"Id": name.lower(), "MetricStat": stat, "ReturnData": False, **fields}


def test_an_alarm_on_metric_math_is_stored_and_a_wrong_one_refused(aws: Toys) -> None:
    total = {"Id": "total", "Expression": "SUM([failed, timedout])", "ReturnData": True}
    wrong = _create(aws, "toy-wrong-math", _alarm(total, _metric("failed")))
    assert wrong["StackStatus"].startswith("ROLLBACK")
    made = _create(aws, "toy-math", _alarm(total, _metric("failed"), _metric("timedout")))
    assert made["StackStatus"] == "CREATE_COMPLETE"
    alarm = aws.client("cloudwatch").describe_alarms(AlarmNames=["toy-math"])["MetricAlarms"][0]
    assert [metric["Id"] for metric in alarm["Metrics"]] == ["total", "failed", "timedout"]
    assert alarm["Metrics"][0]["ReturnData"] is True


def test_a_tables_expiry_and_recovery_are_switched_on(aws: Toys) -> None:
    table = {
        "TableName": "toy-settings",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    _create(aws, "toy-table", {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": table}})
    dynamodb = aws.client("dynamodb")
    expiry = dynamodb.describe_time_to_live(TableName="toy-settings")["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName="toy-settings")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_alarms_are_deleted_by_who_may_delete_those_of_that_name(aws: Toys) -> None:
    may = {"Effect": "Allow", "Action": "cloudwatch:DeleteAlarms", "Resource": "arn:aws:cloudwatch:*:*:alarm:toy-*"}
    code = """
        import boto3
        def handler(event, context):
            boto3.client("cloudwatch").delete_alarms(AlarmNames=event["names"])
    """
    delete = aws.function(code, [may])
    assert aws.invoke(delete, {"names": ["toy-wake"]}) == (None, None)
    error, answer = aws.invoke(delete, {"names": ["other-wake"]})
    assert error and "is not authorized to perform: cloudwatch:DeleteAlarms" in answer["errorMessage"]


def test_a_function_whose_environment_takes_more_than_4_kb_is_refused(aws: Toys) -> None:
    """By CreateFunction, by UpdateFunctionConfiguration and in a stack."""
    function = aws.function("def handler(e, c):\n    return 1\n")
    large = {"Variables": {"CLASSES": "x" * 4096}}
    with pytest.raises(ClientError, match="exceeded the 4KB limit"):
        aws.client("lambda").update_function_configuration(FunctionName=function, Environment=large)
    properties = {"Role": "arn:aws:iam::000000000000:role/x", "Handler": "app.handler", "Runtime": "python3.11"}
    resource = {
        "Type": "AWS::Lambda::Function",
        "Properties": {**properties, "Code": {"ZipFile": "x = 1"}, "Environment": large},
    }
    created = _create(aws, "toy-large", {"Large": resource})
    assert created["StackStatus"].startswith("ROLLBACK")
    events = aws.client("cloudformation").describe_stack_events(StackName="toy-large")["StackEvents"]
    assert any("exceeded the 4KB limit" in event.get("ResourceStatusReason", "") for event in events)


ATTRIBUTES = """
import json, urllib.request
def handler(event, context):
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    data = {"Sum": str(sum(int(each) for each in event.get("ResourceProperties", {}).get("Numbers", [])))}
    answer.update(Status="SUCCESS", PhysicalResourceId="sum", Data=data)
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


def test_what_a_custom_resource_answers_is_read_by_getatt(aws: Toys) -> None:
    adder = {"Type": "Custom::Sum", "Properties": {"ServiceToken": aws.function(ATTRIBUTES), "Numbers": ["3", "4"]}}
    queue = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": {"Fn::Join": ["-", ["toy", {"Fn::GetAtt": ["Adder", "Sum"]}]]}},
    }
    assert _create(aws, "toy-sum", {"Adder": adder, "Queue": queue})["StackStatus"] == "CREATE_COMPLETE"
    assert aws.client("sqs").get_queue_url(QueueName="toy-7")["QueueUrl"]


WAITING = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}},
}


def test_a_machine_with_a_running_execution_stays_deleting_and_its_stack_too(aws: Toys) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": "toy-waiting",
            "RoleArn": aws.role("states", ALL),
            "DefinitionString": json.dumps(WAITING),
        },
    }
    assert _create(aws, "toy-machines", {"Machine": machine})["StackStatus"] == "CREATE_COMPLETE"
    states, formation = aws.client("stepfunctions"), aws.client("cloudformation")
    machines = states.list_state_machines()["stateMachines"]
    (arn,) = [each["stateMachineArn"] for each in machines if each["name"] == "toy-waiting"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    formation.delete_stack(StackName="toy-machines")

    def status() -> str:
        return str(formation.describe_stacks(StackName="toy-machines")["Stacks"][0]["StackStatus"])

    eventually(lambda: status() == "DELETE_FAILED")
    told = formation.describe_stack_events(StackName="toy-machines")["StackEvents"]
    assert any("is still DELETING" in event.get("ResourceStatusReason", "") for event in told)
    assert states.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    with pytest.raises(ClientError, match="StateMachineDeleting"):
        states.start_execution(stateMachineArn=arn)
    assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"
    states.stop_execution(executionArn=execution)
    stack.delete(aws.server, "toy-machines")
    assert arn not in [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
