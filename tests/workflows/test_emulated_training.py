"""Emulated training jobs: channels, artifacts, metrics, ends of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sagemaker_lab import REGION, Lab, allow, refusal, running_lab, unpacked
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


def test_a_training_job_runs_the_container_on_its_channels(lab: Lab) -> None:
    lab.put("ds/v1/train.jsonl", "t")
    lab.put("ds/v1/sub/judge.jsonl", "g")
    odd = "imgs/a b+%20é.jpg"
    lab.put(odd, "i")
    manifest = lab.put("images.manifest", json.dumps([{"prefix": f"s3://{lab.bucket}/"}, odd]))
    single = lab.put("models/champion.tar.gz", "c")

    def channel(name: str, kind: str, uri: str) -> dict[str, Any]:
        return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}

    events = lab.events("SageMaker Training Job State Change")
    request = lab.training_request(
        "train-happy",
        InputDataConfig=[
            channel("dataset", "S3Prefix", f"s3://{lab.bucket}/ds/v1/"),
            channel("images", "ManifestFile", manifest),
            channel("champion", "S3Prefix", single),
        ],
        Environment={"OWN": "mine"},
        Tags=[{"Key": "run", "Value": "1"}],
    )
    arn = lab.sagemaker.create_training_job(**request)["TrainingJobArn"]
    job = lab.trained("train-happy")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed"), job.get("FailureReason")
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("loss", 0.25)]
    assert [t["Status"] for t in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    prefix = f"s3://{lab.bucket}/training/train-happy/output"
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": f"{prefix}/model.tar.gz"}
    assert unpacked(lab.get(f"{prefix}/model.tar.gz")) == {"weights.txt": "w1"}
    report = json.loads(unpacked(lab.get(f"{prefix}/output.tar.gz"))["report.json"])
    assert report["files"] == {
        "dataset/train.jsonl": "t",
        "dataset/sub/judge.jsonl": "g",
        f"images/{odd}": "i",
        "champion/champion.tar.gz": "c",
    }
    environment = report["environment"]
    assert (environment["OWN"], environment["STUB"]) == ("mine", "1")
    assert (environment["TRAINING_JOB_NAME"], environment["TRAINING_JOB_ARN"]) == ("train-happy", arn)
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert "SECRET_OF_THE_SERVER" not in environment

    received = lab.collect(events, 2)
    assert [e["detail"]["TrainingJobStatus"] for e in received] == ["InProgress", "Completed"]
    assert received[1]["resources"] == [arn]
    assert received[1]["detail"]["TrainingJobName"] == "train-happy"
    assert received[1]["detail"]["Tags"] == {"run": "1"}

    code, message = refusal(lab.sagemaker.create_training_job, **request)
    assert (code, arn in message) == ("ResourceInUse", True)
    listed = lab.sagemaker.list_training_jobs(NameContains="train-happy", StatusEquals="Completed")
    assert [item["TrainingJobName"] for item in listed["TrainingJobSummaries"]] == ["train-happy"]


@pytest.mark.fault("H17")
def test_the_same_training_gives_the_same_archive(lab: Lab) -> None:
    bodies = []
    for name in ("same-1", "same-2"):
        lab.sagemaker.create_training_job(**lab.training_request(name))
        bodies.append(lab.get(lab.trained(name)["ModelArtifacts"]["S3ModelArtifacts"]))
    assert bodies[0] == bodies[1]


def test_an_isolated_container_has_no_credentials(lab: Lab) -> None:
    lab.sagemaker.create_training_job(**lab.training_request("isolated", EnableNetworkIsolation=True))
    lab.trained("isolated")
    output = lab.get(f"s3://{lab.bucket}/training/isolated/output/output.tar.gz")
    environment = json.loads(unpacked(output)["report.json"])["environment"]
    assert not [
        name for name in environment if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_ENDPOINT"))
    ]


def test_a_training_job_that_fails_says_why(lab: Lab) -> None:
    lab.sagemaker.create_training_job(
        **lab.training_request("train-fails", HyperParameters={"fail": "no heads at all"})
    )
    job = lab.trained("train-fails")
    assert (job["TrainingJobStatus"], job["FailureReason"]) == (
        "Failed",
        "AlgorithmError: no heads at all, exit code: 1",
    )
    assert "ModelArtifacts" not in job

    lab.faults(fail_training="injected")
    lab.sagemaker.create_training_job(**lab.training_request("train-injected"))
    assert "injected" in lab.trained("train-injected")["FailureReason"]
    lab.sagemaker.create_training_job(**lab.training_request("train-after-fault"))
    assert lab.trained("train-after-fault")["TrainingJobStatus"] == "Completed"


def test_the_role_of_a_training_job_needs_its_own_permissions(lab: Lab) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": lab.put("ds/x", "x")}
    channels = [{"ChannelName": "dataset", "DataSource": {"S3DataSource": source}}]
    blind = lab.toys.role("sagemaker", [allow("s3:PutObject")])
    mute = lab.toys.role("sagemaker", [allow("s3:GetObject", "s3:ListBucket")])
    for name, role, reason in (("blind", blind, "Data download failed"), ("mute", mute, "Artifact upload failed")):
        lab.sagemaker.create_training_job(**lab.training_request(name, RoleArn=role, InputDataConfig=channels))
        job = lab.trained(name)
        assert job["TrainingJobStatus"] == "Failed"
        assert reason in job["FailureReason"] and "AccessDenied" in job["FailureReason"]


def test_channels_that_are_missing_or_leave_their_directory_fail_the_job(lab: Lab) -> None:
    escape = lab.put("escape.manifest", json.dumps([{"prefix": f"s3://{lab.bucket}/"}, "../../outside"]))
    for name, kind, uri, reason in (
        ("nothing-there", "S3Prefix", f"s3://{lab.bucket}/not/there/", "No S3 objects found under S3 URL"),
        ("escapes", "ManifestFile", escape, "outside of the channel"),
    ):
        channel = {"ChannelName": "c", "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}
        lab.sagemaker.create_training_job(**lab.training_request(name, InputDataConfig=[channel]))
        assert reason in lab.trained(name)["FailureReason"]


def test_an_unknown_image_and_an_unknown_job_are_refused_as_on_aws(lab: Lab) -> None:
    algorithm = {"TrainingImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/other:1", "TrainingInputMode": "File"}
    request = lab.training_request("unknown-image", AlgorithmSpecification=algorithm)
    assert "Cannot find repository: other" in refusal(lab.sagemaker.create_training_job, **request)[1]
    for call in (lab.sagemaker.describe_training_job, lab.sagemaker.stop_training_job):
        assert refusal(call, TrainingJobName="nobody") == ("ValidationException", "Requested resource not found.")


def test_a_stopped_training_job_may_finish_and_uploads_what_it_has(lab: Lab) -> None:
    lab.sagemaker.create_training_job(**lab.training_request("stopped", HyperParameters={"endless": "1"}))
    eventually(lambda: lab.sagemaker.describe_training_job(TrainingJobName="stopped")["SecondaryStatus"] == "Training")
    lab.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = lab.trained("stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert lab.exists(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert "in status Stopped" in refusal(lab.sagemaker.stop_training_job, TrainingJobName="stopped")[1]


def test_a_training_job_ends_at_its_maximum_runtime(lab: Lab) -> None:
    limit = {"MaxRuntimeInSeconds": 1}
    request = lab.training_request("too-long", HyperParameters={"endless": "1"}, StoppingCondition=limit)
    lab.sagemaker.create_training_job(**request)
    job = lab.trained("too-long")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
