"""`labelloop watch`: a line for whatever changes, until the batch ends."""

import json
import time

import boto3
import pytest
from commands import deploy, run
from handling import handle, mark, registered, upload
from labelloop.batch import batches as files_of
from labelloop.contracts.layout import Files
from labelloop.contracts.records import Decision
from labelloop.store import callbacks, immutable, ledger
from made_up_stack import SETTINGS

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture
def batch(fake_service) -> tuple[str, str]:
    """A registered batch and the execution that owns it."""
    deploy(fake_service)
    upload(3)
    trigger = mark()
    batch_id = registered(trigger, name="one")["batch"]["id"]
    return batch_id, ledger.owner_of(batch_id)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list:
    """What happens between two looks, in order; then the test would wait for ever."""
    events: list = []

    def next_event(seconds: float) -> None:
        assert events, "nothing ends the batch"
        event = events.pop(0)
        if isinstance(event, BaseException):
            raise event
        event()

    monkeypatch.setattr(time, "sleep", next_event)
    return events


def test_what_changes_is_said_once_until_the_batch_is_labelled(batch, looks, fake_service) -> None:
    batch_id, arn = batch
    counters = {"HumanLabeled": 1, "Unlabeled": 2, "TotalLabeled": 1, "MachineLabeled": 0, "FailedNonRetryableError": 0}
    fake_service("sagemaker", describe_labeling_job={"LabelCounters": counters})

    def ask_people() -> None:
        immutable.create_json(Files(batch_id).round(1), {"round": 1, "model": ""})
        callbacks.mark_started(callbacks.remember("labeling", "job-1", "token", arn, 600), batch=batch_id)
        callbacks.mark_started(callbacks.remember("labeling", "job-2", "token", arn, 600), batch="another")

    def label() -> None:
        references = [image.source_ref for image in files_of.images(batch_id)]
        decided = [Decision(each, "defer", 0.0, (), 1.0, "", 1).to_json() for each in references]
        immutable.create_lines(Files(batch_id).decisions(1), decided)

    looks += [ask_people, lambda: None, label, lambda: ledger.end_batch(batch_id, arn, "finished", rounds_done=1)]
    done = run("watch", batch_id)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("round 1, without a model") == done.stdout.count("job-1 waits for people") == 1
    assert "1 of 3 answered" in done.stdout and "job-2" not in done.stdout
    assert "3 images: 0 human, 0 auto, 0 rejected, 3 deferred" in done.stdout
    assert f"s3://data-bucket/batches/{batch_id}/report.html" in done.stdout and not looks


def test_a_batch_that_failed_gives_its_cause_and_exit_status_1(batch, looks) -> None:
    batch_id, arn = batch
    looks += [lambda: ledger.end_batch(batch_id, arn, "failed", "the disk is full")]
    done = run("watch", batch_id)
    assert done.exit_code == 1 and "failed" in done.stderr and "the disk is full" in done.stderr and arn in done.stderr


def test_a_batch_whose_execution_was_aborted_has_ended(batch, looks) -> None:
    batch_id, arn = batch
    looks += [lambda: boto3.client("stepfunctions").stop_execution(executionArn=arn)]
    done = run("watch", batch_id)
    assert done.exit_code == 1 and "aborted or timed out" in done.stderr


def test_ctrl_c_ends_the_watching_and_not_the_batch(batch, looks) -> None:
    looks += [KeyboardInterrupt()]
    done = run("watch", batch[0])
    assert done.exit_code == 130 and "The batch goes on" in done.stderr and "Traceback" not in done.output
    assert ledger.standing(batch[0]) == "at-work"


def test_without_a_batch_it_is_the_newest_also_one_that_is_not_registered_yet(fake_service, looks) -> None:
    deploy(fake_service)
    upload(2)
    trigger = mark()
    arn = boto3.client("stepfunctions").start_execution(
        stateMachineArn=SETTINGS["LABEL_BATCH_ARN"], name="newest", input=json.dumps(trigger)
    )["executionArn"]

    def register() -> None:
        handle("register_batch", event=trigger, execution=arn)

    def end() -> None:
        (row,) = [each for each in ledger.running_batches() if each[1] == arn]
        ledger.end_batch(row[0], arn, "finished")

    looks += [register, end]
    done = run("watch")
    assert done.exit_code == 0 and "batch week-1-" in done.stdout


def test_without_any_batch_it_says_how_to_start_one(fake_service) -> None:
    deploy(fake_service)
    done = run("watch")
    assert done.exit_code == 2 and "_READY.json" in done.stderr


def test_an_unknown_batch_is_named(fake_service) -> None:
    deploy(fake_service)
    done = run("watch", "no-such-batch")
    assert done.exit_code == 2 and "no-such-batch" in done.stderr


@pytest.mark.parametrize("interval", ["inf", "1e12", "nan", "0", "-1", "soon"])
def test_an_interval_that_nobody_can_wait_for_is_refused(batch, interval: str) -> None:
    done = run("watch", batch[0], f"--interval={interval}")
    assert done.exit_code == 2 and "--interval" in done.stderr and "Traceback" not in done.output
