"""Functions around a task token: those that ask the outside world, and those that hear from it."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from fake_service import refused
from handling import handle, handle_event
from labelloop.contracts.errors import InvalidInputError, LimitReachedError, TransientError
from labelloop.store import callbacks, storage
from made_up_stack import BUCKET, CALLBACKS
from outside_work import (
    EXECUTION,
    FAILURE,
    LABELING,
    OUTPUT,
    ask_for_inference,
    ask_for_labels,
    changed,
    described,
    hear,
    heard,
    notice,
)

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TAKEN = refused("ResourceInUse", "name already in use")


# --- inference


def test_a_shard_is_queued_after_its_token_is_remembered(states, runtime) -> None:
    def remembered(**request):
        assert callbacks.find("inference", request["InferenceId"]).token == "t1"
        return {"OutputLocation": storage.uri(OUTPUT), "FailureLocation": storage.uri(FAILURE)}

    runtime.answering(invoke_endpoint_async=remembered)
    inference_id = ask_for_inference()
    (request,) = runtime.requests_of("invoke_endpoint_async")
    assert request["InferenceId"] == inference_id and request["EndpointName"] == "labelloop-v1"
    assert callbacks.find("inference", inference_id).details["output_uri"] == storage.uri(OUTPUT)
    assert heard(states) == []


def test_a_success_notice_delivered_five_times_is_told_once(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(OUTPUT, b"{}\n")
    for _ in range(5):
        assert hear(notice(inference_id)) == []
    assert heard(states) == [("send_task_success", "t1")]


@pytest.mark.fault("C18")
@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable", "InternalFailure"])
def test_a_throttled_request_is_made_again_under_the_same_id_and_queued_once(states, runtime, code) -> None:
    accepted = {"OutputLocation": storage.uri(OUTPUT), "FailureLocation": storage.uri(FAILURE)}
    runtime.answering(invoke_endpoint_async=refused(code))
    for _ in range(2):
        with pytest.raises(TransientError):
            ask_for_inference()
    runtime.answering(invoke_endpoint_async=accepted)
    assert ask_for_inference() == ask_for_inference()
    asked = [request["InferenceId"] for request in runtime.requests_of("invoke_endpoint_async")]
    assert len(asked) == 3 and len(set(asked)) == 1, "two refused, one accepted"
    machine = json.loads((Path(__file__).resolve().parents[2] / "statemachines/label_batch.asl.json").read_text())
    state = machine["States"]["Infer Shards"]["ItemProcessor"]["States"]["Request Inference"]
    (rung,) = [each for each in state["Retry"] if "TransientError" in each["ErrorEquals"]]
    assert rung["JitterStrategy"] == "FULL" and rung["BackoffRate"] > 1 and rung["MaxAttempts"] >= 1


@pytest.mark.fault("C09")
def test_a_notice_before_the_token_row_comes_again(states, runtime) -> None:
    storage.write(OUTPUT, b"{}\n")
    assert hear(notice("early", output=OUTPUT)) == ["early"]
    callbacks.remember("inference", "early", "t1", EXECUTION, 600)
    assert hear(notice("early")) == ["early"]  # the row is there, where the output will be is not yet
    callbacks.mark_started(callbacks.find("inference", "early"), output_uri=storage.uri(OUTPUT))
    assert hear(notice("early")) == []
    assert heard(states) == [("send_task_success", "t1")]


@pytest.mark.fault("C09")
def test_a_notice_that_overtakes_the_answer_of_the_request_is_taken(states, runtime) -> None:
    """The model answered before InvokeEndpointAsync did: the row knows where the request asked for its output."""

    def overtaken(**request):
        key = f"batches/{request['S3OutputPathExtension']}/{request['Filename']}"
        storage.write(key, b"{}\n")
        assert hear(notice(request["InferenceId"], output=key)) == []
        return {"OutputLocation": storage.uri(key), "FailureLocation": storage.uri(FAILURE)}

    runtime.answering(invoke_endpoint_async=overtaken)
    ask_for_inference()
    assert heard(states) == [("send_task_success", "t1")]


def test_a_notice_before_the_output_is_visible_comes_again(states, runtime) -> None:
    inference_id = ask_for_inference()
    assert hear(notice(inference_id)) == [inference_id] and heard(states) == []


@pytest.mark.fault("D19")
def test_one_message_that_fails_does_not_take_the_others_with_it(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(OUTPUT, b"{}\n")
    assert hear(notice("unknown"), notice(inference_id)) == ["unknown"]
    assert heard(states) == [("send_task_success", "t1")]


def test_messages_of_other_kinds_are_let_pass(states, runtime) -> None:
    assert hear(notice("x", name="SomethingElse")) == [] and heard(states) == []


def test_a_failure_notice_fails_the_state_with_a_name_it_retries(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(FAILURE, b"ClientError: the model broke")
    hear(notice(inference_id, "Failed"))
    ((method, request),) = states.calls
    assert method == "send_task_failure" and request["error"] == "TransientError"
    assert "the model broke" in request["cause"]


@pytest.mark.fault("C11")
def test_an_output_that_exists_is_a_success_whatever_the_notice_says(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(OUTPUT, b"{}\n")
    hear(notice(inference_id, "Failed"))
    assert heard(states) == [("send_task_success", "t1")]


@pytest.mark.fault("C20")
def test_each_retry_is_a_request_of_its_own(states, runtime) -> None:
    first = ask_for_inference()
    storage.write(FAILURE, b"the model broke")
    assert hear(notice(first, "Failed")) == []
    ask_for_inference("t2", retry=1)
    ids = [request["InferenceId"] for request in runtime.requests_of("invoke_endpoint_async")]
    assert len(set(ids)) == 2


# --- labelling


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


def test_the_event_of_a_labelling_job_answers_the_round(states, sagemaker) -> None:
    """F09: an event that comes again has no second effect."""
    job = ask_for_labels()
    event = changed(LABELING, job)
    sagemaker.answering(describe_labeling_job=described("InProgress"))
    handle_event("complete_work", event)
    assert heard(states) == []  # Describe is the truth, not the event
    sagemaker.answering(describe_labeling_job=described("Completed"))
    for _ in range(3):
        handle_event("complete_work", event)
    assert heard(states) == [("send_task_success", "t1")]
    assert json.loads(states.calls[0][1]["output"])["output_uri"] == ""  # the manifest is not there


def test_stopping_keeps_what_people_answered_so_far_and_says_so(states, sagemaker, fake_service, monkeypatch) -> None:
    """F06: a job is stopped by us, with a notice, before Ground Truth lets it expire."""
    import stop_labeling

    job = ask_for_labels()
    notices = fake_service("sns")
    manifest = storage.write("batches/b/labeling/2/out.manifest", b"")
    ended = iter([described("Stopping"), described("Stopped", LabelingJobOutput={"OutputDatasetS3Uri": manifest})])
    sagemaker.answering(describe_labeling_job=lambda **_: next(ended))
    monkeypatch.setattr(stop_labeling.time, "sleep", lambda _: None)
    assert handle("stop_labeling", batch_id="b", round=2, job=1) == {"status": "Stopped"}
    (told,) = notices.requests_of("publish")
    assert job in told["Message"] and "is kept" in told["Message"]
    assert list(callbacks.open_callbacks()) == []


def test_a_job_that_takes_long_to_stop_is_asked_again(states, sagemaker, monkeypatch) -> None:
    import stop_labeling

    ask_for_labels()
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(stop_labeling.time, "sleep", lambda _: None)
    monkeypatch.setattr(stop_labeling.time, "monotonic", lambda: next(clock))
    sagemaker.answering(describe_labeling_job=described("Stopping"))
    with pytest.raises(TransientError, match="still stopping"):
        handle("stop_labeling", batch_id="b", round=2, job=1)


def test_rows_are_written_where_the_template_says(states, runtime) -> None:
    ask_for_inference()
    scanned = boto3.client("dynamodb").scan(TableName=CALLBACKS)["Items"]
    assert {name for row in scanned for name in row} == {
        *("id", "token", "status", "open", "created", "deadline", "execution", "details", "schema")
    }
    assert f"s3://{BUCKET}/" in scanned[0]["details"]["S"]
