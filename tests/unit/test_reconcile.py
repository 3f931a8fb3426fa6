"""What nobody heard of: the reconciler finds lost answers and lost failures, and failures are on record."""

import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from fake_service import refused
from handling import MODEL, crown, execution, handle, mark, registered, upload
from labelloop.store import callbacks, ledger, storage, training_lock
from labelloop.store.callbacks import Outcome
from labelloop.work import failures
from outside_work import EXECUTION, FAILURE, OUTPUT, ask_for_inference, described, heard

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://sagemaker")


# --- the reconciler


@pytest.fixture
def quiet(sagemaker):
    """No endpoints to look after."""
    return sagemaker.answering(list_endpoints={"Endpoints": []})


def test_the_reconciler_finds_an_output_whose_notice_was_lost(states, runtime, quiet) -> None:
    ask_for_inference()
    assert handle("reconcile")["answered"] == 0
    storage.write(OUTPUT, b"{}\n")
    assert handle("reconcile")["answered"] == 1
    assert heard(states) == [("send_task_success", "t1")]
    assert handle("reconcile") == {"waiting": 0, "answered": 0, "endpoints_removed": 0, "failures_recorded": 0}


@pytest.mark.fault("C03")
def test_the_reconciler_finds_a_failure_whose_notice_was_lost(states, runtime, quiet) -> None:
    ask_for_inference()
    storage.write(FAILURE, b"out of memory")
    handle("reconcile")
    assert heard(states) == [("send_task_failure", "t1")] and "out of memory" in states.calls[0][1]["cause"]


def test_the_reconciler_sends_what_was_recorded_but_not_delivered(states, quiet) -> None:
    callbacks.record(callbacks.remember("training", "job", "t1", EXECUTION, 600), Outcome(True, {"model_uri": "m"}))
    assert handle("reconcile")["answered"] == 1 and heard(states) == [("send_task_success", "t1")]


@pytest.mark.parametrize("kind", ["training", "labeling", "deployment"])
def test_the_reconciler_describes_jobs_and_endpoints_whose_event_was_lost(states, quiet, kind) -> None:
    callbacks.mark_started(callbacks.remember(kind, "job", "t1", EXECUTION, 600))
    model = {"S3ModelArtifacts": "s3://b/training/job/output/model.tar.gz"}
    quiet.answering(
        describe_training_job={"TrainingJobStatus": "Completed", "ModelArtifacts": model},
        describe_labeling_job=described("Completed"),
        describe_endpoint={"EndpointStatus": "InService"},
    )
    handle("reconcile")
    assert heard(states) == [("send_task_success", "t1")]


def test_a_request_that_was_never_made_is_not_taken_for_a_failure(states, quiet) -> None:
    """Between remembering the token and the outside call the reconciler may pass by."""
    callbacks.remember("deployment", "labelloop-v1", "t1", execution("training", "TRAIN_MODEL_ARN"), 600)
    quiet.answering(describe_endpoint=refused("ValidationException", "Could not find endpoint"))
    assert handle("reconcile")["answered"] == 0 and heard(states) == []


def test_a_wait_past_its_deadline_is_closed_and_its_job_stopped(states, quiet, monkeypatch) -> None:
    callbacks.mark_started(callbacks.remember("training", "job", "t1", EXECUTION, 600))
    quiet.answering(describe_training_job={"TrainingJobStatus": "InProgress"})
    import reconcile

    now = time.time()
    monkeypatch.setattr(reconcile.time, "time", lambda: now + 600 + reconcile.GRACE_SECONDS + 2)
    handle("reconcile")
    assert quiet.requests_of("stop_training_job") == [{"TrainingJobName": "job"}]
    assert list(callbacks.open_callbacks()) == [] and heard(states) == [("send_task_failure", "t1")]


@pytest.mark.parametrize("trouble", [refused("AccessDeniedException"), UNREACHABLE])
def test_one_wait_that_cannot_be_looked_at_does_not_hold_up_the_others(states, quiet, trouble) -> None:
    for name in ("one", "two"):
        callbacks.mark_started(callbacks.remember("labeling", name, f"t-{name}", EXECUTION, 600))

    def describe(LabelingJobName):
        if LabelingJobName == "one":
            raise trouble
        return described("Completed")

    quiet.answering(describe_labeling_job=describe)
    assert handle("reconcile")["answered"] == 1 and heard(states) == [("send_task_success", "t-two")]


