"""Takes a deployed stack back to an account without batches, datasets, models and jobs."""

from __future__ import annotations

from typing import Any

from loop import Loop
from waiting import eventually

RESULTS = ("batches/", "datasets/", "models/", "training/", "canonical/")
AT_WORK = ("Initializing", "InProgress", "Stopping")


def forget(loop: Loop) -> None:
    """Back to an account without batches, datasets, models and jobs. Pictures, markers and the stack stay.

    A batch keeps its number of attempts, because names of executions are taken for ever.
    """
    loop.faults()
    loop.control("PUT", "annotators", {})
    _end_everything(loop)
    for prefix in RESULTS:
        _delete_objects(loop, prefix)
    _empty_tables(loop)
    _purge_queues(loop)
    loop.control("PUT", "forget", {})


def _end_everything(loop: Loop) -> None:
    states, sagemaker = loop.client("stepfunctions"), loop.client("sagemaker")
    for machine in ("LabelBatchArn", "TrainModelArn"):
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=loop.outputs[machine])
        for each in (each for page in pages for each in page["executions"]):
            loop.forgotten.add(each["executionArn"])
            if each["status"] == "RUNNING":
                states.stop_execution(executionArn=each["executionArn"], cause="the test is over")
    for name in _named(loop, "list_labeling_jobs", "LabelingJobSummaryList", "LabelingJobName"):
        sagemaker.stop_labeling_job(LabelingJobName=name)
    for name in _named(loop, "list_training_jobs", "TrainingJobSummaries", "TrainingJobName"):
        sagemaker.stop_training_job(TrainingJobName=name)
    eventually(lambda: all(job["status"] not in AT_WORK for job in _jobs(loop)), 30)

    def no_endpoint_is_left() -> bool:
        for name, endpoint in loop.control("GET", "state")["endpoints"].items():
            if endpoint["status"] in ("InService", "Failed"):
                sagemaker.delete_endpoint(EndpointName=name)
        return not loop.control("GET", "state")["endpoints"]

    eventually(no_endpoint_is_left, 60)


def _named(loop: Loop, operation: str, summaries: str, name: str) -> list[str]:
    pages = loop.client("sagemaker").get_paginator(operation).paginate(StatusEquals="InProgress")
    return [job[name] for page in pages for job in page[summaries]]


def _jobs(loop: Loop) -> list[dict[str, Any]]:
    state = loop.control("GET", "state")
    return [*state["training_jobs"].values(), *state["labeling_jobs"].values()]


def _delete_objects(loop: Loop, prefix: str) -> None:
    s3 = loop.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=loop.bucket, Prefix=prefix)
    found = [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for page in pages
        for kind in ("Versions", "DeleteMarkers")
        for each in page.get(kind, ())
    ]
    for start in range(0, len(found), 1000):
        s3.delete_objects(Bucket=loop.bucket, Delete={"Objects": found[start : start + 1000], "Quiet": True})


def _empty_tables(loop: Loop) -> None:
    dynamodb = loop.client("dynamodb")
    for table in ("CallbacksTableName", "LedgerTableName"):
        table_name = loop.outputs[table]
        for page in dynamodb.get_paginator("scan").paginate(TableName=table_name):
            for row in page["Items"]:
                if row["id"]["S"].startswith("batch#"):
                    kept = {name: row[name] for name in ("id", "owner", "attempt")}
                    dynamodb.put_item(TableName=table_name, Item={**kept, "status": {"S": "failed"}})
                else:
                    dynamodb.delete_item(TableName=table_name, Key={"id": row["id"]})


def _purge_queues(loop: Loop) -> None:
    """A notice about a row that is gone would come again for half an hour."""
    sqs = loop.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        sqs.purge_queue(QueueUrl=url)
