"""Emulated endpoints: asynchronous inference, its notices, updates, deaths, and scaling to zero and back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from sagemaker_lab import Lab, allow, refusal, running_lab
from toys import ACCOUNT
from waiting import eventually


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab() as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(lab: Lab) -> Iterator[None]:
    yield
    lab.undo_faults()


def test_an_endpoint_serves_asynchronously_and_tells_its_topics(lab: Lab) -> None:
    (success, ok), (error, failed) = lab.topic(), lab.topic()
    events = lab.events("SageMaker Endpoint State Change")
    endpoint = lab.endpoint("Serves-1", (success, error))
    assert endpoint["EndpointStatus"] == "InService", endpoint.get("FailureReason")
    assert endpoint["EndpointArn"].endswith(":endpoint/serves-1")
    assert endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    test_notification = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
    assert lab.collect(ok, 1) == lab.collect(failed, 1) == [test_notification]
    received = lab.collect(events, 2)
    assert [e["detail"]["EndpointStatus"] for e in received] == ["CREATING", "IN_SERVICE"]

    call = lab.invoke(
        "Serves-1",
        "hello",
        ContentType="text/plain",
        Accept="application/json",
        InferenceId="b1-r0-s0",
        S3OutputPathExtension="b1/0",
        Filename="00000-0.jsonl",
    )
    assert call["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert call["InferenceId"] == "b1-r0-s0"
    assert call["OutputLocation"] == f"s3://{lab.bucket}/async/out/b1/0/00000-0.jsonl"
    (notice,) = lab.collect(ok, 1)
    assert list(notice) == [
        "awsRegion",
        "eventTime",
        "receivedTime",
        "invocationStatus",
        "requestParameters",
        "responseParameters",
        "inferenceId",
        "eventVersion",
        "eventSource",
        "eventName",
    ]
    assert notice["requestParameters"] == {
        "accept": "application/json",
        "contentType": "text/plain",
        "endpointName": "Serves-1",
        "inputLocation": call["InputLocation"],
    }
    assert notice["responseParameters"] == {"contentType": "application/json", "outputLocation": call["OutputLocation"]}
    assert (notice["invocationStatus"], notice["inferenceId"]) == ("Completed", "b1-r0-s0")
    answer = json.loads(lab.get(call["OutputLocation"]))
    assert (answer["model"], answer["body"]) == ("w1", "hello")
    assert answer["headers"]["content-type"] == "text/plain"

    call = lab.invoke("Serves-1", "error")
    (notice,) = lab.collect(failed, 1)
    assert notice["invocationStatus"] == "Failed"
    assert notice["failureReason"].startswith("ClientError: Received server error (500) from model.")
    assert notice["inferenceId"] == call["InferenceId"]
    assert "responseParameters" not in notice
    assert b"the model broke" in lab.get(call["FailureLocation"])
    assert not lab.exists(call["OutputLocation"])

    lab.invoke("Serves-1", "slow", InvocationTimeoutSeconds=1)
    assert "timed out" in lab.collect(failed, 1)[0]["failureReason"]
    lab.runtime.invoke_endpoint_async(EndpointName="Serves-1", InputLocation=f"s3://{lab.bucket}/not/there")
    assert "NoSuchKey" in lab.collect(failed, 1)[0]["failureReason"]
    assert refusal(lab.runtime.invoke_endpoint_async, EndpointName="nobody", InputLocation="s3://b/k") == (
        "ValidationError",
        f"Endpoint nobody of account {ACCOUNT} not found.",
    )


def test_notices_can_be_dropped_and_doubled_and_invocations_can_fail(lab: Lab) -> None:
    (success, ok), (error, failed) = lab.topic(), lab.topic()
    lab.endpoint("faulty", (success, error))
    lab.collect(ok, 1), lab.collect(failed, 1)
    lab.faults(drop_success_notices=1, invocation_failures=0)
    dropped = lab.invoke("faulty", "1")
    eventually(lambda: lab.exists(dropped["OutputLocation"]))
    eventually(lambda: lab.control("GET", "state")["notices"][-1]["message"]["inferenceId"] == dropped["InferenceId"])
    lab.faults(duplicate_success_notices=5)
    doubled = lab.invoke("faulty", "2")
    assert [notice["inferenceId"] for notice in lab.collect(ok, 5)] == [doubled["InferenceId"]] * 5
    lab.faults(invocation_failures=1)
    lab.invoke("faulty", "3")
    assert lab.collect(failed, 1)[0]["invocationStatus"] == "Failed"
    lab.invoke("faulty", "4")
    assert lab.collect(ok, 1)[0]["invocationStatus"] == "Completed"


@pytest.mark.fault("C23")
def test_a_container_that_dies_fails_its_request_and_is_replaced(lab: Lab) -> None:
    (success, ok), (error, failed) = lab.topic(), lab.topic()
    lab.endpoint("mortal", (success, error))
    lab.collect(ok, 1), lab.collect(failed, 1)
    lab.invoke("mortal", "crash")
    assert "server error (500)" in lab.collect(failed, 1)[0]["failureReason"]
    after = lab.invoke("mortal", "again")
    assert lab.collect(ok, 1)[0]["inferenceId"] == after["InferenceId"]


def test_an_endpoint_that_exists_is_not_made_again(lab: Lab) -> None:
    lab.endpoint("made")
    assert (
        "Cannot create already existing endpoint"
        in refusal(lab.sagemaker.create_endpoint, EndpointName="made", EndpointConfigName="made")[1]
    )


def test_an_endpoint_that_cannot_start_fails_with_the_reason(lab: Lab) -> None:
    assert "did not pass the ping health check" in lab.endpoint("dies", DIE="1")["FailureReason"]
    lab.sagemaker.create_model(ModelName="no-image", PrimaryContainer={"Image": "other:1"}, ExecutionRoleArn=lab.role)
    lab.config("no-image", "no-image")
    lab.sagemaker.create_endpoint(EndpointName="no-image", EndpointConfigName="no-image")
    assert lab.settled("no-image")["FailureReason"] == "The image 'other:1' does not exist."
    mute = lab.toys.role("sagemaker", [allow("s3:*")])
    lab.config("mute", lab.model("mute", role=mute), (lab.topic()[0], lab.topic()[0]))
    lab.sagemaker.create_endpoint(EndpointName="mute", EndpointConfigName="mute")
    endpoint = lab.settled("mute")
    assert endpoint["EndpointStatus"] == "Failed"
    assert "test notification" in endpoint["FailureReason"] and "AuthorizationError" in endpoint["FailureReason"]


@pytest.mark.fault("J02")
def test_a_model_server_listens_where_no_web_page_finds_it(lab: Lab) -> None:
    lab.endpoint("hidden")
    process = psutil.Process(lab.control("GET", "state")["endpoints"]["hidden"]["pid"])
    heard = {each.laddr.ip for each in process.net_connections() if each.status == psutil.CONN_LISTEN}
    assert heard and all(ip_address(address).is_loopback for address in heard)
    if sys.platform == "linux":
        assert "127.0.0.1" not in heard


def test_a_deleted_endpoint_is_gone_with_its_process(lab: Lab) -> None:
    lab.endpoint("deleted")
    pid = lab.control("GET", "state")["endpoints"]["deleted"]["pid"]
    lab.sagemaker.delete_endpoint(EndpointName="deleted")

    def gone() -> bool:
        return "deleted" not in lab.control("GET", "state")["endpoints"]

    eventually(gone)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    code, message = refusal(lab.sagemaker.describe_endpoint, EndpointName="deleted")
    assert (code, message.startswith('Could not find endpoint "arn:')) == ("ValidationException", True)
    assert refusal(lab.sagemaker.delete_endpoint, EndpointName="deleted")[1] == message


def test_an_idle_endpoint_scales_to_zero_and_only_the_wake_alarm_brings_it_back(lab: Lab) -> None:
    (success, ok), (error, _) = lab.topic(), lab.topic()
    lab.endpoint("sleepy", (success, error))
    lab.collect(ok, 1)
    resource = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/sleepy/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    step = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    assert (
        refusal(
            lab.scaling.put_scaling_policy,
            PolicyName="wake",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration=step,
            **resource,
        )[0]
        == "ObjectNotFoundException"
    )
    lab.scaling.register_scalable_target(MinCapacity=0, MaxCapacity=2, **resource)
    tracking = {
        "TargetValue": 5.0,
        "CustomizedMetricSpecification": {
            "Namespace": "AWS/SageMaker",
            "MetricName": "ApproximateBacklogSizePerInstance",
            "Statistic": "Average",
            "Dimensions": [{"Name": "EndpointName", "Value": "sleepy"}],
        },
    }
    lab.scaling.put_scaling_policy(
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
        **resource,
    )
    eventually(lambda: lab.instances("sleepy") == 0)
    assert lab.sagemaker.describe_endpoint(EndpointName="sleepy")["EndpointStatus"] == "InService"

    waiting = lab.invoke("sleepy", "wake up")
    policy = lab.scaling.put_scaling_policy(
        PolicyName="wake", PolicyType="StepScaling", StepScalingPolicyConfiguration=step, **resource
    )["PolicyARN"]
    assert lab.control("GET", "state")["endpoints"]["sleepy"]["queued"] == 1
    assert lab.instances("sleepy") == 0, "a policy without an alarm wakes nobody"
    lab.toys.client("cloudwatch").put_metric_alarm(
        AlarmName="wake-sleepy",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": "sleepy"}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy],
    )
    assert lab.collect(ok, 1)[0]["inferenceId"] == waiting["InferenceId"]

    lab.toys.client("cloudwatch").delete_alarms(AlarmNames=["wake-sleepy"])
    lab.scaling.delete_scaling_policy(PolicyName="wake", **resource)
    eventually(lambda: lab.instances("sleepy") == 0)
    for n in range(6):
        lab.invoke("sleepy", f"more than the target {n}")
    assert len(lab.collect(ok, 6)) == 6

    assert lab.control("GET", "state")["scalable_targets"] == [resource["ResourceId"]]
    lab.scaling.deregister_scalable_target(**resource)
    assert lab.control("GET", "state")["scalable_targets"] == []
    assert refusal(lab.scaling.delete_scaling_policy, PolicyName="track", **resource)[0] == "ObjectNotFoundException"
    assert refusal(lab.scaling.deregister_scalable_target, **resource)[0] == "ObjectNotFoundException"
    assert (
        refusal(
            lab.scaling.register_scalable_target,
            MinCapacity=0,
            MaxCapacity=1,
            **{**resource, "ResourceId": "endpoint/no/variant/A"},
        )[0]
        == "ValidationException"
    )


# --- the end ----------------------------------------------------------------------------------------------------------


SCALES = {
    "application-autoscaling:RegisterScalableTarget": "*",
    "sagemaker:DescribeEndpoint": "endpoint/asks-1",
    "sagemaker:UpdateEndpointWeightsAndCapacities": "endpoint/asks-1",
    "sagemaker:DescribeEndpointConfig": "endpoint-config/0ff1ce00-1111-4222-8333-444455556666",
}
TRACKS = {
    "application-autoscaling:PutScalingPolicy": "*",
    "application-autoscaling:DeleteScalingPolicy": "*",
    "cloudwatch:DescribeAlarms": "*",
    "cloudwatch:PutMetricAlarm": "alarm:TargetTracking-endpoint/asks-*",
    "cloudwatch:DeleteAlarms": "alarm:TargetTracking-endpoint/asks-*",
}


def scaler(lab: Lab, granted: dict[str, str]) -> Any:
    """Application Auto Scaling for somebody who may do that, on exactly these resources."""
    return lab.user(
        *(
            allow(action, resource=where if where == "*" else f"arn:aws:{action.partition(':')[0]}:*:*:{where}")
            for action, where in granted.items()
        ),
        service="application-autoscaling",
    )


def denied(call: Any, **request: Any) -> str:
    """AWS's sentence, or an empty one where the call was allowed."""
    try:
        call(**request)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


