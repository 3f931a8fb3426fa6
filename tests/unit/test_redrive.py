"""Redriven executions: one owner of a batch at a time, and an end that is told once."""

from pathlib import Path

import pytest
from batch_rounds import run_round
from given_up import aborted_event, pinned, registered_objects
from handling import execution, handle, mark, registered, stop, upload
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import aws, callbacks, ledger, storage, training_lock

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.fixture
def redriven(monkeypatch):
    """`redriven(arn)`: the console's Redrive made this execution run again."""
    again: dict[str, int] = {}
    real = aws.client

    def redrive(arn: str) -> None:
        again[arn] = again.get(arn, 0) + 1

    class States:
        def __getattr__(self, name):
            return getattr(real("stepfunctions"), name)

        def describe_execution(self, executionArn):
            told = real("stepfunctions").describe_execution(executionArn=executionArn)
            count = again.get(executionArn, 0)
            return {**told, "redriveCount": count, **({"status": "RUNNING"} if count else {})}

    monkeypatch.setattr(aws, "client", lambda service: States() if service == "stepfunctions" else real(service))
    return redrive


@pytest.mark.fault("D12")
def test_a_redriven_execution_keeps_its_batch_and_finishes_it(redriven) -> None:
    upload(3)
    trigger = pinned(mark())
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    stop(owner)
    handle("record_failure", detail=aborted_event(owner, trigger))
    assert ledger.batch(batch)["status"] == "failed"
    redriven(owner)
    second = handle("register_batch", event=trigger, execution=execution("second"))
    assert second["status"] == "already-owned", "the redriven execution works on it"
    assert registered_objects(mark(), "third") == 0, "a new marker leaves it its images, too"
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=owner)
    row = ledger.batch(batch)
    assert (row["status"], int(row["rounds_done"])) == ("finished", 1)
    assert handle("register_batch", event=trigger, execution=execution("fourth"))["status"] == "already-labeled"


def test_an_event_that_comes_after_the_redrive_stops_nothing(redriven) -> None:
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    stop(owner)
    redriven(owner)
    handle("record_failure", detail=aborted_event(owner, trigger))
    assert ledger.batch(batch)["status"] == "running"


def test_a_second_failure_after_a_redrive_is_told_and_none_is_told_twice(redriven, fake_service) -> None:
    notices = fake_service("sns")
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)

    def fail(why: str) -> None:
        handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": why})

    fail("first")
    fail("first")
    redriven(owner)
    fail("second")
    fail("second")
    told = [request["Message"] for request in notices.requests_of("publish")]
    assert [message.splitlines()[0] for message in told] == ["X: first", "X: second"]
    assert ledger.batch(batch)["cause"] == "X: second"


@pytest.mark.fault("D13")
def test_a_finished_batch_that_is_redriven_or_started_again_stays_as_it_is() -> None:
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=owner)
    before = {key: storage.read(key) for key in storage.keys("") if not key.endswith("summary.json")}
    assert handle("register_batch", event=trigger, execution=execution("again"))["status"] == "already-labeled"
    handle("report_batch", batch_id=batch, execution=owner)
    handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": "late"})
    after = {key: storage.read(key) for key in storage.keys("") if not key.endswith("summary.json")}
    assert after == before and ledger.batch(batch)["status"] == "finished"


def test_an_execution_that_step_functions_does_not_know_yet_is_not_dead(monkeypatch) -> None:
    upload(2)
    trigger = mark()
    one = execution("one").replace(":one", ":just-started")  # nobody has heard of it
    batch = handle("register_batch", event=trigger, execution=one)["batch"]["id"]
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-owned"
    fence = training_lock.take(one, 600)
    assert fence and training_lock.take(execution("three"), 600) is None and training_lock.training_runs()
    now = ledger.time.time()
    monkeypatch.setattr(ledger.time, "time", lambda: now + 3600 - 3000 + 300)
    assert handle("register_batch", event=trigger, execution=execution("four"))["status"] == "registered"
    assert ledger.owner_of(batch).endswith(":four")


# --- an execution that is redriven after its batch was taken over


def asked(batch: str, owner: str) -> dict:
    """The first round, up to the state that asks people."""
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1, execution=owner)
    return {"batch_id": batch, "round": 1, "job": 1, "timeout_seconds": 600}


@pytest.mark.parametrize("how", ["started again", "marked again"])
def test_a_redriven_execution_whose_batch_was_taken_over_takes_nobodys_work(fake_service, how) -> None:
    sagemaker = fake_service("sagemaker")
    upload(3)
    early = pinned(mark())
    batch = registered(early)["batch"]["id"]
    one = ledger.owner_of(batch)
    given = asked(batch, one)
    handle("request_labels", **given, task_token="first", execution=one)
    stop(one)
    handle("record_failure", detail=aborted_event(one, early))
    if how == "started again":
        registered(early, "two")
        handle("request_labels", **given, task_token="second", execution=ledger.owner_of(batch))
    else:
        registered(pinned(mark()), "two")
    asked_before = len(sagemaker.requests_of("create_labeling_job"))
    redriven = (
        lambda: handle("judge_batch", batch_id=batch, round=1, execution=one),
        lambda: handle("request_labels", **given, task_token="redriven", execution=one),
        lambda: handle("merge_annotations", batch_id=batch, round=1, execution=one),
    )
    for work in redriven:
        with pytest.raises(Exception, match=r"taken over by|was given up"):
            work()
    (waiting,) = callbacks.open_callbacks()
    assert waiting.token == {"started again": "second", "marked again": "first"}[how]
    assert len(sagemaker.requests_of("create_labeling_job")) == asked_before
    handle("record_failure", execution=one, input=early, error={"Error": "NotTheOwnerError", "Cause": "x"})
    row = ledger.batch(batch)
    assert row["status"] == {"started again": "running", "marked again": "superseded"}[how]


def test_people_are_not_kept_at_work_for_a_batch_whose_images_a_later_marker_took_over(fake_service) -> None:
    working = {"LabelingJobStatus": "InProgress"}
    sagemaker = fake_service("sagemaker", describe_labeling_job=working, list_endpoints={"Endpoints": []})
    upload(3)
    early = pinned(mark())
    batch = registered(early)["batch"]["id"]
    one = ledger.owner_of(batch)
    handle("request_labels", **asked(batch, one), task_token="t", execution=one)
    stop(one)
    handle("record_failure", detail=aborted_event(one, early))
    handle("reconcile")
    assert sagemaker.requests_of("stop_labeling_job") == [], "a restart takes the job over"
    registered(pinned(mark()), "two")
    handle("reconcile")
    (job,) = jobs.of_round(Files(batch), 1)
    assert sagemaker.requests_of("stop_labeling_job") == [{"LabelingJobName": job.name}]
    assert list(callbacks.open_callbacks()) == []
