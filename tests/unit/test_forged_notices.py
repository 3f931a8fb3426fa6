"""Notices and events that nobody of ours sent: they name something, they decide nothing."""

import json
from contextlib import suppress

import pytest
from handling import handle, handle_event, mark, upload
from labelloop.store import callbacks, storage
from outside_work import (
    CHANGES,
    ENDPOINT,
    EXECUTION,
    FAILURE,
    LABELING,
    OUTPUT,
    TRAINING,
    ask_for_inference,
    ask_for_labels,
    changed,
    hear,
    heard,
    notice,
)

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
FOREIGN = ["batches/other/predictions/1/00000-00.jsonl", "batches/b/predictions/1/00001-00.jsonl", "given/labels.jsonl"]


def message(inference_id, **changed):
    given = {"eventName": "InferenceResult", "inferenceId": inference_id, "invocationStatus": "Completed", **changed}
    return {**notice(inference_id), "body": json.dumps({"Type": "Notification", "Message": json.dumps(given)})}


@pytest.mark.fault("J06")
@pytest.mark.parametrize(
    "place", [*FOREIGN, "canonical/x.jpg", "s3://elsewhere/out.jsonl", "file:///etc/passwd", "s3://"]
)
def test_an_output_elsewhere_is_nobodys_answer(states, runtime, place) -> None:
    """Also before the request's own place is noted."""
    for key in FOREIGN:
        storage.write(key, b"{}\n")
    callbacks.remember("inference", "early", "t1", EXECUTION, 600)
    location = place if ":" in place else storage.uri(place)
    assert hear(message("early", responseParameters={"outputLocation": location})) == ["early"]
    started = ask_for_inference()
    assert hear(message(started, responseParameters={"outputLocation": location})) == [started]
    assert heard(states) == [] and callbacks.find("inference", "early").status == "waiting"


@pytest.mark.fault("J06")
@pytest.mark.parametrize("reason", ["the model broke", "", None, "x" * 100_000, {"a": 1}])
def test_a_failure_without_a_failure_object_is_no_failure(states, runtime, reason) -> None:
    inference_id = ask_for_inference()
    assert hear(message(inference_id, invocationStatus="Failed", failureReason=reason)) == [inference_id]
    assert heard(states) == [] and callbacks.find("inference", inference_id).status == "waiting"
    storage.write(OUTPUT, b"{}\n")
    assert hear(message(inference_id)) == []
    assert heard(states) == [("send_task_success", "t1")]


@pytest.mark.fault("J06")
def test_what_a_failure_says_is_read_from_its_object_and_only_the_start_of_it(states, runtime) -> None:
    inference_id = ask_for_inference()
    storage.write(FAILURE, "the model brök".encode() + b" " + b"\xff" * 50_000_000)
    hear(message(inference_id, invocationStatus="Failed", failureReason="forged"))
    ((_, request),) = states.calls
    assert "the model brök" in request["cause"] and "forged" not in request["cause"] and len(request["cause"]) < 3000


@pytest.mark.fault("J06", "A23")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "7",
        '"InferenceResult"',
        '{"Message": 7}',
        '{"Message": null}',
        '{"Message": "no JSON"}',
        '{"Message": "[]"}',
        json.dumps({"Message": "[" * 200_000}),
        "[" * 200_000,
        '{"Message": "' + "9" * 5000 + '"}',
        '{"eventName": "InferenceResult"}',
        '{"eventName": "InferenceResult", "inferenceId": null}',
        '{"eventName": "InferenceResult", "inferenceId": ["a"]}',
        '{"eventName": "InferenceResult", "inferenceId": ""}',
        json.dumps({"eventName": "InferenceResult", "inferenceId": "x" * 5000}),
        '{"eventName": "InferenceResult", "inferenceId": "\\ud800"}',
        '{"eventName": "InferenceResult", "inferenceId": NaN}',
    ],
)
def test_a_notice_that_cannot_be_read_is_dead_lettered_with_a_reason(
    states, runtime, caplog, monkeypatch, body
) -> None:
    import complete_work

    told = []
    monkeypatch.setattr(complete_work.logger, "warning", lambda text, **more: told.append(more.get("reason", "")))
    assert hear({**notice("odd"), "body": body}) == ["odd"] and heard(states) == []
    assert told and any(said in told[0] for said in ("the notice", "the event cannot be read"))


