"""What nobody heard of: the reconciler finds lost answers and lost failures."""

import time

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from fake_service import refused
from handling import MODEL, crown, execution, handle
from labelloop.store import callbacks, ledger, storage, training_lock
from labelloop.store.callbacks import Outcome
from outside_work import (
    EXECUTION,
    FAILURE,
    OUTPUT,
    ask_for_inference,
    described,
    endpoint_named,
    heard,
    removed_endpoints,
)

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://sagemaker")


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
        if EndpointName == endpoint_named(2):
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


def test_old_endpoints_go_and_the_champion_and_its_predecessor_stay(states, quiet, endpoints_of) -> None:
    crown("v000006-0123abcd", previous=MODEL)
    endpoints_of(6, 5, 4, 3, 2, 1)
    callbacks.mark_started(callbacks.remember("deployment", endpoint_named(6), "t1", execution("training"), 600))
    quiet.answering(describe_endpoint={"EndpointStatus": "Creating"})
    assert handle("reconcile")["endpoints_removed"] == 0  # somebody still works with endpoints
    quiet.answering(describe_endpoint={"EndpointStatus": "InService"})
    handle("reconcile")
    assert handle("reconcile")["endpoints_removed"] == 3
    assert set(removed_endpoints(quiet)) == {endpoint_named(4), endpoint_named(3), endpoint_named(2)}
    assert endpoint_named(1) == f"labelloop-{MODEL}"


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
    assert removed_endpoints(quiet) == [endpoint_named(4), endpoint_named(3)]


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
    ask_for_inference(endpoint=endpoint_named(4))
    callbacks.mark_started(callbacks.remember("deployment", endpoint_named(3), "t2", execution("training"), 600))
    quiet.answering(describe_endpoint={"EndpointStatus": "Creating"})
    handle("reconcile")
    assert removed_endpoints(quiet) == [endpoint_named(2)]


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
