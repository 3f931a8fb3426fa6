"""Notices that come too often, too early, too late or never, and requests that fail: no image is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from labelloop.batch import batches
from labelloop.contracts import naming
from loop import Loop, Run
from served import callbacks, failed_children, physical_id, serving

from tests.support.pictures import Picture, picture, pictures

COUNT = 10  # two shards


@pytest.fixture(scope="module")
def served(deployed: Loop) -> Iterator[Loop]:
    """Batches of this module share one model and one endpoint, and nothing is sampled; each has its own prefix."""
    with serving(deployed) as loop, loop.settings("RegisterBatch", SAMPLE_RATE="0", SAMPLE_MINIMUM="0"):
        yield loop


@pytest.fixture
def loop(served: Loop) -> Iterator[Loop]:
    yield served
    served.faults()


@pytest.mark.fault("C06")
def test_a_success_notice_delivered_five_times_is_answered_once(loop: Loop) -> None:
    loop.faults(duplicate_success_notices=5)
    run = loop.label("five notices", pictures(COUNT, seed="five"))
    loop.assert_sound(run)
    assert_predicted(loop, run, COUNT)
    loop.eventually(lambda: waiting_notices(loop) == 0)
    answered = [
        [event["type"] for event in loop.history(child["executionArn"])].count("TaskSucceeded")
        for child in loop.map_children(run.arn)
    ]
    assert set(answered) == {1} and {row["status"] for row in callbacks(loop, "inference")} == {"delivered"}
    assert dead_letters(loop) == 0


@pytest.mark.fault("C08")
def test_a_notice_that_comes_before_its_token_row_comes_again_until_the_row_is_there(loop: Loop) -> None:
    """The endpoint's own notices are dropped: only the one that came too early can answer."""
    drawn = pictures(3, seed="early")
    with redelivered_after(loop, seconds=1):
        loop.upload("early notice", drawn)
        shard = batches.shard_name(
            "infer-1", [request_of(loop, f"incoming/early notice/{each.name}") for each in drawn]
        )
        early = naming.inference_id(loop.batch_id("early notice"), 1, shard, 0, 0)
        loop.faults(drop_success_notices=100)
        announce(loop, {"inferenceId": early, "invocationStatus": "Completed", "eventName": "InferenceResult"})
        loop.eventually(lambda: received_again(loop) > 0)
        loop.mark("early notice", {})
        run = loop.wait("early notice")
    loop.assert_sound(run)
    assert_predicted(loop, run, 3)
    assert dead_letters(loop) == 0


def request_of(loop: Loop, key: str) -> dict[str, str]:
    version = loop.client("s3").head_object(Bucket=loop.bucket, Key=key)["VersionId"]
    return {"source-ref": f"s3://{loop.bucket}/{key}", "version-id": version}


@pytest.mark.fault("C02")
def test_without_any_notice_the_reconciler_finds_the_output(loop: Loop) -> None:
    loop.faults(drop_success_notices=100)
    loop.upload("no notice", pictures(COUNT, seed="none"), marker={})
    arn = loop.started("no notice")
    batch = loop.batch_id("no notice")
    loop.eventually(lambda: len(loop.keys(f"batches/{batch}/predictions/1/")) == 2, 120)
    assert loop.reach(arn, "Infer Shards").status == "RUNNING"
    loop.eventually(lambda: all("output_uri" in row["details"] for row in callbacks(loop, "inference")))
    assert loop.invoke("Reconcile")["answered"] == 2
    run = loop.wait(arn)
    loop.assert_sound(run)
    assert_predicted(loop, run, COUNT)


@pytest.mark.fault("C05")
def test_a_notice_after_the_timeout_changes_nothing(loop: Loop) -> None:
    """The state gave up waiting, the output was found in the bucket all the same; then the notice comes."""
    loop.faults(drop_success_notices=100)
    # The token's timeout: 20 seconds, in which even a busy machine writes the output of three images.
    with loop.settings("RegisterBatch", INFERENCE_QUEUE_SECONDS="-220"):
        run = loop.label("late notice", pictures(3, seed="late"))
    assert run.status == "SUCCEEDED", run.cause
    assert [child.get("error") for child in failed_children(loop, run)] == ["States.Timeout"]
    loop.assert_conserved(run)
    assert_predicted(loop, run, 3)
    assert run.states.count("Infer Shards") == 1, "no image was asked for alone"

    before = loop.get(f"batches/{run.batch}/annotations.manifest"), loop.dataset()
    (late,) = notices(loop, run)
    assert late["copies"] == 0
    announce(loop, late["message"])
    loop.eventually(lambda: {row["status"] for row in callbacks(loop, "inference")} == {"delivered"})
    loop.eventually(lambda: waiting_notices(loop) == 0)
    assert dead_letters(loop) == 0
    assert (loop.get(f"batches/{run.batch}/annotations.manifest"), loop.dataset()) == before
    loop.assert_conserved(run)


