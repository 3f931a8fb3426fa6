"""A laboratory for tests of the emulated SageMaker: one embedded AWS with a bucket, a role and real boto3 clients."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from toys import ACCOUNT, Toys
from waiting import eventually

from local import stack

REGION = stack.REGION
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/stub-image:1"
STUB = ["{python}", "{repo}/tests/support/stub_container.py"]
IDLE_SECONDS = 1.0
TEAM = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workteam/private-crowd/annotators"
KEYS = ["in/a b.jpg", "in/c+%20é.jpg", "in/d'😀.jpg"]


class Lab:
    """A bucket, a role for SageMaker and clients. Every resource is named after the test that made it."""

    def __init__(self, toys: Toys) -> None:
        self.toys = toys
        self.sagemaker, self.s3 = toys.client("sagemaker"), toys.client("s3")
        self.runtime, self.scaling = toys.client("sagemaker-runtime"), toys.client("application-autoscaling")
        self.bucket = f"lab-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)
        everything = {"Effect": "Allow", "Action": ["s3:*", "sns:Publish", "lambda:InvokeFunction"], "Resource": "*"}
        self.role = toys.role("sagemaker", [everything])

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def exists(self, uri: str) -> bool:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return key in [item["Key"] for item in self.s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])]

    def control(self, method: str, name: str, document: Any = None) -> Any:
        return stack.control(self.toys.server, method, name, document)

    def faults(self, **faults: Any) -> None:
        self.control("PUT", "faults", faults)

    def undo_faults(self) -> None:
        self.faults()
        self.control("PUT", "annotators", {})

    def events(self, detail_type: str) -> str:
        """A queue that gets the SageMaker events of one kind."""
        url, arn = self.toys.queue("events.amazonaws.com")
        name = f"rule-{uuid.uuid4().hex[:8]}"
        pattern = json.dumps({"source": ["aws.sagemaker"], "detail-type": [detail_type]})
        self.toys.client("events").put_rule(Name=name, EventPattern=pattern)
        self.toys.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def topic(self) -> tuple[str, str]:
        """(topic ARN, URL of a queue that gets its messages)"""
        url, queue = self.toys.queue("sns.amazonaws.com")
        arn = str(self.toys.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"])
        self.toys.client("sns").subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"}
        )
        return arn, url

    def messages(self, url: str) -> list[Any]:
        """All messages of a queue that are there now; they are deleted."""
        found = []
        while answer := self.toys.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in answer:
                self.toys.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def collect(self, url: str, count: int, seconds: float = 15.0) -> list[Any]:
        """The next messages of a queue, at least so many."""
        found: list[Any] = []

        def enough() -> bool:
            found.extend(self.messages(url))
            return len(found) >= count

        eventually(enough, seconds)
        return found

    def user(self, *statements: dict[str, Any], service: str = "sagemaker") -> Any:
        """A client of an IAM user with these permissions only."""
        iam, name = self.toys.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return boto3.client(
            service,
            endpoint_url=self.toys.server.endpoint,
            region_name=REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    # --- training

    def training_request(self, name: str, **changes: Any) -> dict[str, Any]:
        return {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/training"},
            "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "HyperParameters": {"weights": "w1"},
            **changes,
        }

    def trained(self, name: str, seconds: float = 20.0) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
            return job if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

        return eventually(look, seconds)

    # --- endpoints

    def model(self, name: str, weights: str = "w1", role: str = "", **environment: str) -> str:
        url = self.put(f"models/{name}/model.tar.gz", archive({"weights.txt": weights}))
        container = {"Image": IMAGE, "ModelDataUrl": url, "Environment": environment}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role or self.role)
        return name

    def config(self, name: str, model: str, topics: tuple[str, str] | None = None, concurrency: int = 2) -> str:
        output: dict[str, Any] = {
            "S3OutputPath": f"s3://{self.bucket}/async/out",
            "S3FailurePath": f"s3://{self.bucket}/async/fail",
        }
        if topics:
            output["NotificationConfig"] = {"SuccessTopic": topics[0], "ErrorTopic": topics[1]}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": model,
                    "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 1,
                }
            ],
            AsyncInferenceConfig={
                "OutputConfig": output,
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency},
            },
        )
        return name

    def endpoint(self, name: str, topics: tuple[str, str] | None = None, **environment: str) -> dict[str, Any]:
        self.config(name, self.model(name, **environment), topics)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return self.settled(name)

    def settled(self, name: str, seconds: float = 20.0) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
            return found if found["EndpointStatus"] in ("InService", "Failed") else None

        return eventually(look, seconds)

    def instances(self, name: str) -> int:
        variant = self.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]
        return int(variant["CurrentInstanceCount"])

    def invoke(self, endpoint: str, body: str, **parameters: Any) -> dict[str, Any]:
        location = self.put(f"async/in/{uuid.uuid4().hex}", body)
        answer: dict[str, Any] = self.runtime.invoke_endpoint_async(
            EndpointName=endpoint, InputLocation=location, **parameters
        )
        return {**answer, "InputLocation": location}

    # --- labelling

    def labeling_request(self, name: str, **human: Any) -> dict[str, Any]:
        lines = [{"source-ref": self.put(key, b"x"), "keep": {"n": 1.50, "name": key}} for key in KEYS]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return {
            "LabelingJobName": name,
            "LabelAttributeName": "human-boxes",
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": self.put(f"{name}/in.manifest", text)}}},
            "OutputConfig": {"S3OutputPath": f"s3://{self.bucket}/labeling/"},
            "RoleArn": self.role,
            "HumanTaskConfig": {
                "WorkteamArn": TEAM,
                "UiConfig": {"UiTemplateS3Uri": self.put("ui.html", "<crowd-form></crowd-form>")},
                "TaskTitle": "Boxes",
                "TaskDescription": "Draw boxes",
                "NumberOfHumanWorkersPerDataObject": 2,
                "TaskTimeLimitInSeconds": 300,
                **human,
            },
        }

    def labeled(self, name: str, seconds: float = 20.0) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self.sagemaker.describe_labeling_job(LabelingJobName=name)
            return job if job["LabelingJobStatus"] in ("Completed", "Failed", "Stopped") else None

        return eventually(look, seconds)

    def output_lines(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        text = self.get(job["LabelingJobOutput"]["OutputDatasetS3Uri"]).decode()
        return [json.loads(line) for line in text.splitlines()]


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def unpacked(body: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        assert all((member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "") for member in tar)
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read().decode() for name, file in files.items() if file}


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def allow(*actions: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **condition}


@contextmanager
def running_lab() -> Iterator[Lab]:
    images = {"stub-image": {"train": [*STUB, "train"], "serve": [*STUB, "serve"], "environment": {"STUB": "1"}}}
    environment = {
        "LABELLOOP_IMAGES": json.dumps(images),
        "LABELLOOP_IDLE_SECONDS": str(IDLE_SECONDS),
        "SECRET_OF_THE_SERVER": "x",
    }
    with stack.running_server(environment=environment) as server:
        yield Lab(Toys(server))
        lines = server.log.read_text().splitlines()
        assert not [line for line in lines if " ERROR labelloop.local.sagemaker" in line]
