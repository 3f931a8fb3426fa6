"""One labelling job from manifest to output manifest, with the real pre-annotation and consolidation functions.

Objects are worked through in batches of one consolidation request each: pre-annotation function per object, answers of
NumberOfHumanWorkersPerDataObject annotators, worker-response files, consolidation. A job that is stopped keeps what was
consolidated. All S3 traffic and function calls carry the job's role.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.annotators import worker_names
from local.http import AccessDenied, FunctionFault, ServiceFault
from local.sagemaker import objects
from local.sagemaker.labeling_objects import (
    JobFailure,
    LabelObject,
    OutputFiles,
    Task,
    answer_task,
    consolidation_payload,
    manifest_line,
    parse_manifest,
    worker_response,
)
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import LabelingJob, World, log, now

_EVENT = "SageMaker Ground Truth Labeling Job State Change"
_LAMBDA_EVENT_VERSION = "2018-10-16"
_BATCH = 50
_PARALLEL = 8
_DEFAULT_AVAILABILITY_SECONDS = 864000
_EXPIRED = "ClientError: Annotation tasks expired. Please retry with a longer time out."


class Run:
    """The job's fixed surroundings, so that the steps below need not pass them around."""

    def __init__(self, world: World, job: LabelingJob) -> None:
        self.world, self.job = world, job
        self.human: dict[str, Any] = job.detail["HumanTaskConfig"]
        self.attribute: str = job.detail["LabelAttributeName"]
        self.role: str = job.detail["RoleArn"]
        self.s3 = world.roles.client(self.role, "s3")
        self.files = OutputFiles(self.s3, job.detail["OutputConfig"]["S3OutputPath"], job.detail["LabelingJobName"])
        self.categories: list[str] | None = None
        self.template = ""
        lifetime = self.human.get("TaskAvailabilityLifetimeInSeconds", _DEFAULT_AVAILABILITY_SECONDS)
        self.deadline = time.monotonic() + lifetime

    @property
    def stopped(self) -> bool:
        return self.job.stop.is_set() or self.world.closing.is_set()


def run(world: World, job: LabelingJob) -> None:
    """Work through the job and leave its status final, whatever happens."""
    status, reason = "Failed", None
    try:
        status = _work(Run(world, job))
    except JobFailure as failure:
        reason = str(failure)
    except AWS_ERRORS as error:
        reason = f"ClientError: {error_text(error)}"
    except Exception as error:
        reason = f"InternalServerError: {error!r}"
        if not world.closing.is_set():
            log.exception("labelling job %s", job.detail["LabelingJobName"])
    with world.lock:
        job.detail["LabelingJobStatus"] = status
        job.detail["FailureReason"] = reason[:1024] if reason else None
        job.detail["LastModifiedTime"] = now()
    world.publish(_EVENT, {"LabelingJobStatus": status}, job.arn)


def _work(run: Run) -> str:
    """Returns the final status. Raises JobFailure or an AWS error for a job that fails as a whole."""
    fault = run.world.faults.take_next("fail_labeling")
    manifest = _manifest(run)
    _prepare(run)
    if fault == "Failed":
        raise JobFailure("ClientError: injected fault")
    with run.world.lock:
        if run.job.detail["LabelingJobStatus"] == "Initializing":
            run.job.detail["LabelingJobStatus"] = "InProgress"
    todo = [item for item in manifest if item.state == "open"]
    limit = _limit(run, len(todo))
    if fault == "Stopped":
        limit = min(limit, len(todo) // 2)
    if isinstance(fault, dict):
        for item in todo[: fault["objects"]]:
            item.fail("ClientError: injected fault")
    _count(run, manifest)
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="labeling") as pool:
        offered = todo[:limit]
        answered_first = run.world.faults.current.answers_before_hold
        for number, batch in enumerate(_batches(offered, answered_first), start=1):
            if run.stopped:
                break
            held = number > 1 or not answered_first
            _label(run, number, [item for item in batch if item.state == "open"], pool, held)
            _count(run, manifest)
    uri = run.files.write_manifest(
        [manifest_line(item, run.attribute, f"labeling-job/{run.files.job_name}") for item in manifest]
    )
    with run.world.lock:
        run.job.detail["LabelingJobOutput"] = {"OutputDatasetS3Uri": uri}
    cut_short = limit < len(todo)
    return "Stopped" if run.job.stop.is_set() or run.world.closing.is_set() or cut_short else "Completed"


