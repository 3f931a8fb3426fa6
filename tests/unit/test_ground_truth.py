"""Ground Truth jobs: a request SageMaker takes, within the lifetime of the state that waits."""

import hashlib

import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from labelloop.contracts.augmented import PROPOSALS
from labelloop.contracts.naming import JOB_KINDS
from labelloop.contracts.settings import settings
from labelloop.people import ground_truth, jobs
from labelloop.store import storage

from local.sagemaker.requests import check, service_model

JOB = "labelloop-week-1-0123abcd-r2"


def request(**changes):
    places = {name: f"s3://data-bucket/{name}" for name in ("manifest_uri", "template_uri", "label_categories_uri")}
    asks = jobs.form(changes.pop("kind", "annotate"), settings())
    given = {
        "job": JOB,
        "form": asks,
        "output_uri": "s3://data-bucket/batches/b/labeling/2",
        "workers": settings().workers_per_object,
        "settings": settings(),
        **places,
    }
    return ground_truth.job_request(**{**given, **changes})


def problems(asked):
    return check(service_model("sagemaker").operation_model("CreateLabelingJob").input_shape, asked)


@pytest.mark.parametrize("kind", JOB_KINDS)
@pytest.mark.parametrize("task", ["boxes", "key-points"])
def test_the_request_is_one_sagemaker_takes(change_setting, task, kind) -> None:
    change_setting("TASK", task)
    assert problems(request(kind=kind)) == []


@pytest.mark.parametrize("classes", ["x" * 64, ",".join(f"class-{n}" for n in range(60)), "Kopf mit Mütze 😀,b"])
@pytest.mark.parametrize("kind", JOB_KINDS)
def test_long_and_foreign_class_names_make_a_legal_request_too(environment, change_setting, kind, classes) -> None:
    change_setting("CLASSES", classes)
    assert problems(request(kind=kind)) == []


def test_a_title_lists_the_classes_as_a_sentence_does(change_setting) -> None:
    change_setting("CLASSES", "head,bag,phone")
    titles = [jobs.form(kind, settings()).title for kind in ("annotate", "adjust")]
    assert titles == [
        "Draw a box around every head, bag and phone",
        "Correct the boxes around every head, bag and phone",
    ]


def test_the_answers_of_every_kind_and_the_proposals_have_different_names(environment, change_setting) -> None:
    """Ground Truth takes a line that has the answer's attribute for labelled; underscores break its manifests."""
    assert [request(kind=kind)["LabelAttributeName"] for kind in JOB_KINDS] == [
        *("human-boxes", "human-boxes", "verified-boxes")
    ]
    change_setting("TASK", "key-points")
    assert request()["LabelAttributeName"] == "human-key-points"
    assert PROPOSALS not in ("human-boxes", "verified-boxes", "human-key-points")


@pytest.mark.parametrize(
    ("waits", "lifetime"), [("86400", 86_400), ("30", 60), ("99999999", ground_truth.LONGEST_PRIVATE_TASK_SECONDS)]
)
def test_a_job_lives_no_longer_than_the_state_that_waits_and_ground_truth_allows(
    environment, change_setting, waits, lifetime
) -> None:
    change_setting("LABELING_TIMEOUT_SECONDS", waits)
    asked = request()
    assert asked["HumanTaskConfig"]["TaskAvailabilityLifetimeInSeconds"] == lifetime and problems(asked) == []


def test_the_functions_and_the_team_are_those_of_the_stack(environment) -> None:
    task = request()["HumanTaskConfig"]
    assert task["WorkteamArn"] == settings().work_team_arn
    assert task["PreHumanTaskLambdaArn"] == settings().pre_annotate_function_arn
    consolidation = task["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"]
    assert consolidation == settings().consolidate_function_arn
    assert task["NumberOfHumanWorkersPerDataObject"] == settings().workers_per_object


def test_the_template_is_stored_once_under_its_content(aws) -> None:
    uri = ground_truth.deploy_template("boxes.liquid.html")
    assert uri == ground_truth.deploy_template("boxes.liquid.html")
    body = storage.read(storage.own_key(uri))
    assert uri.endswith(f"/{hashlib.sha256(body).hexdigest()}.liquid.html") and b"crowd-" in body
    assert len(list(storage.keys("worker_ui/"))) == 1


def test_label_categories_have_ground_truths_format(environment) -> None:
    assert ground_truth.label_categories(("head", "bag")) == {
        "document-version": "2018-11-28",
        "labels": [{"label": "head"}, {"label": "bag"}],
    }


def test_stopping_a_job_that_has_ended_changes_nothing(fake_service) -> None:
    sagemaker = fake_service("sagemaker", stop_labeling_job=refused("ValidationException", "is in Completed state"))
    ground_truth.stop(JOB)
    assert sagemaker.requests_of("stop_labeling_job") == [{"LabelingJobName": JOB}]
    sagemaker.answering(stop_labeling_job=refused("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        ground_truth.stop(JOB)
