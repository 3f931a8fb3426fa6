"""Rules, topics, queues and schedules deliver with their role or the target's policy (patch event_delivery)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from toys import Toys, allow, only
from waiting import eventually


@pytest.fixture
def passing(aws: Toys) -> str:
    return aws.machine(only({"Type": "Pass", "End": True}))


def test_a_rule_starts_a_machine_with_its_role(aws: Toys, passing: str) -> None:
    role = aws.role("events", [allow("states:StartExecution", passing)])
    aws.rule("toy.allowed", {"Arn": passing, "RoleArn": role})
    aws.emit("toy.allowed", {"n": 1})
    states = aws.client("stepfunctions")
    eventually(lambda: states.list_executions(stateMachineArn=passing)["executions"])


@pytest.mark.fault("A22")
@pytest.mark.parametrize("fault", ["no permission", "wrong trust", "no machine"])
def test_what_a_rule_cannot_deliver_is_dead_lettered(aws: Toys, passing: str, fault: str) -> None:
    url, arn = aws.queue("events.amazonaws.com")
    role = aws.role(
        "lambda" if fault == "wrong trust" else "events",
        [] if fault == "no permission" else [allow("states:StartExecution", "*")],
    )
    target = f"{passing}-gone" if fault == "no machine" else passing
    source = f"toy.{fault.replace(' ', '-')}"
    aws.rule(source, {"Arn": target, "RoleArn": role, "DeadLetterConfig": {"Arn": arn}})
    aws.emit(source, {"n": 1})
    event = aws.message(url)
    assert (event["source"], event["detail"]) == (source, {"n": 1})
    assert not aws.client("stepfunctions").list_executions(stateMachineArn=passing)["executions"]


def test_a_dead_letter_queue_takes_only_what_its_policy_allows(aws: Toys, passing: str) -> None:
    closed_url, closed = aws.queue()
    open_url, opened = aws.queue("events.amazonaws.com")
    for queue in (closed, opened):
        aws.rule("toy.closed", {"Arn": passing, "RoleArn": aws.role("events", []), "DeadLetterConfig": {"Arn": queue}})
    aws.emit("toy.closed", {"n": 1})
    assert aws.message(open_url)["detail"] == {"n": 1}
    assert aws.messages_now(closed_url) == 0


@pytest.mark.parametrize("kind", ["lambda", "sqs", "sns"])
def test_a_rule_reaches_other_targets_by_their_own_policy(aws: Toys, echo: str, kind: str) -> None:
    arn = {
        "lambda": lambda: aws.function("def handler(event, context):\n    return 1"),
        "sqs": lambda: aws.queue()[1],
        "sns": lambda: aws.client("sns").create_topic(Name="toy-target")["TopicArn"],
    }[kind]()
    dead_url, dead = aws.queue("events.amazonaws.com")
    aws.rule(f"toy.{kind}", {"Arn": arn, "DeadLetterConfig": {"Arn": dead}})
    aws.emit(f"toy.{kind}", {"n": 1})
    assert aws.message(dead_url)["detail"] == {"n": 1}


def test_an_event_of_a_versioned_bucket_names_the_version_that_was_stored(aws: Toys) -> None:
    (url, arn), s3 = aws.queue("events.amazonaws.com"), aws.client("s3")
    versioned, plain = aws.bucket(), aws.bucket()
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    for bucket in (plain, versioned):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    aws.rule("aws.s3", {"Arn": arn})
    versions = {s3.put_object(Bucket=versioned, Key="a b+c.json", Body=body)["VersionId"] for body in (b"1", b"2")}
    s3.put_object(Bucket=plain, Key="a b+c.json", Body=b"3")
    told = [aws.message(url)["detail"] for _ in range(3)]
    assert {each["object"]["key"] for each in told} == {"a b+c.json"}
    named = {each["object"]["version-id"] for each in told if each["bucket"]["name"] == versioned}
    assert named == versions and len(versions) == 2
    assert [each["bucket"]["name"] for each in told if "version-id" not in each["object"]] == [plain]


def _tells_queue(aws: Toys, url: str, then: str = "") -> str:
    code = f"""
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    {then}
"""
    return aws.function(code, variables={"QUEUE": url})


def test_a_rule_may_invoke_a_function_and_tries_again_when_it_raises(aws: Toys) -> None:
    url, _ = aws.queue()
    function = _tells_queue(aws, url, "raise ValueError")
    rule = aws.rule("toy.again", {"Arn": function})
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    aws.emit("toy.again", {"n": 1})
    assert [aws.message(url)["detail"] for _ in range(3)] == [{"n": 1}] * 3


@pytest.mark.parametrize("permitted", [True, False])
def test_a_topic_invokes_only_functions_that_permit_it(aws: Toys, permitted: bool) -> None:
    seen_url, _ = aws.queue()
    function = _tells_queue(aws, seen_url)
    other_url, other = aws.queue("sns.amazonaws.com")
    topic = aws.client("sns").create_topic(Name=f"toy-{permitted}")["TopicArn"]
    if permitted:
        aws.client("lambda").add_permission(
            FunctionName=function,
            StatementId="topic",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=topic,
        )
    aws.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=other)
    aws.client("sns").publish(TopicArn=topic, Message="hello")
    assert aws.message(other_url)["Message"] == "hello"
    if permitted:
        assert aws.message(seen_url)["Records"][0]["Sns"]["Message"] == "hello"
    else:
        time.sleep(0.5)
        assert aws.messages_now(seen_url) == 0


def test_a_schedule_acts_with_its_role(aws: Toys, passing: str) -> None:
    dead_url, dead = aws.queue()
    for name, statements in (("permitted", [allow("states:StartExecution", passing)]), ("denied", [])):
        role = aws.role("scheduler", [*statements, allow("sqs:SendMessage", dead)])
        aws.client("scheduler").create_schedule(
            Name=f"toy-{name}",
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": passing,
                "RoleArn": role,
                "DeadLetterConfig": {"Arn": dead},
                "Input": json.dumps({"name": name}),
            },
        )
    assert aws.message(dead_url)["source"] == "aws.scheduler"
    states = aws.client("stepfunctions")
    executions = eventually(lambda: states.list_executions(stateMachineArn=passing)["executions"])
    started = [states.describe_execution(executionArn=each["executionArn"])["input"] for each in executions]
    assert started == ['{"name": "permitted"}']


@pytest.mark.parametrize("permitted", [True, False])
def test_a_queue_feeds_a_function_only_with_the_functions_permission(aws: Toys, permitted: bool) -> None:
    url, arn = aws.queue()
    seen_url, seen = aws.queue()
    poll = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    function = aws.function(
        """
        import boto3, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody='"seen"')
        """,
        statements=[allow("sqs:SendMessage", seen), *([poll] if permitted else [])],
        variables={"QUEUE": seen_url},
    )
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="1")
    if permitted:
        assert aws.message(seen_url) == "seen"
    else:
        time.sleep(1.5)
        assert (aws.messages_now(url), aws.messages_now(seen_url)) == (1, 0)


def test_a_bucket_that_demands_tls_serves_functions(aws: Toys) -> None:
    bucket = aws.bucket()
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    refuse = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": arns,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [refuse]})
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    function = aws.function(
        """
        import boto3
        def handler(event, context):
            boto3.client("s3").put_object(Bucket=event["bucket"], Key="a b+c%20.txt", Body=b"1")
        """,
        statements=[allow("s3:PutObject", arns[1])],
    )
    assert aws.invoke(function, {"bucket": bucket}) == (None, None)