@pytest.mark.fault("J04")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (LABELING, "labelloop-other"),
        (LABELING, "labelloop-prod-batch-r1a1"),
        (TRAINING, "labelloop-prod-train-1-00000000"),
        (ENDPOINT, "labelloop-prod-v000001-00000000"),
    ],
)
def test_work_of_somebody_else_is_not_even_asked_about(states, sagemaker, change, name) -> None:
    """The neighbour's events may reach us; our role may not describe the neighbour's jobs, and need not."""
    sagemaker.answering(describe_labeling_job={"LabelingJobStatus": "InProgress"})
    handle_event("complete_work", changed(change, name))
    assert [name for name, _ in sagemaker.calls] == [] and heard(states) == []


@pytest.mark.fault("J06", "A23")
@pytest.mark.parametrize("change", [*CHANGES, "Something Else Changed", 7, None])
@pytest.mark.parametrize(
    "event",
    [
        {},
        {"resources": [], "detail": {}},
        {"resources": None, "detail": None},
        {"resources": [None], "detail": {"TrainingJobName": None, "EndpointName": None}},
        {"resources": [7], "detail": {"TrainingJobName": 7, "EndpointName": 7}},
        {"resources": "labeling-job/x", "detail": "x"},
        {"resources": [["x"]], "detail": {"TrainingJobName": ["x"], "EndpointName": {"x": 1}}},
        {"resources": [""], "detail": {"TrainingJobName": "", "EndpointName": ""}},
        {"resources": ["x" * 9000], "detail": {"TrainingJobName": "x" * 9000, "EndpointName": "x" * 9000}},
        {"resources": ["\ud800"], "detail": {"TrainingJobName": "\ud800", "EndpointName": "\ud800"}},
    ],
)
def test_an_event_that_cannot_be_read_fails_with_a_sentence(states, sagemaker, change, event) -> None:
    """It goes the way of failed events: two more attempts, then the dead-letter queue with this error."""
    problem = None
    try:
        handle_event("complete_work", {"detail-type": change, **event})
    except Exception as error:
        problem = error
    assert type(problem).__name__ == "InvalidInputError" and "the event cannot be read" in str(problem)
    assert sagemaker.calls == [] and heard(states) == []


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "Deleted", None, ["Completed"]])
def test_what_an_event_says_of_a_job_is_not_believed(states, sagemaker, status) -> None:
    job = ask_for_labels()
    sagemaker.answering(describe_labeling_job={"LabelingJobStatus": "InProgress"})
    detail = {"LabelingJobStatus": status, "TrainingJobName": job, "TrainingJobStatus": status, "EndpointName": job}
    event = {"resources": [f"arn:aws:sagemaker:r:1:labeling-job/{job}"], "detail": {**detail, "EndpointStatus": status}}
    for change in CHANGES:
        with suppress(LookupError):
            handle_event("complete_work", {"detail-type": change, **event})
    assert heard(states) == [] and callbacks.find("labeling", job).status == "waiting"


@pytest.mark.fault("A23")
@pytest.mark.parametrize(
    "trigger",
    [
        {},
        {"bucket": {}, "object": {}},
        {"bucket": {"name": None}, "object": {"key": None}},
        {"bucket": {"name": "data-bucket"}, "object": "incoming/x/_READY.json"},
        {"bucket": "data-bucket", "object": {"key": "incoming/x/_READY.json"}},
        {"bucket": {"name": "data-bucket"}, "object": {"key": ["incoming/x/_READY.json"]}},
        {"bucket": {"name": "data-bucket"}, "object": {"key": "incoming/x/_READY.json", "version-id": 7}},
    ],
)
def test_a_start_that_names_no_marker_says_which_field(aws, trigger) -> None:
    problem = None
    try:
        handle_event("register_batch", {"event": trigger, "execution": EXECUTION})
    except Exception as error:
        problem = error
    assert type(problem).__name__ == "InvalidInputError", repr(problem)
    assert "the event cannot be read: " in str(problem)


@pytest.mark.fault("A23")
def test_a_start_with_more_fields_than_we_know_is_taken(aws) -> None:
    upload(2)
    trigger = mark()
    more = {"etag": "9b2c", "eTag": '"9b2c"', "size": "2", "sequencer": None, "version-id": ""}
    event = {**trigger, "version": "9", "reason": ["PutObject"], "object": {**trigger["object"], **more}}
    assert handle("register_batch", event=event, execution=EXECUTION)["status"] == "registered"
