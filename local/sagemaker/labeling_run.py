"""One labelling job from manifest to output manifest, with the real pre-annotation and consolidation functions.

Objects are worked through in batches of one consolidation request each: pre-annotation function per object, answers of
NumberOfHumanWorkersPerDataObject annotators, worker-response files, consolidation (labeling_steps). Where a person
labels, that person's objects wait at the desk meanwhile (labeling_people). A job that is stopped keeps what was
consolidated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from local.sagemaker import labeling_people, objects
from local.sagemaker.labeling_objects import JobFailure, LabelObject, manifest_line, parse_manifest
from local.sagemaker.labeling_steps import BATCH, EXPIRED, Run, conclude, count, fail_all, simulated, tasks_of
from local.sagemaker.roles import AWS_ERRORS, error_text
from local.sagemaker.store import LabelingJob, World, log, now
from portal.server.desk import STOPPED

_EVENT = "SageMaker Ground Truth Labeling Job State Change"
_PARALLEL = 8


def run(world: World, job: LabelingJob) -> None:
    """Work through the job and leave its status final, whatever happens."""
    status, reason = "Failed", None
    try:
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="labeling") as pool:
            status = _work(Run(world, job, pool))
    except JobFailure as failure:
        reason = str(failure)
    except AWS_ERRORS as error:
        reason = f"ClientError: {error_text(error)}"
    except Exception as error:
        reason = f"InternalServerError: {error!r}"
        if not world.closing.is_set():
            log.exception("labelling job %s", job.detail["LabelingJobName"])
    world.context.desk.close(job.detail["LabelingJobName"], STOPPED)
    with world.lock:
        job.detail["LabelingJobStatus"] = status
        job.detail["FailureReason"] = reason[:1024] if reason else None
        job.detail["LastModifiedTime"] = now()
    world.publish(_EVENT, {"LabelingJobStatus": status}, job.arn)


def _work(run: Run) -> str:
    """Returns the final status. Raises JobFailure or an AWS error for a job that fails as a whole."""
    fault = run.world.faults.take_next("fail_labeling")
    run.manifest = _manifest(run)
    _prepare(run)
    if fault == "Failed":
        raise JobFailure("ClientError: injected fault")
    with run.world.lock:
        if run.job.detail["LabelingJobStatus"] == "Initializing":
            run.job.detail["LabelingJobStatus"] = "InProgress"
    todo = [item for item in run.manifest if item.state == "open"]
    limit = _limit(run, len(todo))
    if fault == "Stopped":
        limit = min(limit, len(todo) // 2)
    if isinstance(fault, dict):
        fail_all(todo[: fault["objects"]], "ClientError: injected fault")
    count(run)
    _ask_workers(run, todo[:limit])
    name = f"labeling-job/{run.files.job_name}"
    uri = run.files.write_manifest([manifest_line(item, run.attribute, name) for item in run.manifest])
    with run.world.lock:
        run.job.detail["LabelingJobOutput"] = {"OutputDatasetS3Uri": uri}
    cut_short = limit < len(todo)
    return "Stopped" if run.stopped or cut_short else "Completed"


def _ask_workers(run: Run, offered: list[LabelObject]) -> None:
    """The person's objects lie at the desk while the simulated annotators do the others."""
    mine = labeling_people.share(run.world, offered)
    waiting = labeling_people.lay_out(run, mine)
    others = [item for item in offered if item not in mine]
    answered_first = run.world.faults.current.answers_before_hold
    number = 0
    for number, batch in enumerate(_batches(others, answered_first), start=1):
        if run.stopped:
            break
        held = number > 1 or not answered_first
        _label(run, number, [item for item in batch if item.state == "open"], held)
        count(run)
    labeling_people.attend(run, waiting, number + 1)


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
    """Consolidation requests of at most BATCH objects; `first` makes one of its own of the first so many."""
    if first:
        yield offered[:first]
    for start in range(first, len(offered), BATCH):
        yield offered[start : start + BATCH]


def _label(run: Run, number: int, batch: list[LabelObject], held: bool) -> None:
    tasks = tasks_of(run, batch)
    if held and not _wait_for_workers(run):
        if not run.stopped:
            fail_all((task.item for task in tasks), EXPIRED)
        return
    for task in tasks:
        task.item.responses = simulated(run, task, run.workers)
    conclude(run, number, [task.item for task in tasks])


def _wait_for_workers(run: Run) -> bool:
    """False when the tasks were still unanswered at the end of their lifetime, or the job was stopped."""
    while run.world.faults.current.hold_labeling and not run.stopped and time.monotonic() < run.deadline:
        run.job.stop.wait(0.1)
    return not run.stopped and time.monotonic() < run.deadline


def _limit(run: Run, objects_to_label: int) -> int:
    """How many objects may go to humans under the job's stopping conditions."""
    conditions = run.job.detail.get("StoppingConditions", {})
    percentage: int = conditions.get("MaxPercentageOfInputDatasetLabeled", 100)
    limit: int = conditions.get("MaxHumanLabeledObjectCount", objects_to_label)
    return min(limit, objects_to_label * percentage // 100)
