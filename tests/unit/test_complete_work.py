"""Complete Work: what notices and events say of outside work is told once to the state that waits for it."""

import json

import pytest
from handling import handle_event
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import callbacks, storage
from outside_work import (
    ENDPOINT,
    EXECUTION,
    FAILURE,
    LABELING,
    OUTPUT,
    TRAINING,
    ask_for_deployment,
    ask_for_inference,
    ask_for_labels,
    ask_for_training,
    changed,
    described,
    hear,
    heard,
    notice,
)
from training_files import JOB

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def test_a_success_notice_delivered_five_times_is_told_once(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(OUTPUT, b"{}\n")
    for _ in range(5):
        assert hear(notice(inference_id)) == []
    assert heard(states) == [("send_task_success", "t1")]


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


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_failed_training_job_says_why(states, fake_service, status) -> None:
    sagemaker = fake_service("sagemaker")
    ask_for_training()
    sagemaker.answering(describe_training_job={"TrainingJobStatus": status, "FailureReason": "no GPU memory"})
    handle_event("complete_work", changed(TRAINING, JOB))
    (told,) = states.requests_of("send_task_failure")
    assert told["error"] == "TrainingJobFailed" and "no GPU memory" in told["cause"]


def test_events_of_jobs_of_others_are_nothing_to_us(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    assert handle_event("complete_work", changed(TRAINING, "theirs")) == {"training": "theirs"}
    assert sagemaker.calls == []  # not even looked at


def test_an_endpoint_answers_when_it_is_in_service(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Creating"})
    name = ask_for_deployment()["endpoint"]
    assert states.calls == [] and callbacks.find("deployment", name).started
    handle_event("complete_work", changed(ENDPOINT, name))
    assert states.calls == []
    sagemaker.answering(describe_endpoint={"EndpointStatus": "InService"})
    for _ in range(3):
        handle_event("complete_work", changed(ENDPOINT, name))
    assert [request["taskToken"] for request in states.requests_of("send_task_success")] == ["t1"]


NO_RECORDS = [{}, {"Records": []}, {"Records": None}, {"Records": "x"}, {"Records": [1]}, {"Records": [{}]}]
NO_OBJECTS = [[], [1], "", "x", None, 7, ["batch_id"], "execution"]


@pytest.mark.parametrize("event", [*NO_RECORDS, *NO_OBJECTS, {"batch_id": 7}, {"batch_id": ["\ud800"]}])
def test_what_is_neither_notice_nor_event_is_refused_in_a_sentence(states, runtime, event) -> None:
    with pytest.raises(InvalidInputError, match="the event cannot be read: "):
        handle_event("complete_work", event)
    assert heard(states) == []
