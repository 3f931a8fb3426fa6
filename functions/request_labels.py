"""Request Labels: remembers the task token, deploys the worker template, and creates the labelling job."""

from typing import Any

from botocore.exceptions import ClientError
from labelloop import aws, callbacks, labeling, naming, outcomes, storage
from labelloop.batches import Files
from labelloop.errors import InvalidInputError
from labelloop.observability import count, entry, logger
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, files, number = settings(), Files(event["batch_id"]), int(event["round"])
    if not knobs.work_team_arn:
        raise InvalidInputError(
            "no work team is set: deploy again with WorkTeamArn=<the ARN of your private work team>"
        )
    job = naming.labeling_job(knobs.resource_prefix, files.batch_id, number)
    callback = callbacks.remember(
        "labeling", job, event["task_token"], event["execution"], int(event["timeout_seconds"])
    )
    if callback.outcome is not None:
        callbacks.deliver(callback, again=True)
        return {"labeling_job": job}
    template_uri = labeling.deploy_template()
    label_categories_uri = storage.write_json(
        f"{files.labeling(number)}/label-categories.json", labeling.label_categories(knobs.classes)
    )
    request = labeling.job_request(
        job=job,
        manifest_uri=event["manifest_uri"],
        output_uri=storage.uri(files.labeling(number)),
        template_uri=template_uri,
        label_categories_uri=label_categories_uri,
        settings=knobs,
    )
    try:
        aws.client("sagemaker").create_labeling_job(**request)
    except ClientError as error:
        if aws.error_code(error) != "ResourceInUse":
            callbacks.forget(callback)
            raise
        _answer_if_ended(callback, job)
    callbacks.mark_started(callback)
    count("LabelingJobRequested")
    _notify(files.batch_id, number, job, int(event["objects"]))
    return {"labeling_job": job}


def _answer_if_ended(callback: callbacks.Callback, job: str) -> None:
    """The job was created by an earlier attempt or execution: names stay taken, and its answer is as good now."""
    known = outcomes.labeling(job)
    if known is not None:
        callbacks.answer(callback, known)


def _notify(batch_id: str, number: int, job: str, objects: int) -> None:
    aws.client("sns").publish(
        TopicArn=settings().notification_topic,
        Subject="Labelling waits for you",
        Message=f"{objects} images of batch {batch_id}, round {number}, wait for people in labelling job {job}.",
    )
    logger.info("labelling requested", labeling_job=job, objects=objects)