def test_scaling_a_variant_asks_sagemaker_and_cloudwatch_in_the_callers_name(lab: Lab) -> None:
    """Also for the endpoint's config, under the name that it really has, which need not be like the endpoint's."""
    config = lab.config(SCALES["sagemaker:DescribeEndpointConfig"].partition("/")[2], lab.model("Asks-1"))
    lab.sagemaker.create_endpoint(EndpointName="asks-1", EndpointConfigName=config)
    assert lab.settled("asks-1")["EndpointStatus"] == "InService"
    target = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/asks-1/variant/AllTraffic"}
    target["ScalableDimension"] = "sagemaker:variant:DesiredInstanceCount"
    for missing in SCALES:
        few = scaler(lab, {action: where for action, where in SCALES.items() if action != missing})
        said = denied(few.register_scalable_target, MinCapacity=0, MaxCapacity=1, **target)
        assert f"not authorized to perform: {missing}" in said
    assert lab.control("GET", "state")["scalable_targets"] == []
    scaler(lab, SCALES).register_scalable_target(MinCapacity=0, MaxCapacity=1, **target)

    metric = {"Namespace": "AWS/SageMaker", "MetricName": "ApproximateBacklogSizePerInstance", "Statistic": "Average"}
    metric["Dimensions"] = [{"Name": "EndpointName", "Value": "asks-1"}]  # type: ignore[assignment]
    policy = {"TargetValue": 5.0, "CustomizedMetricSpecification": metric}
    named = {**target, "PolicyName": "backlog"}
    tracked = {**named, "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": policy}
    for missing in ("cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"):
        few = scaler(lab, {action: where for action, where in TRACKS.items() if action != missing})
        assert f"not authorized to perform: {missing}" in denied(few.put_scaling_policy, **tracked)
    scaler(lab, TRACKS).put_scaling_policy(**tracked)
    few = scaler(lab, {action: where for action, where in TRACKS.items() if action != "cloudwatch:DeleteAlarms"})
    assert "not authorized to perform: cloudwatch:DeleteAlarms" in denied(few.delete_scaling_policy, **named)
    scaler(lab, TRACKS).delete_scaling_policy(**named)
    assert "ObjectNotFoundException" in denied(lab.scaling.delete_scaling_policy, **named)
    lab.sagemaker.delete_endpoint(EndpointName="asks-1")


def test_a_server_that_ends_takes_its_containers_along() -> None:
    with running_lab() as lab:
        lab.endpoint("orphan")
        lab.sagemaker.create_training_job(**lab.training_request("orphan", HyperParameters={"endless": "1"}))
        eventually(
            lambda: lab.sagemaker.describe_training_job(TrainingJobName="orphan")["SecondaryStatus"] == "Training"
        )
        state = lab.control("GET", "state")
        pids = [state["endpoints"]["orphan"]["pid"], eventually(lambda: training_pid(lab, "orphan"))]
        for pid in pids:
            os.kill(pid, 0)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def training_pid(lab: Lab, name: str) -> int | None:
    pid: int | None = lab.control("GET", "state")["training_jobs"][name]["pid"]
    return pid