@pytest.mark.fault("D16")
def test_an_execution_that_ended_unseen_is_recorded_as_failed(states, quiet) -> None:
    running, dead = execution("running"), execution("dead")
    ledger.claim_batch("alive", running, resume=False)
    ledger.claim_batch("lost", dead, resume=False)
    boto3.client("stepfunctions").stop_execution(executionArn=dead)
    assert handle("reconcile")["failures_recorded"] == 1
    assert ledger.batch("lost")["status"] == "failed" and ledger.batch("alive")["status"] == "running"


def test_a_lost_failure_is_recorded_as_record_failure_would(states, quiet, fake_service) -> None:
    notices = fake_service("sns")
    dead, training = execution("dead"), execution("training", "TRAIN_MODEL_ARN")
    ledger.claim_batch("lost", dead, resume=False)
    training_lock.take(training, 600)
    callbacks.mark_started(callbacks.remember("training", "job", "t1", training, 600))
    quiet.answering(describe_training_job={"TrainingJobStatus": "InProgress"})
    for each in (dead, training):
        boto3.client("stepfunctions").stop_execution(executionArn=each)
    assert handle("reconcile")["failures_recorded"] == 2
    (told,) = notices.requests_of("publish")
    assert told["Subject"] == "Batch lost failed" and "the execution ended ABORTED" in told["Message"]
    assert quiet.requests_of("stop_training_job") == [{"TrainingJobName": "job"}]
    assert list(callbacks.open_callbacks()) == [] and training_lock.owner() == ""
    assert handle("reconcile")["failures_recorded"] == 0


@pytest.fixture
def measured(monkeypatch) -> dict[str, float]:
    """What the reconciler measured, by metric."""
    import reconcile

    figures: dict[str, float] = {}
    monkeypatch.setattr(reconcile.metrics, "add_metric", lambda name, unit, value: figures.update({name: value}))
    return figures


@pytest.mark.parametrize("trouble", [refused("ValidationException", "Cannot update in-progress endpoint"), UNREACHABLE])
def test_an_endpoint_that_cannot_be_removed_holds_nothing_up(states, quiet, endpoints_of, measured, trouble) -> None:
    execution("running")
    dead = execution("dead")
    ledger.claim_batch("lost", dead, resume=False)
    boto3.client("stepfunctions").stop_execution(executionArn=dead)
    endpoints_of(2, 1)

    def delete(EndpointName):
        if EndpointName == named(2):
            raise trouble

    quiet.answering(delete_endpoint=delete)
    told = handle("reconcile")
    assert (told["endpoints_removed"], told["failures_recorded"]) == (1, 1)
    assert measured["OldestRunningExecutionSeconds"] > 0 and measured["ReconcileError"] == 1


def test_a_part_that_cannot_be_done_is_an_error_after_all_others_are_done(states, quiet, measured) -> None:
    """The alarm CallbackErrors counts errors of the function."""
    execution("running")
    dead = execution("dead")
    ledger.claim_batch("lost", dead, resume=False)
    boto3.client("stepfunctions").stop_execution(executionArn=dead)
    quiet.answering(list_endpoints=refused("AccessDeniedException", "not authorized to perform"))
    with pytest.raises(ClientError, match="not authorized"):
        handle("reconcile")
    assert ledger.batch("lost")["status"] == "failed" and measured["OldestRunningExecutionSeconds"] > 0


def named(number: int) -> str:
    return f"labelloop-v{number:06d}-0123abcd"


@pytest.fixture
def endpoints_of(quiet, fake_service):
    """`endpoints_of(5, 4)`: the stack's endpoints by version, newest first."""
    fake_service("application-autoscaling")
    fake_service("cloudwatch")

    def put(*numbers: int) -> None:
        quiet.answering(list_endpoints={"Endpoints": [{"EndpointName": named(number)} for number in numbers]})

    return put


