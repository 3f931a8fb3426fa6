"""Record Failure: why an execution failed is told once, and what it left open is stopped."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from fake_service import refused
from handling import MODEL, crown, execution, handle, mark, registered, upload
from labelloop.store import callbacks, ledger, training_lock
from labelloop.work import failures
from outside_work import EXECUTION, ask_for_inference, ask_for_training, endpoint_named, removed_endpoints
from training_files import JOB, trainer

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


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


@pytest.mark.parametrize("trigger", [{}, {"bucket": "x"}, {"object": {"key": "k"}}, {"batch_id": "b"}])
def test_an_execution_that_never_owned_a_batch_fails_quietly(states, sagemaker, trigger) -> None:
    assert fail(trigger, EXECUTION)["batch_id"] == ""


def fail_training(owner, version="", error="States.Timeout"):
    """The failure lane of train_model, before or after a challenger got its version."""
    state = {"comparison": {"model_version": version}} if version else {}
    return handle("record_failure", execution=owner, error={"Error": error, "Cause": ""}, state=state)


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


def test_a_model_that_was_deployed_and_not_promoted_leaves_no_endpoint(states, sagemaker, endpoints_of) -> None:
    crown()
    mine = execution("mine", "TRAIN_MODEL_ARN")
    callbacks.mark_started(callbacks.remember("deployment", endpoint_named(2), "t1", mine, 600))
    fail_training(mine, "v000002-0123abcd")
    assert removed_endpoints(sagemaker) == [endpoint_named(2)] and list(callbacks.open_callbacks()) == []


def test_a_model_that_serves_keeps_its_endpoint_whatever_failed_after_its_promotion(
    states, sagemaker, runtime, endpoints_of
) -> None:
    crown("v000002-0123abcd", previous=MODEL)
    ask_for_inference(endpoint=endpoint_named(3))
    for version in (1, 2, 3):
        fail_training(EXECUTION, f"v{version:06d}-0123abcd")
    assert removed_endpoints(sagemaker) == []


def test_an_endpoint_that_cannot_be_removed_yet_keeps_neither_the_lock_nor_the_news(
    states, sagemaker, fake_service, endpoints_of
) -> None:
    notices, mine = fake_service("sns"), execution("mine", "TRAIN_MODEL_ARN")
    training_lock.take(mine, 600)
    sagemaker.answering(delete_endpoint=refused("ValidationException", "Cannot delete an endpoint being created"))
    fail_training(mine, "v000002-0123abcd")
    assert training_lock.take(execution("next", "TRAIN_MODEL_ARN"), 600) == 2
    assert len(notices.requests_of("publish")) == 1


def test_nobody_is_told_to_redrive_what_would_only_fail_again(fake_service) -> None:
    """Redriving "reenters the Fail state and fails again" (Step Functions guide, redrive-executions)."""
    machine = json.loads((ROOT / "statemachines/label_batch.asl.json").read_text())
    assert machine["States"][machine["States"]["Record Failure"]["Next"]]["Type"] == "Fail"
    notices = fake_service("sns")
    upload(2)
    trigger = mark()
    owner = ledger.owner_of(registered(trigger)["batch"]["id"])
    handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": "why"})
    (told,) = notices.requests_of("publish")
    assert "start an execution with the same input" in told["Message"] and "redrive" not in told["Message"]


@pytest.mark.parametrize("error", ["States.Timeout", "States.HeartbeatTimeout", "States.Runtime"])
def test_a_training_that_ran_out_of_time_is_stopped(states, fake_service, error) -> None:
    sagemaker = fake_service("sagemaker")
    owner = trainer("slow")
    ask_for_training(owner=owner)
    fail_training(owner, error=error)
    assert sagemaker.requests_of("stop_training_job") == [{"TrainingJobName": JOB}]
    assert list(callbacks.open_callbacks()) == []


def test_a_training_that_ended_meanwhile_needs_no_stopping(states, fake_service) -> None:
    fake_service("sagemaker", stop_training_job=refused("ValidationException", "has ended"))
    owner = trainer("slow")
    ask_for_training(owner=owner)
    fail_training(owner)
    assert list(callbacks.open_callbacks()) == []


@pytest.mark.parametrize("trouble", [refused("ThrottlingException"), EndpointConnectionError(endpoint_url="https://x")])
def test_a_training_that_cannot_be_stopped_yet_is_stopped_by_the_reconciler(states, fake_service, trouble) -> None:
    """Neither the lock nor the news waits for it: the next passes of the reconciler find the execution ended."""
    sagemaker = fake_service("sagemaker", stop_training_job=trouble)
    owner = trainer("slow")
    ask_for_training(owner=owner)
    training_lock.take(owner, 600)
    fail_training(owner)
    assert training_lock.owner() == ""
    (left,) = callbacks.open_callbacks()
    failures.close_expired(left)
    assert [callback.external_id for callback in callbacks.open_callbacks()] == [JOB]
    sagemaker.answering(stop_training_job={})
    failures.record(owner, "", "the execution ended FAILED")
    assert len(sagemaker.requests_of("stop_training_job")) == 3 and list(callbacks.open_callbacks()) == []
