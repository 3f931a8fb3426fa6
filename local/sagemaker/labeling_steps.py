"""The steps every object of a labelling job goes through: its task, its answers, their consolidation.

All S3 traffic and function calls carry the job's role.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from demo.annotators import worker_names
from local.http import AccessDenied, FunctionFault, ServiceFault
from local.sagemaker import objects
from local.sagemaker.labeling_objects import (
    JobFailure,
    LabelObject,
    OutputFiles,
    Response,
    Task,
    answer_task,
    consolidation_payload,
    worker_response,
)
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import LabelingJob, World, now

EXPIRED = "ClientError: Annotation tasks expired. Please retry with a longer time out."
# Objects of one consolidation request.
BATCH = 50
_LAMBDA_EVENT_VERSION = "2018-10-16"
_DEFAULT_AVAILABILITY_SECONDS = 864000


class Run:
    """The job's fixed surroundings, so that the steps need not pass them around."""

    def __init__(self, world: World, job: LabelingJob, pool: ThreadPoolExecutor) -> None:
        self.world, self.job, self.pool = world, job, pool
        self.human: dict[str, Any] = job.detail["HumanTaskConfig"]
        self.attribute: str = job.detail["LabelAttributeName"]
        self.role: str = job.detail["RoleArn"]
        self.s3 = world.roles.client(self.role, "s3")
        self.files = OutputFiles(self.s3, job.detail["OutputConfig"]["S3OutputPath"], job.detail["LabelingJobName"])
        self.manifest: list[LabelObject] = []
        self.categories: list[str] | None = None
        self.template = ""
        lifetime = self.human.get("TaskAvailabilityLifetimeInSeconds", _DEFAULT_AVAILABILITY_SECONDS)
        self.deadline = time.monotonic() + lifetime

    @property
    def stopped(self) -> bool:
        return self.job.stop.is_set() or self.world.closing.is_set()

    @property
    def workers(self) -> list[str]:
        return worker_names(self.human["NumberOfHumanWorkersPerDataObject"])


def tasks_of(run: Run, batch: Iterable[LabelObject]) -> list[Task]:
    """The pre-annotation function's tasks; an object without one says why."""
    return [task for task in run.pool.map(lambda item: _task(run, item), batch) if task is not None]


def simulated(run: Run, task: Task, workers: Iterable[str]) -> list[Response]:
    annotators = run.world.annotators
    given = [answer_task(task, worker, annotators.truth, annotators.noise) for worker in workers]
    return [response for response in given if response is not None]


def conclude(run: Run, number: int, items: Iterable[LabelObject]) -> None:
    """Files and consolidation of objects that have their responses. None at all: declined by every worker, which
    counts as expired.
    """
    answered = []
    for item in items:
        if item.responses:
            answered.append(item)
        else:
            item.fail(EXPIRED)
    list(run.pool.map(lambda item: _write_answers(run, number, item), answered))
    if answered:
        _consolidate(run, number, answered)


def fail_all(items: Iterable[LabelObject], reason: str) -> None:
    for item in items:
        item.fail(reason)


def count(run: Run) -> None:
    """Describe's counters, as the objects stand now."""
    states = [item.state for item in run.manifest]
    with run.world.lock:
        run.job.objects = len(run.manifest)
        run.job.detail["LabelCounters"] = {
            "TotalLabeled": states.count("labeled"),
            "HumanLabeled": states.count("labeled"),
            "MachineLabeled": 0,
            "FailedNonRetryableError": states.count("failed"),
            "Unlabeled": states.count("open") + states.count("unlabeled"),
        }
        run.job.detail["LastModifiedTime"] = now()


def _task(run: Run, item: LabelObject) -> Task | None:
    """The pre-annotation function's task for an object; None when there is none, the object says why."""
    source = item.line.get("source-ref")
    if source is not None:
        try:
            bucket, key = objects.split_uri(source)
            run.s3.head_object(Bucket=bucket, Key=key)
        except (*AWS_ERRORS, objects.DataError) as error:
            item.fail(f"ClientError: Unable to access {source}: {error_text(error)}")
            return None
    function = run.human.get("PreHumanTaskLambdaArn")
    if function is None:
        return Task(item, run.template, item.line)
    event = {"version": _LAMBDA_EVENT_VERSION, "labelingJobArn": run.job.arn, "dataObject": item.line}
    try:
        answer = run.world.context.invoke_function(function, event, run.role)
    except FunctionFault as fault:
        item.fail(f"ClientError: The pre-annotation function failed: {fault}")
        return None
    except (AccessDenied, ServiceFault) as fault:
        raise JobFailure(f"ClientError: Unable to invoke {function}: {fault.message}") from fault
    if not isinstance(answer, dict) or not isinstance(answer.get("taskInput"), dict):
        item.fail(f"ClientError: {function} answered without a taskInput object.")
        return None
    if answer.get("isHumanAnnotationRequired", True) is False:
        item.state = "unlabeled"
        return None
    return Task(item, run.template, answer["taskInput"])


def _write_answers(run: Run, number: int, item: LabelObject) -> None:
    response = worker_response(item.responses, run.world.context.region)
    item.response_uri = run.files.write_answers(number, item.index, response)


def _consolidate(run: Run, number: int, batch: list[LabelObject]) -> None:
    function = run.human.get("AnnotationConsolidationConfig", {}).get("AnnotationConsolidationLambdaArn")
    if function is None:
        for item in batch:
            item.label_with({}, worker_response_ref=item.response_uri)
        return
    event = {
        "version": _LAMBDA_EVENT_VERSION,
        "labelingJobArn": run.job.arn,
        "labelCategories": run.categories,
        "labelAttributeName": run.attribute,
        "roleArn": run.role,
        "payload": {"s3Uri": run.files.write_request(number, consolidation_payload(batch))},
    }
    try:
        answer = run.world.context.invoke_function(function, event, run.role)
    except FunctionFault as fault:
        fail_all(batch, f"ClientError: The consolidation function failed: {fault}")
        return
    except (AccessDenied, ServiceFault) as fault:
        raise JobFailure(f"ClientError: Unable to invoke {function}: {fault.message}") from fault
    run.files.write_response(number, answer)
    labels = _labels(answer, run.attribute)
    for item in batch:
        if str(item.index) in labels:
            item.label_with(labels[str(item.index)])
        else:
            item.fail(f"ClientError: {function} answered without a label {run.attribute!r} for object {item.index}.")


def _labels(answer: Any, attribute: str) -> dict[str, Any]:
    labels = {}
    for entry in answer if isinstance(answer, list) else []:
        content = entry.get("consolidatedAnnotation", {}).get("content") if isinstance(entry, dict) else None
        if isinstance(content, dict) and attribute in content:
            labels[str(entry.get("datasetObjectId"))] = content[attribute]
    return labels