def removed(sagemaker) -> list[str]:
    return [request["EndpointName"] for request in sagemaker.requests_of("delete_endpoint")]


def test_old_endpoints_go_and_the_champion_and_its_predecessor_stay(states, quiet, endpoints_of) -> None:
    crown("v000006-0123abcd", previous=MODEL)
    endpoints_of(6, 5, 4, 3, 2, 1)
    callbacks.mark_started(callbacks.remember("deployment", named(6), "t1", execution("training"), 600))
    quiet.answering(describe_endpoint={"EndpointStatus": "Creating"})
    assert handle("reconcile")["endpoints_removed"] == 0  # somebody still works with endpoints
    quiet.answering(describe_endpoint={"EndpointStatus": "InService"})
    handle("reconcile")
    assert handle("reconcile")["endpoints_removed"] == 3
    assert set(removed(quiet)) == {named(4), named(3), named(2)} and named(1) == f"labelloop-{MODEL}"


@pytest.mark.parametrize("champion", ["v000002-0123abcd", ""])
def test_an_endpoint_that_nobody_promoted_goes_once_no_training_runs(states, quiet, endpoints_of, champion) -> None:
    if champion:
        crown(champion)
    training = execution("training", "TRAIN_MODEL_ARN")
    endpoints_of(4, 3, 2) if champion else endpoints_of(4, 3)
    training_lock.take(training, 600)
    assert handle("reconcile")["endpoints_removed"] == 0
    training_lock.release(training)
    assert handle("reconcile")["endpoints_removed"] == 2
    assert removed(quiet) == [named(4), named(3)]


def test_an_endpoint_that_nobody_promoted_goes_when_its_training_died_with_the_lock(
    states, quiet, endpoints_of
) -> None:
    dead = execution("dead", "TRAIN_MODEL_ARN")
    training_lock.take(dead, 600)
    boto3.client("stepfunctions").stop_execution(executionArn=dead)
    endpoints_of(1)
    assert handle("reconcile")["endpoints_removed"] == 1


def test_an_endpoint_whose_requests_are_open_or_that_is_awaited_stays(states, runtime, quiet, endpoints_of) -> None:
    crown()
    endpoints_of(4, 3, 2, 1)
    ask_for_inference(endpoint=named(4))
    callbacks.mark_started(callbacks.remember("deployment", named(3), "t2", execution("training"), 600))
    quiet.answering(describe_endpoint={"EndpointStatus": "Creating"})
    handle("reconcile")
    assert removed(quiet) == [named(2)]


# --- failures


def fail(batch_trigger, owner, error=None):
    given = {"Error": "InvalidInputError", "Cause": json.dumps({"errorMessage": "because ü"})}
    return handle("record_failure", execution=owner, input=batch_trigger, error=error or given)


def test_a_failure_is_recorded_once_with_its_reason_and_people_are_told(states, sagemaker, fake_service) -> None:
    notices = fake_service("sns")
    upload(1)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    assert fail(trigger, owner) == {"batch_id": batch, "cause": "InvalidInputError: because ü"}
    fail(trigger, owner)
    row = ledger.batch(batch)
    assert (row["status"], row["cause"]) == ("failed", "InvalidInputError: because ü")
    (told,) = notices.requests_of("publish")
    assert "because ü" in told["Message"] and "No data is lost" in told["Message"]


def test_the_status_event_of_an_aborted_execution_records_it_too(states, sagemaker) -> None:
    upload(1)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    boto3.client("stepfunctions").stop_execution(executionArn=ledger.owner_of(batch))
    detail = {"executionArn": ledger.owner_of(batch), "status": "ABORTED", "input": json.dumps(trigger)}
    handle("record_failure", detail=detail)
    assert ledger.batch(batch)["cause"] == "the execution ended ABORTED"


