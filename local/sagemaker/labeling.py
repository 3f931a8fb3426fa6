"""Labelling jobs (Ground Truth, custom task type): the operations. labeling_run does the work."""

from __future__ import annotations

import uuid
from typing import Any

from local.http import ServiceFault
from local.sagemaker.labeling_run import run
from local.sagemaker.listing import page
from local.sagemaker.requests import Call, not_implemented
from local.sagemaker.roles import check_passed_role
from local.sagemaker.store import LabelingJob, World, chosen, now

TERMINAL = ("Completed", "Failed", "Stopped")

_ECHO = (
    "LabelingJobName",
    "LabelAttributeName",
    "InputConfig",
    "OutputConfig",
    "RoleArn",
    "LabelCategoryConfigS3Uri",
    "StoppingConditions",
    "HumanTaskConfig",
    "Tags",
)
_SUMMARY = (
    "LabelingJobName",
    "LabelingJobArn",
    "CreationTime",
    "LastModifiedTime",
    "LabelingJobStatus",
    "LabelCounters",
    "FailureReason",
    "LabelingJobOutput",
    "InputConfig",
)
_MAX_TASK_SECONDS = 28800
_MAX_AVAILABILITY_SECONDS = 2592000


def create_labeling_job(world: World, call: Call) -> dict[str, Any]:
    name = call["LabelingJobName"]
    arn = world.arn("labeling-job", name)
    _check(world, call)
    check_passed_role(world.context, call.request, call["RoleArn"])
    refusal = world.faults.take_next("refuse_labeling")
    if refusal is not None:
        raise ServiceFault(refusal, "injected fault")
    with world.lock:
        if name in world.labeling_jobs:
            raise ServiceFault(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, and a labeling job with this name already "
                f"exists ({arn})",
            )
        moment = now()
        detail = {
            **chosen(call.parameters, _ECHO),
            "LabelingJobArn": arn,
            "LabelingJobStatus": "Initializing",
            "LabelCounters": {
                "TotalLabeled": 0,
                "HumanLabeled": 0,
                "MachineLabeled": 0,
                "FailedNonRetryableError": 0,
                "Unlabeled": 0,
            },
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "JobReferenceCode": f"{world.context.account}{uuid.uuid4().hex[:12]}",
        }
        job = LabelingJob(arn, detail)
        world.labeling_jobs[name] = job
    world.spawn(f"labeling {name}", lambda: run(world, job))
    return {"LabelingJobArn": arn}


def describe_labeling_job(world: World, call: Call) -> dict[str, Any]:
    return _find(world, call["LabelingJobName"]).detail


def stop_labeling_job(world: World, call: Call) -> dict[str, Any]:
    job = _find(world, call["LabelingJobName"])
    with world.lock:
        status = job.detail["LabelingJobStatus"]
        if status in TERMINAL:
            raise ServiceFault(
                "ValidationException", f"The request was rejected because the labeling job is in status {status}."
            )
        job.detail["LabelingJobStatus"] = "Stopping"
        job.detail["LastModifiedTime"] = now()
        job.stop.set()
    return {}


def list_labeling_jobs(world: World, call: Call) -> dict[str, Any]:
    items = [_summary(job.detail) for job in world.labeling_jobs.values()]
    return page(call, items, "LabelingJobSummaryList", "LabelingJobName", "LabelingJobStatus")


def _summary(detail: dict[str, Any]) -> dict[str, Any]:
    human = detail["HumanTaskConfig"]
    consolidation = human.get("AnnotationConsolidationConfig", {})
    return {
        **chosen(detail, _SUMMARY),
        **chosen(human, ("WorkteamArn", "PreHumanTaskLambdaArn")),
        **chosen(consolidation, ("AnnotationConsolidationLambdaArn",)),
    }


def _check(world: World, call: Call) -> None:
    """Rules of the API reference that the service model cannot say, then what the emulator does not do."""
    attribute, human = call["LabelAttributeName"], call["HumanTaskConfig"]
    if attribute.endswith(("-metadata", "-ref")) or attribute == "source":
        raise ServiceFault(
            "ValidationException", f"LabelAttributeName {attribute!r} is reserved or has a reserved suffix."
        )
    if human["TaskTimeLimitInSeconds"] > _MAX_TASK_SECONDS:
        raise ServiceFault(
            "ValidationException", f"TaskTimeLimitInSeconds cannot exceed {_MAX_TASK_SECONDS} for custom tasks."
        )
    if human.get("TaskAvailabilityLifetimeInSeconds", 60) > _MAX_AVAILABILITY_SECONDS:
        message = (
            f"TaskAvailabilityLifetimeInSeconds cannot exceed {_MAX_AVAILABILITY_SECONDS} for a private workforce."
        )
        raise ServiceFault("ValidationException", message)
    context = world.context
    team = f"arn:aws:sagemaker:{context.region}:{context.account}:workteam/private-crowd/"
    if not human["WorkteamArn"].startswith(team):
        raise ServiceFault(
            "ValidationException", f"Invalid workteam: only private work teams exist here ({team}<name>)."
        )
    if "S3DataSource" not in call["InputConfig"]["DataSource"] or "SnsDataSource" in call["InputConfig"]["DataSource"]:
        raise not_implemented("labelling jobs without an S3 manifest, and streaming ones")
    if not human["UiConfig"].get("UiTemplateS3Uri"):
        raise not_implemented("built-in worker interfaces: UiConfig needs UiTemplateS3Uri")
    for arn in (
        human.get("PreHumanTaskLambdaArn"),
        human.get("AnnotationConsolidationConfig", {}).get("AnnotationConsolidationLambdaArn"),
    ):
        if arn is not None and arn.split(":")[4] != context.account:
            raise not_implemented(f"functions of other accounts, built-in task functions among them: {arn}")
    if human.get("PublicWorkforceTaskPrice") is not None:
        raise not_implemented("PublicWorkforceTaskPrice: there is no public workforce")


def _find(world: World, name: str) -> LabelingJob:
    if name not in world.labeling_jobs:
        raise ServiceFault("ResourceNotFound", "Requested resource not found.")
    return world.labeling_jobs[name]
