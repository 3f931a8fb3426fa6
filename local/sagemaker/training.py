"""Training jobs: the operations, the status and its events. training_run does the work."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from local.http import ServiceFault
from local.sagemaker.listing import page
from local.sagemaker.registry import repository_name
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.roles import check_passed_role
from local.sagemaker.store import TrainingJob, World, chosen, milliseconds, now, tag_map
from local.sagemaker.training_run import Metrics, run

TERMINAL = ("Completed", "Failed", "Stopped")

_EVENT = "SageMaker Training Job State Change"
_ECHO = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
    "RetryStrategy",
)
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job exceeded MaxRuntimeInSeconds",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}


def create_training_job(world: World, call: Call) -> dict[str, Any]:
    name = call["TrainingJobName"]
    arn = world.arn("training-job", name)
    algorithm = _implemented_algorithm(call)
    for required in ("ResourceConfig", "StoppingCondition"):
        if call.get(required) is None:
            raise ServiceFault("ValidationException", f"{required} is required to create a training job.")
    for channel in call.get("InputDataConfig", []):
        _check_channel(channel)
    if call["ResourceConfig"].get("InstanceCount", 1) > 1:
        raise not_implemented("training on several instances")
    if call["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise not_implemented("OutputDataConfig.CompressionType other than GZIP")
    metrics = Metrics([_metric(definition) for definition in algorithm.get("MetricDefinitions", [])])
    check_passed_role(world.context, call.request, call["RoleArn"])
    image = world.registry.find(algorithm["TrainingImage"], "train")
    if image is None:
        raise ServiceFault(
            "ValidationException",
            f"Cannot find repository: {repository_name(algorithm['TrainingImage'])} in registry ID: "
            f"{world.context.account} Please check if your ECR repository exists and role {call['RoleArn']} has proper "
            "pull permissions for SageMaker: ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer",
        )
    with world.lock:
        if name in world.training_jobs:
            raise ServiceFault(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, and a training job with this name already "
                f"exists ({arn})",
            )
        moment = now()
        detail = {
            **chosen(call.parameters, _ECHO),
            "TrainingJobArn": arn,
            "TrainingJobStatus": "InProgress",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "SecondaryStatusTransitions": [],
        }
        job = TrainingJob(arn, detail)
        world.training_jobs[name] = job
        world.tags[arn] = tag_map(call.get("Tags"))
    _move(world, job, "InProgress", "Starting")
    world.spawn(f"training {name}", lambda: run(world, job, image, metrics, partial(_move, world, job)))
    return {"TrainingJobArn": arn}


def describe_training_job(world: World, call: Call) -> dict[str, Any]:
    return _find(world, call["TrainingJobName"]).detail


def stop_training_job(world: World, call: Call) -> dict[str, Any]:
    job = _find(world, call["TrainingJobName"])
    with world.lock:
        status = job.detail["TrainingJobStatus"]
        if status in TERMINAL:
            raise ServiceFault(
                "ValidationException", f"The request was rejected because the training job is in status {status}."
            )
        job.stop.set()
    if status == "InProgress":
        _move(world, job, "Stopping", "Stopping")
    return {}


def list_training_jobs(world: World, call: Call) -> dict[str, Any]:
    items = (chosen(job.detail, _SUMMARY) for job in world.training_jobs.values())
    return page(call, items, "TrainingJobSummaries", "TrainingJobName", "TrainingJobStatus")


def _move(world: World, job: TrainingJob, status: str | None, secondary: str) -> None:
    """Next status; every change of the status itself is an event. A stopping job stays Stopping until it ends."""
    with world.lock:
        detail = job.detail
        first = not detail["SecondaryStatusTransitions"]
        changed = first or (status is not None and status != detail["TrainingJobStatus"])
        if status is None and job.stop.is_set():
            return
        moment = now()
        transitions = detail["SecondaryStatusTransitions"]
        if transitions:
            transitions[-1]["EndTime"] = moment
        transitions.append({"Status": secondary, "StartTime": moment, "StatusMessage": _MESSAGES[secondary]})
        if status in TERMINAL:
            transitions[-1]["EndTime"] = moment
        detail["TrainingJobStatus"] = status or detail["TrainingJobStatus"]
        detail["SecondaryStatus"] = secondary
        detail["LastModifiedTime"] = moment
        event = _event_detail(detail, world.tags.get(job.arn, {}))
    if changed:
        world.publish(_EVENT, event, job.arn)


def _event_detail(detail: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    names = (*_ECHO, "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus", "FailureReason", "ModelArtifacts")
    event = {**chosen(detail, names), "Tags": dict(tags)}
    for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
        event[name] = milliseconds(detail.get(name))
    event["SecondaryStatusTransitions"] = [
        {**t, "StartTime": milliseconds(t["StartTime"]), "EndTime": milliseconds(t.get("EndTime"))}
        for t in detail["SecondaryStatusTransitions"]
    ]
    return event


def _implemented_algorithm(call: Call) -> dict[str, Any]:
    algorithm: dict[str, Any] | None = call.get("AlgorithmSpecification")
    if algorithm is None or not algorithm.get("TrainingImage"):
        raise not_implemented("training without AlgorithmSpecification.TrainingImage")
    if algorithm["TrainingInputMode"] != "File":
        raise not_implemented(f"TrainingInputMode {algorithm['TrainingInputMode']}: use File")
    if algorithm.get("ContainerEntrypoint"):
        raise not_implemented("ContainerEntrypoint: the image's own train program runs")
    return algorithm


def _check_channel(channel: dict[str, Any]) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise not_implemented(f"channel {channel['ChannelName']}: only S3Prefix and ManifestFile sources")
    if channel.get("InputMode", "File") != "File" or channel.get("CompressionType", "None") != "None":
        raise not_implemented(f"channel {channel['ChannelName']}: only InputMode File without compression")


def _metric(definition: dict[str, str]) -> tuple[str, re.Pattern[str]]:
    try:
        pattern = re.compile(definition["Regex"])
    except re.error as error:
        message = f"Metric {definition['Name']} has an invalid Regex: {error}"
        raise ServiceFault("ValidationException", message) from error
    if pattern.groups != 1:
        message = f"Metric {definition['Name']} needs exactly one capture group in its Regex."
        raise ServiceFault("ValidationException", message)
    return definition["Name"], pattern


def _find(world: World, name: str) -> TrainingJob:
    if name not in world.training_jobs:
        # AWS answers ValidationException here although the model lists ResourceNotFound.
        raise ServiceFault("ValidationException", "Requested resource not found.")
    return world.training_jobs[name]