def test_a_failed_execution_stops_its_training_and_frees_the_lock_but_not_anothers(states, sagemaker) -> None:
    mine, other = execution("mine", "TRAIN_MODEL_ARN"), execution("other", "TRAIN_MODEL_ARN")
    callbacks.mark_started(callbacks.remember("training", "my-job", "t1", mine, 600))
    callbacks.mark_started(callbacks.remember("training", "other-job", "t2", other, 600))
    callbacks.mark_started(callbacks.remember("labeling", "people", "t3", mine, 600))
    training_lock.take(mine, 600)
    assert fail_training(mine) == {"cause": "States.Timeout: "}
    assert sagemaker.requests_of("stop_training_job") == [{"TrainingJobName": "my-job"}]
    assert {callback.external_id for callback in callbacks.open_callbacks()} == {"other-job", "people"}
    assert training_lock.take(other, 600) == 2


def fail_training(owner, version=""):
    """The failure lane of train_model, before or after a challenger got its version."""
    state = {"comparison": {"model_version": version}} if version else {}
    return handle("record_failure", execution=owner, error={"Error": "States.Timeout", "Cause": ""}, state=state)


def test_a_model_that_was_deployed_and_not_promoted_leaves_no_endpoint(states, sagemaker, endpoints_of) -> None:
    crown()
    mine = execution("mine", "TRAIN_MODEL_ARN")
    callbacks.mark_started(callbacks.remember("deployment", named(2), "t1", mine, 600))
    fail_training(mine, "v000002-0123abcd")
    assert removed(sagemaker) == [named(2)] and list(callbacks.open_callbacks()) == []


def test_a_model_that_serves_keeps_its_endpoint_whatever_failed_after_its_promotion(
    states, sagemaker, runtime, endpoints_of
) -> None:
    crown("v000002-0123abcd", previous=MODEL)
    ask_for_inference(endpoint=named(3))
    for version in (1, 2, 3):
        fail_training(EXECUTION, f"v{version:06d}-0123abcd")
    assert removed(sagemaker) == []


def test_an_endpoint_that_cannot_be_removed_yet_keeps_neither_the_lock_nor_the_news(
    states, sagemaker, fake_service, endpoints_of
) -> None:
    notices, mine = fake_service("sns"), execution("mine", "TRAIN_MODEL_ARN")
    training_lock.take(mine, 600)
    sagemaker.answering(delete_endpoint=refused("ValidationException", "Cannot delete an endpoint being created"))
    fail_training(mine, "v000002-0123abcd")
    assert training_lock.take(execution("next", "TRAIN_MODEL_ARN"), 600) == 2
    assert len(notices.requests_of("publish")) == 1


@pytest.mark.parametrize("trigger", [{}, {"bucket": "x"}, {"object": {"key": "k"}}, {"batch_id": "b"}])
def test_an_execution_that_never_owned_a_batch_fails_quietly(states, sagemaker, trigger) -> None:
    assert fail(trigger, EXECUTION)["batch_id"] == ""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ({"Error": "E", "Cause": "plain text"}, "E: plain text"),
        ({"Error": "E", "Cause": "[1]"}, "E: [1]"),
        ({"Error": "E"}, "E: "),
        ("only text", "only text"),
    ],
)
def test_any_error_becomes_a_sentence(error, sentence) -> None:
    assert failures.describe(error) == sentence


def test_a_wait_that_a_newer_version_wrote_keeps_nothing_else_from_being_done(states, runtime, quiet) -> None:
    """After a deployment was rolled back; no endpoint is removed, because that wait may need it."""
    quiet.answering(list_endpoints={"Endpoints": [{"EndpointName": "labelloop-v000009-0123abcd"}]})
    callbacks.remember("deployment", "labelloop-v000009-0123abcd", "t0", EXECUTION, 600)
    boto3.resource("dynamodb").Table("callbacks-table").update_item(
        Key={"id": "deployment#labelloop-v000009-0123abcd"},
        UpdateExpression="SET #s = :new",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":new": 99},
    )
    ask_for_inference()
    storage.write(OUTPUT, b"{}\n")
    dead = execution("dead")
    ledger.claim_batch("lost", dead, resume=False)
    boto3.client("stepfunctions").stop_execution(executionArn=dead)
    with pytest.raises(Exception, match=r"1 waits cannot be read.*written by a newer version"):
        handle("reconcile")
    assert heard(states) == [("send_task_success", "t1")] and ledger.batch("lost")["status"] == "failed"
    assert quiet.requests_of("delete_endpoint") == []