def _manifest(run: Run) -> list[LabelObject]:
    uri = run.job.detail["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    try:
        text = objects.read(run.s3, uri)
    except (*AWS_ERRORS, objects.DataError) as error:
        raise JobFailure(f"ClientError: Unable to read the input manifest {uri}: {error_text(error)}") from error
    return parse_manifest(text, uri, run.attribute)


def _prepare(run: Run) -> None:
    """The worker template and the label categories. Raises JobFailure when they cannot be used."""
    uri = run.human["UiConfig"]["UiTemplateS3Uri"]
    try:
        run.template = objects.read(run.s3, uri).decode("utf-8")
    except (*AWS_ERRORS, objects.DataError, UnicodeDecodeError) as error:
        raise JobFailure(f"ClientError: Unable to read the worker template {uri}: {error_text(error)}") from error
    if "<crowd-form" not in run.template:
        raise JobFailure(f"ClientError: The worker template {uri} has no <crowd-form>.")
    uri = run.job.detail.get("LabelCategoryConfigS3Uri")
    if uri is None:
        return
    try:
        run.categories = [entry["label"] for entry in json.loads(objects.read(run.s3, uri))["labels"]]
    except (*AWS_ERRORS, objects.DataError, ValueError, KeyError, TypeError) as error:
        raise JobFailure(f"ClientError: Unable to read the label categories {uri}: {error_text(error)}") from error


def _batches(offered: list[LabelObject], first: int) -> Iterator[list[LabelObject]]:
    """Consolidation requests of at most _BATCH objects; `first` makes one of its own of the first so many."""
    if first:
        yield offered[:first]
    for start in range(first, len(offered), _BATCH):
        yield offered[start : start + _BATCH]


def _label(run: Run, number: int, batch: list[LabelObject], pool: ThreadPoolExecutor, held: bool) -> None:
    tasks = [task for task in pool.map(lambda item: _task(run, item), batch) if task is not None]
    if held and not _wait_for_workers(run):
        if not run.stopped:
            _fail_all((task.item for task in tasks), _EXPIRED)
        return
    workers = worker_names(run.human["NumberOfHumanWorkersPerDataObject"])
    annotators = run.world.annotators
    answered = []
    for task in tasks:
        answers = [(worker, answer_task(task, worker, annotators.truth, annotators.noise)) for worker in workers]
        task.item.answers = [(worker, answer) for worker, answer in answers if answer is not None]
        # Nobody knew anything about the image: declined by all workers, which counts as expired.
        if task.item.answers:
            answered.append(task.item)
        else:
            task.item.fail(_EXPIRED)
    list(pool.map(lambda item: _write_answers(run, number, item), answered))
    if answered:
        _consolidate(run, number, answered)


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


def _wait_for_workers(run: Run) -> bool:
    """False when the tasks were still unanswered at the end of their lifetime, or the job was stopped."""
    while run.world.faults.current.hold_labeling and not run.stopped and time.monotonic() < run.deadline:
        run.job.stop.wait(0.1)
    return not run.stopped and time.monotonic() < run.deadline


def _write_answers(run: Run, number: int, item: LabelObject) -> None:
    item.response_uri = run.files.write_answers(
        number, item.index, worker_response(item.answers, run.world.context.region)
    )


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
        _fail_all(batch, f"ClientError: The consolidation function failed: {fault}")
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


def _limit(run: Run, objects_to_label: int) -> int:
    """How many objects may go to humans under the job's stopping conditions."""
    conditions = run.job.detail.get("StoppingConditions", {})
    percentage: int = conditions.get("MaxPercentageOfInputDatasetLabeled", 100)
    limit: int = conditions.get("MaxHumanLabeledObjectCount", objects_to_label)
    return min(limit, objects_to_label * percentage // 100)


def _count(run: Run, manifest: list[LabelObject]) -> None:
    states = [item.state for item in manifest]
    with run.world.lock:
        run.job.objects = len(manifest)
        run.job.detail["LabelCounters"] = {
            "TotalLabeled": states.count("labeled"),
            "HumanLabeled": states.count("labeled"),
            "MachineLabeled": 0,
            "FailedNonRetryableError": states.count("failed"),
            "Unlabeled": states.count("open") + states.count("unlabeled"),
        }
        run.job.detail["LastModifiedTime"] = now()


def _fail_all(items: Iterable[LabelObject], reason: str) -> None:
    for item in items:
        item.fail(reason)
