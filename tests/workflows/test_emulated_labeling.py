"""Emulated labelling jobs: real functions, simulated annotators, Ground Truth's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sagemaker_lab import KEYS, TEAM, Lab, allow, refusal, running_lab
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


PRE = """
def handler(event, context):
    assert event["version"] == "2018-10-16", event
    if event["dataObject"]["keep"]["name"] == PRE_FAILS:
        raise ValueError("no task")
    return {"taskInput": {"taskObject": event["dataObject"]["source-ref"]}}
"""
POST = """
import json
import boto3
def handler(event, context):
    bucket, _, key = event["payload"]["s3Uri"].removeprefix("s3://").partition("/")
    payload = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    answers = []
    for item in payload:
        content = [json.loads(a["annotationData"]["content"]) for a in item["annotations"]]
        label = {"uri": item["dataObject"]["s3Uri"], "answers": content, "categories": event["labelCategories"],
                 "role": event["roleArn"], "job": event["labelingJobArn"],
                 "workers": [a["workerId"] for a in item["annotations"]]}
        wrapped = {"content": {event["labelAttributeName"]: label}}
        answers.append({"datasetObjectId": item["datasetObjectId"], "consolidatedAnnotation": wrapped})
    return answers
"""


@pytest.fixture(scope="module")
def functions(lab: Lab) -> dict[str, Any]:
    post = lab.toys.function(POST)
    return {
        "PreHumanTaskLambdaArn": lab.toys.function(f"PRE_FAILS = ''\n{PRE}"),
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": post},
    }


@pytest.fixture
def truth(lab: Lab) -> None:
    box = {"class": "head", "left": 1, "top": 2, "width": 3, "height": 4}
    images = {key: {"width": 20, "height": 10, "boxes": [box]} for key in KEYS}
    lab.control("PUT", "truth", {"classes": ["head"], "images": images})


@pytest.mark.usefixtures("truth")
def test_a_labeling_job_asks_workers_and_consolidates(lab: Lab, functions: dict[str, Any]) -> None:
    events = lab.events("SageMaker Ground Truth Labeling Job State Change")
    categories = {"document-version": "2018-11-28", "labels": [{"label": "head"}]}
    request = lab.labeling_request("labels", **functions)
    request["LabelCategoryConfigS3Uri"] = lab.put("labels.json", json.dumps(categories))
    arn = lab.sagemaker.create_labeling_job(**request)["LabelingJobArn"]
    job = lab.labeled("labels")
    assert job["LabelingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["LabelCounters"] == {
        "TotalLabeled": 3,
        "HumanLabeled": 3,
        "MachineLabeled": 0,
        "FailedNonRetryableError": 0,
        "Unlabeled": 0,
    }
    root = f"s3://{lab.bucket}/labeling/labels"
    assert job["LabelingJobOutput"]["OutputDatasetS3Uri"] == f"{root}/manifests/output/output.manifest"
    lines = lab.output_lines(job)
    assert [line["source-ref"] for line in lines] == [f"s3://{lab.bucket}/{key}" for key in KEYS]
    assert [list(line) for line in lines] == [["source-ref", "keep", "human-boxes", "human-boxes-metadata"]] * 3
    assert lines[1]["keep"] == {"n": 1.5, "name": KEYS[1]}
    label, metadata = lines[0]["human-boxes"], lines[0]["human-boxes-metadata"]
    result = {
        "boundingBoxes": [{"height": 4, "label": "head", "left": 1, "top": 2, "width": 3}],
        "inputImageProperties": {"height": 10, "width": 20},
    }
    assert label["answers"] == [{"annotatedResult": result}] * 2
    assert (label["categories"], label["role"], label["job"]) == (["head"], lab.role, arn)
    assert len(set(label["workers"])) == 2
    assert metadata["type"] == "groundtruth/custom"
    assert metadata["human-annotated"] == "yes"
    assert metadata["job-name"] == "labeling-job/labels"

    keys = [o["Key"] for o in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix="labeling/labels/")["Contents"]]
    responses = [key for key in keys if key.startswith("labeling/labels/annotations/worker-response/iteration-1/")]
    assert sorted(key.split("/")[-2] for key in responses) == ["0", "1", "2"]
    response = json.loads(lab.get(f"s3://{lab.bucket}/{responses[0]}"))
    assert [answer["answerContent"] for answer in response["answers"]] == [{"annotatedResult": result}] * 2
    folder = "labeling/labels/annotations/consolidated-annotation/consolidation-request/iteration-1/"
    assert len([key for key in keys if key.startswith(folder)]) == 1

    (event,) = lab.collect(events, 1)
    assert (event["resources"], event["detail"]) == ([arn], {"LabelingJobStatus": "Completed"})
    assert refusal(lab.sagemaker.create_labeling_job, **request)[0] == "ResourceInUse"
    listed = lab.sagemaker.list_labeling_jobs(NameContains="labels")["LabelingJobSummaryList"]
    assert [item["LabelingJobName"] for item in listed] == ["labels"]

    chained = lab.labeling_request("chained", **functions)
    fresh = {"source-ref": lab.put("in/unknown.jpg", b"x"), "keep": {"name": "new"}}
    text = lab.get(job["LabelingJobOutput"]["OutputDatasetS3Uri"]).decode() + json.dumps(fresh) + "\n"
    chained["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] = lab.put("chained.manifest", text)
    lab.sagemaker.create_labeling_job(**chained)
    job = lab.labeled("chained")
    again = lab.output_lines(job)
    assert again[:3] == lines, "objects that carry the label already are not asked again"
    assert "expired" in again[3]["human-boxes-metadata"]["failure-reason"]
    assert "human-boxes" not in again[3]
    assert job["LabelCounters"]["FailedNonRetryableError"] == 1


@pytest.mark.usefixtures("truth")
def test_a_labeling_job_without_functions_keeps_the_answers_aside(lab: Lab) -> None:
    lab.control("PUT", "annotators", {"miss_rate": 1.0})
    lab.sagemaker.create_labeling_job(**lab.labeling_request("bare"))
    line = lab.output_lines(lab.labeled("bare"))[0]
    assert line["human-boxes"] == {}
    reference = line["human-boxes-metadata"]["worker-response-ref"]
    answers = json.loads(lab.get(reference))["answers"]
    assert [a["answerContent"]["annotatedResult"]["boundingBoxes"] for a in answers] == [[], []]


@pytest.mark.usefixtures("truth")
def test_functions_that_raise_fail_objects_and_not_the_job(lab: Lab, functions: dict[str, Any]) -> None:
    pre = lab.toys.function(f"PRE_FAILS = {KEYS[1]!r}\n{PRE}")
    lab.sagemaker.create_labeling_job(**lab.labeling_request("pre", **{**functions, "PreHumanTaskLambdaArn": pre}))
    job = lab.labeled("pre")
    assert (job["LabelingJobStatus"], job["LabelCounters"]["FailedNonRetryableError"]) == ("Completed", 1)
    assert "no task" in lab.output_lines(job)[1]["human-boxes-metadata"]["failure-reason"]

    broken = lab.toys.function("def handler(event, context):\n    raise KeyError('post')")
    changed = {**functions, "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": broken}}
    lab.sagemaker.create_labeling_job(**lab.labeling_request("post", **changed))
    assert lab.labeled("post")["LabelCounters"]["FailedNonRetryableError"] == 3


@pytest.mark.usefixtures("truth")
def test_a_job_whose_role_or_template_is_wrong_fails(lab: Lab, functions: dict[str, Any]) -> None:
    without = lab.toys.role("sagemaker", [allow("s3:*")])
    lab.sagemaker.create_labeling_job(**{**lab.labeling_request("no-invoke", **functions), "RoleArn": without})
    job = lab.labeled("no-invoke")
    assert job["LabelingJobStatus"] == "Failed"
    assert "lambda:InvokeFunction" in job["FailureReason"]
    ui = {"UiConfig": {"UiTemplateS3Uri": lab.put("no-form.html", "<p>")}}
    lab.sagemaker.create_labeling_job(**lab.labeling_request("no-form", **ui))
    assert "<crowd-form>" in lab.labeled("no-form")["FailureReason"]
    code, message = refusal(lab.sagemaker.describe_labeling_job, LabelingJobName="nobody")
    assert code == "ResourceNotFound"
    team = TEAM.replace(ACCOUNT, "394669845002")
    code, message = refusal(lab.sagemaker.create_labeling_job, **lab.labeling_request("team", WorkteamArn=team))
    assert (code, "workteam" in message) == ("ValidationException", True)
    request = {**lab.labeling_request("attr"), "LabelAttributeName": "boxes-metadata"}
    assert refusal(lab.sagemaker.create_labeling_job, **request)[0] == "ValidationException"


@pytest.mark.usefixtures("truth")
def test_labeling_can_be_held_stopped_and_made_to_fail(lab: Lab, functions: dict[str, Any]) -> None:
    events = lab.events("SageMaker Ground Truth Labeling Job State Change")
    lab.faults(hold_labeling=True)
    lab.sagemaker.create_labeling_job(**lab.labeling_request("held", **functions))
    eventually(lambda: lab.sagemaker.describe_labeling_job(LabelingJobName="held")["LabelingJobStatus"] == "InProgress")
    lab.sagemaker.stop_labeling_job(LabelingJobName="held")
    job = lab.labeled("held")
    assert (job["LabelingJobStatus"], job["LabelCounters"]["Unlabeled"]) == ("Stopped", 3)
    assert all("human-boxes" not in line and "human-boxes-metadata" not in line for line in lab.output_lines(job))
    assert lab.collect(events, 1)[0]["detail"] == {"LabelingJobStatus": "Stopped"}

    lab.faults(
        fail_labeling=["Failed", "Stopped", {"objects": 2}],
        drop_events=["SageMaker Ground Truth Labeling Job State Change"],
    )
    for name in ("f1", "f2", "f3", "f4"):
        lab.sagemaker.create_labeling_job(**lab.labeling_request(f"fault-{name}", **functions))
        lab.labeled(f"fault-{name}")
    jobs = [lab.sagemaker.describe_labeling_job(LabelingJobName=f"fault-{name}") for name in ("f1", "f2", "f3", "f4")]
    assert [job["LabelingJobStatus"] for job in jobs] == ["Failed", "Stopped", "Completed", "Completed"]
    assert [job["LabelCounters"]["HumanLabeled"] for job in jobs] == [0, 1, 1, 3]
    assert jobs[2]["LabelCounters"]["FailedNonRetryableError"] == 2
    assert lab.messages(events) == [], "dropped events were published"
