"""Functions that no state calls: those of Ground Truth, and the custom resource of CloudFormation."""

import json

import pytest
from fake_service import refused
from handling import handle, handle_event
from labelloop.contracts.records import Box
from labelloop.contracts.settings import settings
from labelloop.store import storage
from labelloop.tasks.proposals import proposal_line
from made_up_stack import BUCKET, arn

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


# --- what Ground Truth calls, and what CloudFormation calls


def test_a_task_shows_the_proposed_boxes_with_class_names(aws) -> None:
    image = f"s3://{BUCKET}/k ü.png"
    line = proposal_line(image, 64, 48, [Box("bag", 1.4, 2, 10, 10, 0.9)], ("head", "bag"), "m")
    answer = handle("pre_annotate", version="2018-10-16", labelingJobArn=arn("sagemaker", "j"), dataObject=line)
    task = answer["taskInput"]
    assert answer["isHumanAnnotationRequired"] is True
    assert task["taskObject"] == image and task["labels"] == ["head", "bag"]
    assert task["initial"] == [{"label": "bag", "left": 1, "top": 2, "width": 10, "height": 10}]
    assert handle("pre_annotate", dataObject={"source-ref": image})["taskInput"]["initial"] == []


def test_answers_are_read_from_the_bucket_and_become_one_label(aws) -> None:
    box = {"label": "head", "left": 1, "top": 2, "width": 10, "height": 12}
    drawn = {"boundingBoxes": [box], "inputImageProperties": {"width": 64, "height": 48}}
    content = {"content": json.dumps({"annotatedResult": drawn})}
    payload = [{"datasetObjectId": "0", "annotations": [{"workerId": "w", "annotationData": content}]}]
    place = storage.write_json("batches/b/labeling/1/payload.json", {})
    storage.write(storage.own_key(place), json.dumps(payload).encode())
    (label,) = handle("consolidate", payload={"s3Uri": place}, labelAttributeName="human-boxes")
    value = label["consolidatedAnnotation"]["content"]["human-boxes"]
    assert value["annotations"] == [{"class_id": 0, "left": 1, "top": 2, "width": 10, "height": 12}]


def custom_resource(kind):
    given = {"RequestType": kind, "ResponseURL": "https://example.invalid/answer", "StackId": "s", "RequestId": "r"}
    properties = {"ResourcePrefix": "labelloop"}
    handle_event("clean_up", {**given, "LogicalResourceId": "CleanUp", "ResourceProperties": properties})


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_the_stack_cleans_nothing_up(environment, fake_service, cloudformation, kind) -> None:
    sagemaker = fake_service("sagemaker")
    custom_resource(kind)
    assert sagemaker.calls == [] and [answer["Status"] for answer in cloudformation] == ["SUCCESS"]


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_an_update_that_deletes_the_clean_up_takes_nothing_away(states, fake_service, cloudformation, status) -> None:
    """The stack stays; its endpoints and jobs are at work."""
    fake_service("cloudformation", describe_stacks={"Stacks": [{"StackName": "s", "StackStatus": status}]})
    fake_service("application-autoscaling")
    fake_service("cloudwatch")
    sagemaker = fake_service(
        "sagemaker",
        list_endpoints={"Endpoints": [{"EndpointName": "labelloop-v000001-0123abcd"}]},
        list_training_jobs={"TrainingJobSummaries": []},
        list_labeling_jobs={"LabelingJobSummaryList": []},
    )
    custom_resource("Delete")
    assert sagemaker.requests_of("delete_endpoint") == []
    assert [answer["Status"] for answer in cloudformation] == ["SUCCESS"]


def test_deleting_the_stack_takes_away_what_is_ours_and_nothing_else(states, fake_service, cloudformation) -> None:
    fake_service("application-autoscaling")
    fake_service("cloudwatch")
    ours, theirs = settings().pre_annotate_function_arn, arn("lambda", "function:labelloop-dev-PreAnnotate")
    jobs = [
        ("labelloop-dev-week-1-aa-r1", ours, "InProgress"),
        ("labelloop-week-3-cc-r1", ours, "Initializing"),
        ("labelloop-week-4-dd-r1", ours, "Completed"),
        ("labelloop-dev-week-2-bb-r1", theirs, "InProgress"),
    ]
    sagemaker = fake_service(
        "sagemaker",
        list_endpoints={
            "Endpoints": [{"EndpointName": f"{name}-v000001-0123abcd"} for name in ("labelloop", "labelloop-dev")]
        },
        list_training_jobs={
            "TrainingJobSummaries": [
                {"TrainingJobName": f"{name}-train-1-0123abcd"} for name in ("labelloop", "labelloop-dev")
            ]
        },
        list_labeling_jobs=lambda **request: {
            "LabelingJobSummaryList": [
                {"LabelingJobName": name, "PreHumanTaskLambdaArn": function}
                for name, function, status in jobs
                if status == request["StatusEquals"]
            ]
        },
    )
    custom_resource("Delete")
    assert sagemaker.requests_of("delete_endpoint") == [{"EndpointName": "labelloop-v000001-0123abcd"}]
    assert sagemaker.requests_of("stop_training_job") == [{"TrainingJobName": "labelloop-train-1-0123abcd"}]
    stopped = {request["LabelingJobName"] for request in sagemaker.requests_of("stop_labeling_job")}
    assert stopped == {"labelloop-dev-week-1-aa-r1", "labelloop-week-3-cc-r1"}
    assert [answer["Status"] for answer in cloudformation] == ["SUCCESS"]


def test_what_cannot_be_removed_does_not_block_the_deletion(states, fake_service, cloudformation) -> None:
    fake_service("application-autoscaling", delete_scaling_policy=refused("AccessDeniedException"))
    fake_service(
        "sagemaker",
        list_endpoints={"Endpoints": [{"EndpointName": "labelloop-v000001-0123abcd"}]},
        list_training_jobs={"TrainingJobSummaries": []},
        list_labeling_jobs={"LabelingJobSummaryList": []},
    )
    custom_resource("Delete")
    assert [answer["Status"] for answer in cloudformation] == ["SUCCESS"]


def test_even_when_nothing_may_be_listed_the_deletion_goes_on(states, fake_service, cloudformation) -> None:
    denied = refused("AccessDeniedException", "not authorized to perform: sagemaker:ListEndpoints")
    fake_service("sagemaker", list_endpoints=denied, list_training_jobs=denied, list_labeling_jobs=denied)
    custom_resource("Delete")
    assert [answer["Status"] for answer in cloudformation] == ["SUCCESS"]