@pytest.mark.fault("C01")
def test_a_failed_request_is_made_again(loop: Loop) -> None:
    loop.faults(invocation_failures=1)
    run = loop.label("failed once", pictures(3, seed="once"))
    loop.assert_sound(run)
    assert_predicted(loop, run, 3)
    assert run.states.count("Infer Shards") == 1, "no image was asked for alone"
    failed, made_again = notices(loop, run)
    assert (failed["topic"], made_again["topic"]) == ("ErrorTopic", "SuccessTopic")
    assert "Received server error (500)" in failed["message"]["failureReason"]


@pytest.mark.fault("C01")
def test_a_shard_that_failed_twice_is_asked_for_image_by_image(loop: Loop) -> None:
    loop.faults(invocation_failures=2)
    run = loop.label("failed twice", pictures(5, seed="twice"))
    assert run.status == "SUCCEEDED", run.cause
    (lost,) = failed_children(loop, run)
    assert lost["error"] == "TransientError" and "the endpoint could not answer" in lost["cause"]
    loop.assert_conserved(run)
    assert run.states.count("Infer Shards") == 1 + 1
    assert_predicted(loop, run, 5)


@pytest.mark.fault("C21")
def test_an_image_that_kills_the_worker_costs_one_image(loop: Loop) -> None:
    drawn = [*pictures(COUNT, seed="healthy"), poison("poison.png")]
    run = loop.label("poisoned", drawn)
    assert run.status == "SUCCEEDED", run.cause
    loop.assert_conserved(run)
    outcomes = loop.outcomes(run.batch)
    assert outcomes.pop("incoming/poisoned/poison.png") == ["human"], "people look at what the model cannot"
    assert set(map(tuple, outcomes.values())) == {("auto",)} and len(outcomes) == COUNT
    assert_predicted(loop, run, COUNT)
    (decided,) = [each for each in loop.decisions(run.batch, 1) if each["decision"] == "human"]
    assert decided["reasons"] == ["no-prediction"] and decided["score"] is None
    assert run.states.count("Infer Shards") == 1 + 2
    lost = failed_children(loop, run)
    assert len(lost) == 3, "its shard, and the image alone, twice"
    assert all("Received server error (500)" in child["cause"] for child in lost)


def poison(name: str) -> Picture:
    return picture("poison", 0, name, poison=True)


def assert_predicted(loop: Loop, run: Run, count: int) -> None:
    """So many images have exactly one usable prediction, and that is their label."""
    seen: dict[str, dict[str, Any]] = {}
    for key in loop.keys(f"batches/{run.batch}/predictions/1/"):
        for line in loop.lines(key):
            assert line["source-ref"] not in seen and line["status"] == "ok"
            seen[line["source-ref"]] = line
    assert len(seen) == count
    labelled = {line["source-ref"]: line for line in loop.manifest(run.batch)}
    for reference, prediction in seen.items():
        assert labelled[reference]["boxes-metadata"]["human-annotated"] == "no"
        drawn = labelled[reference]["boxes"]["annotations"]
        assert [box["left"] for box in prediction["boxes"]] == [box["left"] for box in drawn]


def announce(loop: Loop, message: dict[str, Any]) -> None:
    topic = physical_id(loop, "InferenceSuccessTopic")
    loop.client("sns").publish(TopicArn=topic, Message=json.dumps(message))


def notices(loop: Loop, run: Run) -> list[dict[str, Any]]:
    """What the endpoint told, or would have told, about requests of this batch."""
    told = loop.control("GET", "state")["notices"]
    return [notice for notice in told if f"/{run.batch}/" in json.dumps(notice["message"])]


def queue(loop: Loop, logical_id: str = "InferenceNotices") -> tuple[str, dict[str, str]]:
    url = physical_id(loop, logical_id)
    told = loop.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return url, told["Attributes"]


def waiting_notices(loop: Loop) -> int:
    _, told = queue(loop)
    return int(told["ApproximateNumberOfMessages"]) + int(told["ApproximateNumberOfMessagesNotVisible"])


def received_again(loop: Loop) -> int:
    """Messages that the function has taken and given back."""
    return int(queue(loop)[1]["ApproximateNumberOfMessagesNotVisible"])


def dead_letters(loop: Loop) -> int:
    return int(queue(loop, "InferenceDeadLetters")[1]["ApproximateNumberOfMessages"])


@contextlib.contextmanager
def redelivered_after(loop: Loop, seconds: int) -> Iterator[None]:
    """A message that failed comes again so soon, and is not given up while a busy machine starts the batch."""
    sqs = loop.client("sqs")
    url, told = queue(loop)
    patient = json.dumps({**json.loads(told["RedrivePolicy"]), "maxReceiveCount": 1000})
    before = {name: told[name] for name in ("VisibilityTimeout", "RedrivePolicy")}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds), "RedrivePolicy": patient})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
