"""Throw-away roles, functions and state machines on an embedded AWS, made through boto3."""

from __future__ import annotations

import io
import json
import textwrap
import uuid
import zipfile
from typing import Any

from waiting import eventually

from local import stack

ALL = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
ACCOUNT = "000000000000"
LAMBDA_SLOTS = 3  # functions that the parity tests' server runs at once


class Toys:
    def __init__(self, server: stack.Server) -> None:
        self.server = server
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = stack.client(self.server, service)
        return self._clients[service]

    def role(self, service: str, statements: list[dict[str, Any]]) -> str:
        name = _name("role")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        if statements:
            policy = {"Version": "2012-10-17", "Statement": statements}
            self.client("iam").put_role_policy(RoleName=name, PolicyName="toy", PolicyDocument=json.dumps(policy))
        return str(role["Arn"])

    def function(
        self,
        code: str,
        statements: list[dict[str, Any]] | None = None,
        variables: dict[str, str] | None = None,
        name: str = "",
    ) -> str:
        """code: a module with `handler(event, context)`."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("app.py", textwrap.dedent(code))
        created = self.client("lambda").create_function(
            FunctionName=name or _name("function"),
            Runtime="python3.11",
            Handler="app.handler",
            Role=self.role("lambda", ALL if statements is None else statements),
            Code={"ZipFile": archive.getvalue()},
            Timeout=20,
            Environment={"Variables": variables or {}},
        )
        return str(created["FunctionArn"])

    def invoke(self, function: str, payload: Any = None) -> Any:
        """(function error or None, decoded payload)"""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload or {}))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def machine(self, definition: dict[str, Any], statements: list[dict[str, Any]] | None = None) -> str:
        created = self.client("stepfunctions").create_state_machine(
            name=_name("machine"),
            definition=json.dumps(definition),
            roleArn=self.role("states", ALL if statements is None else statements),
        )
        return str(created["stateMachineArn"])

    def start(self, machine: str, given: Any = None) -> str:
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given or {}))
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        return eventually(look)

    def run(self, machine: str, given: Any = None) -> dict[str, Any]:
        return self.ended(self.start(machine, given))

    def history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def queue(self, policy_for: str | None = None) -> tuple[str, str]:
        """(url, arn); policy_for: a service principal that may send."""
        url = self.client("sqs").create_queue(QueueName=_name("queue"))["QueueUrl"]
        arn = f"arn:aws:sqs:{stack.REGION}:{ACCOUNT}:{url.rsplit('/', 1)[-1]}"
        if policy_for:
            allow = {
                "Effect": "Allow",
                "Principal": {"Service": policy_for},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def message(self, url: str) -> Any:
        def receive() -> Any:
            return self.client("sqs").receive_message(QueueUrl=url).get("Messages")

        return json.loads(eventually(receive)[0]["Body"])

    def messages_now(self, url: str) -> int:
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def bucket(self) -> str:
        name = _name("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def rule(self, source: str, target: dict[str, Any]) -> str:
        name = _name("rule")
        rule = self.client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
        self.client("events").put_targets(Rule=name, Targets=[{"Id": "target", **target}])
        return str(rule["RuleArn"])

    def emit(self, source: str, detail: dict[str, Any]) -> None:
        entry = {"Source": source, "DetailType": "toy", "Detail": json.dumps(detail)}
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def allow(action: str | list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def task(function: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        **({} if "Next" in fields else {"End": True}),
        **fields,
    }


def token_task(function: str, **fields: Any) -> dict[str, Any]:
    state = task(function, **fields)
    state["Resource"] += ".waitForTaskToken"
    state["Parameters"] = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token", "input.$": "$"}}
    return state


def nested_task(child: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Name.$": "$.name", "Input": {"given": 1}},
        "End": True,
        **fields,
    }


def distributed_map(bucket: str, function: str) -> dict[str, Any]:
    return {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": bucket, "Key": "items.jsonl"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Each",
            "States": {"Each": task(function)},
        },
        "ResultPath": None,
        "End": True,
    }


def only(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine with one working state, and a place to be caught."""
    return {"StartAt": "Work", "States": {"Work": state, "Caught": {"Type": "Pass", "End": True}}, **fields}


def waiting_machine(aws: Toys, **fields: Any) -> tuple[str, Any]:
    """A machine whose only task waits, and a way to take its token."""
    url, _ = aws.queue()
    function = aws.function(
        """
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event["token"]))
        """,
        variables={"QUEUE": url},
    )
    return aws.machine(only(token_task(function, **fields))), lambda: aws.message(url)


def _name(kind: str) -> str:
    return f"toy-{kind}-{uuid.uuid4().hex[:12]}"
