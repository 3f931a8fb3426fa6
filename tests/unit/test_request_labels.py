"""Request Labels: a token is remembered, then a labelling job is created, once, and people are told."""

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from fake_service import refused
from labelloop.contracts.errors import InvalidInputError, LimitReachedError, TransientError
from labelloop.store import callbacks, storage
from made_up_stack import BUCKET
from outside_work import ask_for_labels, described, heard

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TAKEN = refused("ResourceInUse", "name already in use")


def test_a_labelling_job_is_created_after_its_token_is_remembered_and_people_are_told(
    states, sagemaker, fake_service
) -> None:
    notices = fake_service("sns")
    sagemaker.answering(
        create_labeling_job=lambda **request: callbacks.find("labeling", request["LabelingJobName"]).token
    )
    job = ask_for_labels()
    assert callbacks.find("labeling", job).started and heard(states) == []
    (told,) = notices.requests_of("publish")
    assert "3 images of batch b, round 2" in told["Message"] and job in told["Message"]
    assert storage.read_json("batches/b/labeling/2/label-categories-annotate.json")["labels"] == [
        *({"label": "head"}, {"label": "bag"})
    ]


def test_a_throttled_request_is_named_so_that_the_state_retries_it(states, sagemaker) -> None:
    sagemaker.answering(create_labeling_job=refused("ThrottlingException"))
    with pytest.raises(TransientError, match="Throttling"):
        ask_for_labels()


@pytest.mark.fault("F27")
def test_a_bucket_without_a_cors_rule_is_told_before_any_job_is_created(states, sagemaker) -> None:
    """F27: without it people would see no image, and every task would fail."""
    s3 = boto3.client("s3")
    s3.delete_bucket_cors(Bucket=BUCKET)
    with pytest.raises(InvalidInputError, match=r"no CORS rule that allows GET.*put-bucket-cors"):
        ask_for_labels()
    other = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [other]})
    with pytest.raises(InvalidInputError, match="CORS"):
        ask_for_labels()
    assert sagemaker.requests_of("create_labeling_job") == [] and list(callbacks.open_callbacks()) == []


@pytest.mark.fault("F28")
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "Amazon SageMaker Ground Truth is no longer open to new customers"),
        ("ValidationException", "Ground Truth is not available for this account"),
    ],
)
def test_an_account_without_ground_truth_is_told_what_to_do(states, sagemaker, code, message) -> None:
    """F28: the message names the parameter LabelingBackend."""
    sagemaker.answering(create_labeling_job=refused(code, message))
    with pytest.raises(InvalidInputError, match="LabelingBackend=ground-truth cannot work here") as told:
        ask_for_labels()
    assert message in str(told.value) and list(callbacks.open_callbacks()) == []


def test_a_missing_permission_is_not_taken_for_a_missing_service(states, sagemaker) -> None:
    denied = "User: x is not authorized to perform: sagemaker:CreateLabelingJob on resource: y"
    sagemaker.answering(create_labeling_job=refused("AccessDeniedException", denied))
    with pytest.raises(ClientError, match="not authorized"):
        ask_for_labels()


def test_a_limit_of_the_account_has_an_error_of_its_own_that_the_machine_waits_for(states, sagemaker) -> None:
    """F07: nobody waits on a token meanwhile."""
    sagemaker.answering(create_labeling_job=refused("ResourceLimitExceeded", "20 jobs at once"))
    with pytest.raises(LimitReachedError, match="20 jobs at once"):
        ask_for_labels()
    assert list(callbacks.open_callbacks()) == []


@pytest.mark.fault("D18", "F08")
def test_a_request_that_timed_out_is_made_again_and_adopts_the_job_it_made(states, sagemaker) -> None:
    """F08: one job, and the newest token waits for it."""
    lost = ReadTimeoutError(endpoint_url="https://api.sagemaker")
    sagemaker.answering(create_labeling_job=lost)
    with pytest.raises(TransientError, match="ReadTimeout"):
        ask_for_labels("t1")
    sagemaker.answering(create_labeling_job=TAKEN, describe_labeling_job=described("InProgress"))
    job = ask_for_labels("t2")
    (waiting,) = callbacks.open_callbacks()
    assert (waiting.external_id, waiting.token, waiting.started) == (job, "t2", True)
    assert [request["LabelingJobName"] for request in sagemaker.requests_of("create_labeling_job")] == [job, job]
