"""One training job from its first download to its last upload: the container's `train` really runs.

The working directory follows the SageMaker training toolkit contract (input/config, input/data/<channel>, model,
output/data, output/failure); what it leaves is uploaded as <S3OutputPath>/<job>/output/{model,output}.tar.gz.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local.sagemaker import objects
from local.sagemaker.containers import Container, container_environment
from local.sagemaker.registry import ContainerImage
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import TrainingJob, World, chosen, now

STOP_GRACE_SECONDS = 120.0

_DEFAULT_RUNTIME_SECONDS = 86400

# Called with the new status (None = unchanged) and secondary status.
Move = Callable[[str | None, str], None]


class JobFailure(Exception):
    """The job ends Failed; the text is its FailureReason."""


@dataclass
class Metrics:
    """Last value of every metric definition, read from the container's output as SageMaker does."""

    definitions: list[tuple[str, re.Pattern[str]]]
    values: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def read(self, line: str) -> None:
        for name, pattern in self.definitions:
            match = pattern.search(line)
            if match is None:
                continue
            try:
                self.values[name] = (float(match.group(1)), now())
            except ValueError:
                continue

    def final(self) -> list[dict[str, Any]]:
        return [{"MetricName": n, "Value": value, "Timestamp": at} for n, (value, at) in self.values.items()]


def run(world: World, job: TrainingJob, image: ContainerImage, metrics: Metrics, move: Move) -> None:
    """Work through the job and leave its detail and status final, whatever happens."""
    name = job.detail["TrainingJobName"]
    root = world.directory("training", name)
    try:
        status, secondary = _work(world, job, image, metrics, root, move)
        reason = None
    except JobFailure as failure:
        status, secondary, reason = "Failed", "Failed", str(failure)
    except Exception as error:
        # Shutting down ends containers under the job's feet; anything else is the emulator's fault and says so.
        status, secondary, reason = "Failed", "Failed", f"InternalServerError: {error!r}"
        if not world.closing.is_set():
            raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
        with world.lock:
            job.detail["TrainingEndTime"] = now()
            job.detail["FinalMetricDataList"] = metrics.final() or None
            started = job.detail.get("TrainingStartTime")
            if started is not None:
                seconds = max(1, int((job.detail["TrainingEndTime"] - started).total_seconds()))
                job.detail["TrainingTimeInSeconds"] = job.detail["BillableTimeInSeconds"] = seconds
            job.detail["FailureReason"] = reason[:1024] if reason else None
        move(status, secondary)


def _work(
    world: World, job: TrainingJob, image: ContainerImage, metrics: Metrics, root: Path, move: Move
) -> tuple[str, str]:
    """Download, train, upload; returns status and secondary status. Raises JobFailure."""
    detail = job.detail
    planned = world.faults.take_next("fail_training")
    if planned is not None:
        raise JobFailure(f"AlgorithmError: {planned}, exit code: 1")
    move(None, "Downloading")
    try:
        s3 = world.roles.client(detail["RoleArn"], "s3")
        _lay_out(detail, root)
        for channel in detail.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]
            directory = root / "input" / "data" / channel["ChannelName"]
            objects.download_channel(s3, source, directory, detail["RoleArn"])
    except objects.DataError as error:
        raise JobFailure(str(error)) from error
    except (*AWS_ERRORS, ValueError) as error:
        raise JobFailure(f"ClientError: Data download failed: {error_text(error)}") from error
    if job.stop.is_set():
        return "Stopped", "Stopped"
    move(None, "Training")
    with world.lock:
        detail["TrainingStartTime"] = now()
    container = _start(world, job, image, metrics, root)
    ended = _wait(world, job, container)
    container.reader.join(timeout=10)
    world.containers.forget(container)
    if ended is None and container.process.returncode != 0:
        _upload(world, job, root, with_model=False)
        text = _failure_text(root) or "Please check the log of the training container"
        raise JobFailure(f"AlgorithmError: {text}, exit code: {_exit_code(container.process.returncode)}")
    move(None, "Uploading")
    _upload(world, job, root, with_model=True)
    return ended or ("Completed", "Completed")


def _start(world: World, job: TrainingJob, image: ContainerImage, metrics: Metrics, root: Path) -> Container:
    detail = job.detail
    credentials = world.roles.credentials(detail["RoleArn"])
    declared = {
        **image.environment,
        **detail.get("Environment", {}),
        "TRAINING_JOB_NAME": detail["TrainingJobName"],
        "TRAINING_JOB_ARN": job.arn,
    }
    isolated = bool(detail.get("EnableNetworkIsolation"))
    environment = container_environment(root / "home", root, credentials, declared, isolated)
    algorithm = detail["AlgorithmSpecification"]
    arguments = algorithm.get("ContainerArguments", [])
    log = world.log_file("training", detail["TrainingJobName"])
    container = world.containers.start([*image.commands["train"], *arguments], environment, root, log, metrics.read)
    job.container = container
    return container


def _wait(world: World, job: TrainingJob, container: Container) -> tuple[str, str] | None:
    """Until the process ends by itself (None), is stopped, or has run too long: SIGTERM, 120 s, SIGKILL."""
    limit = job.detail["StoppingCondition"].get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS)
    deadline = time.monotonic() + limit
    while container.running:
        if world.closing.is_set():
            container.kill()
        elif job.stop.is_set() or time.monotonic() > deadline:
            container.stop(STOP_GRACE_SECONDS)
            return ("Stopped", "Stopped") if job.stop.is_set() else ("Stopped", "MaxRuntimeExceeded")
        try:
            container.process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    return ("Stopped", "Stopped") if job.stop.is_set() else None


def _upload(world: World, job: TrainingJob, root: Path, with_model: bool) -> None:
    detail = job.detail
    prefix = objects.join_uri(detail["OutputDataConfig"]["S3OutputPath"], detail["TrainingJobName"], "output")
    failure = root / "output" / "failure"
    try:
        s3 = world.roles.client(detail["RoleArn"], "s3")
        if with_model:
            uri = f"{prefix}/model.tar.gz"
            objects.write(s3, uri, objects.pack(root / "model"), "application/x-gzip")
            with world.lock:
                detail["ModelArtifacts"] = {"S3ModelArtifacts": uri}
        extra = {"failure": failure} if failure.is_file() else None
        objects.write(
            s3, f"{prefix}/output.tar.gz", objects.pack(root / "output" / "data", extra), "application/x-gzip"
        )
    except (*AWS_ERRORS, objects.DataError) as error:
        raise JobFailure(f"ClientError: Artifact upload failed: {error_text(error)}") from error


def _lay_out(detail: dict[str, Any], root: Path) -> None:
    for folder in ("input/config", "input/data", "model", "output/data", "checkpoints"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", "File"),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **chosen(channel, ("ContentType",)),
        }
        for channel in detail.get("InputDataConfig", [])
    }
    documents = {
        "hyperparameters": detail.get("HyperParameters", {}),
        "inputdataconfig": channels,
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": detail["ResourceConfig"].get("InstanceType"),
            "network_interface_name": "lo",
        },
    }
    for name, document in documents.items():
        (root / "input" / "config" / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def _failure_text(root: Path) -> str:
    path = root / "output" / "failure"
    return path.read_text(encoding="utf-8", errors="replace").strip()[:960] if path.is_file() else ""


def _exit_code(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode
