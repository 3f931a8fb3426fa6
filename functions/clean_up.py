"""Clean Up: when the stack is deleted, takes away what its workflows made (endpoints, scaling, alarms, running jobs).
Data and models stay. Stop Executions has worked before it, and the machines are gone.

CloudFormation custom resource: it always answers SUCCESS for Delete, so that it never blocks the deletion; what it
could not remove is logged, for somebody to remove by hand. An update or its rollback that deletes this resource
takes nothing away.

SageMaker deletes no endpoint that is being created or scaled, and after this nobody comes again: so it tries until the
endpoint lets it.
"""

import time
from typing import Any

from botocore.exceptions import ClientError
from labelloop.contracts import naming
from labelloop.engines import endpoints
from labelloop.store import aws, custom_resources
from labelloop.store.observability import entry, logger

SECONDS_KEPT_FOR_THE_ANSWER = 45
SECONDS_BETWEEN_LOOKS = 10


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    if custom_resources.stack_goes(event):
        deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT_FOR_THE_ANSWER
        # Not from the settings: the bucket that holds them may be deleted already.
        prefix = event["ResourceProperties"]["ResourcePrefix"]
        _try(_stop_training_jobs, prefix)
        _try(_stop_labeling_jobs, prefix)
        _try(_remove_endpoints, prefix, deadline)
    custom_resources.answer(event, "labelloop-clean-up")


def _remove_endpoints(prefix: str, deadline: float) -> None:
    left = endpoints.names(prefix)
    while left := [name for name in left if _stays(name)]:
        if time.monotonic() > deadline:
            logger.warning("endpoints are still there; remove them by hand", endpoints=left)
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _stays(endpoint: str) -> bool:
    """Whether it could not be removed, and may be later: SageMaker's refusal for now is a ValidationException."""
    try:
        endpoints.remove(endpoint)
    except Exception as error:  # as for _try
        logger.warning("could not be removed", endpoint=endpoint, reason=str(error))
        now = isinstance(error, ClientError) and aws.error_code(error) == "ValidationException"
        return now or aws.may_pass(error)
    return False


def _stop_training_jobs(prefix: str) -> None:
    for job in _listed(prefix, "list_training_jobs", "TrainingJobSummaries", "InProgress"):
        if naming.is_training_job(prefix, job["TrainingJobName"]):
            _try(aws.client("sagemaker").stop_training_job, TrainingJobName=job["TrainingJobName"])


def _stop_labeling_jobs(prefix: str) -> None:
    """Ours by their function, not by name: a batch of this stack may be called like a stack that starts the same."""
    for job in _listed(prefix, "list_labeling_jobs", "LabelingJobSummaryList", "Initializing", "InProgress"):
        if job.get("PreHumanTaskLambdaArn", "").endswith(f":function:{prefix}-PreAnnotate"):
            _try(aws.client("sagemaker").stop_labeling_job, LabelingJobName=job["LabelingJobName"])


def _listed(prefix: str, operation: str, summaries: str, *statuses: str) -> list[dict[str, Any]]:
    listing = aws.client("sagemaker").get_paginator(operation)
    pages = (page for status in statuses for page in listing.paginate(NameContains=prefix, StatusEquals=status))
    return [job for page in pages for job in page[summaries]]


def _try(work: Any, *arguments: Any, **request: Any) -> None:
    try:
        work(*arguments, **request)
    except Exception as error:  # whatever it is, it must not keep the stack from being deleted
        what = [getattr(work, "__name__", "?"), *arguments, *request.values()]
        logger.warning("could not be removed; remove it by hand", what=what, reason=str(error))
