"""Functions that raise and roles that lack a permission: the execution says which, nothing hangs, no image is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from loop import Loop
from served import callbacks, failed_children, serving, without

from tests.support.pictures import pictures

COUNT = 3


@pytest.fixture(scope="module")
def served(deployed: Loop) -> Iterator[Loop]:
    with serving(deployed) as loop:
        yield loop


@pytest.fixture
def loop(served: Loop) -> Iterator[Loop]:
    yield served
    served.faults()


def test_a_function_that_raises_ends_the_execution_with_its_error_and_message(loop: Loop) -> None:
    with loop.variables("JudgeBatch", SETTINGS_SHA256="0" * 64):
        run = loop.label("raising", pictures(COUNT, seed="raising"))
    assert (run.status, run.error) == ("FAILED", "MissingSettingError")
    told = json.loads(run.cause)
    assert (
        told["errorType"] == "MissingSettingError"
        and "cannot be read (NoSuchKey): restore the object" in told["errorMessage"]
    )
    assert run.states[-3:] == ("Judge Batch", "Record Failure", "Batch Failed")
    row = loop.ledger(f"batch#{run.batch}")
    assert row["status"] == "failed" and "restore the object" in row["cause"]
    assert "errorMessage" not in row["cause"], "people read a sentence, not JSON"

    again = loop.wait(loop.start("raising"))
    loop.assert_sound(again)
    assert again.batch == run.batch and loop.summary(run.batch)["images"] == COUNT


def test_a_machine_that_may_not_invoke_functions_says_so_and_goes_on_when_it_may(loop: Loop) -> None:
    with without(loop, "LabelBatchStateMachineRole", "lambda:InvokeFunction"):
        run = loop.label("not invoked", pictures(COUNT, seed="machine"))
    assert run.status == "FAILED" and "lambda:InvokeFunction" in run.cause
    assert run.states == ("Register Batch", "Record Failure", "Batch Failed")
    assert not loop.keys(f"batches/{loop.batch_id('not invoked')}/")
    again = loop.wait(loop.start("not invoked"))
    loop.assert_sound(again)


def test_requests_that_are_denied_fail_visibly_and_their_images_wait(loop: Loop) -> None:
    with without(loop, "RequestInferenceFunctionRole", "sagemaker:InvokeEndpointAsync"):
        run = loop.label("denied", pictures(COUNT, seed="denied"))
    assert run.status == "SUCCEEDED", run.cause
    lost = failed_children(loop, run)
    assert len(lost) == 1 + COUNT, "the shard, and each image alone: nothing was answered, so nobody asks again"
    assert run.states.count("Infer Shards") == 1 + 1
    assert all("sagemaker:InvokeEndpointAsync" in child["cause"] for child in lost)
    assert all("AccessDenied" in child["cause"] for child in lost)
    loop.assert_conserved(run)
    assert loop.summary(run.batch)["deferred"] == COUNT and "Request Labels" not in run.states
    assert all(each["reasons"][-1] == "inference-gave-nothing" for each in loop.decisions(run.batch, 1))


def test_an_answer_that_may_not_be_sent_is_sent_by_the_reconciler(loop: Loop) -> None:
    with without(loop, "CompleteWorkFunctionRole", "states:SendTaskSuccess"):
        loop.upload("not answered", pictures(COUNT, seed="answer"), marker={})
        arn = loop.started("not answered")
        batch = loop.batch_id("not answered")
        (row,) = loop.eventually(lambda: [row for row in callbacks(loop, "inference") if row["status"] == "recorded"])
        assert json.loads(row["outcome"])["output"]["output_uri"].startswith(f"s3://{loop.bucket}/batches/{batch}/")
        assert loop.reach(arn, "Infer Shards").status == "RUNNING"
        assert loop.invoke("Reconcile")["answered"] == 1
    loop.eventually(lambda: loop.invoke("Reconcile") and "Merge Annotations" in loop.run(arn).states)
    run = loop.wait(arn)
    loop.assert_sound(run)
    assert "sagemaker" not in run.cause and loop.summary(run.batch)["deferred"] == 0


def test_a_labelling_job_that_may_not_be_made_ends_the_execution_with_the_action(loop: Loop) -> None:
    with without(loop, "RequestLabelsFunctionRole", "sagemaker:CreateLabelingJob"), all_to_people(loop):
        run = loop.label("no job", pictures(COUNT, seed="job"))
        assert run.status == "FAILED" and "sagemaker:CreateLabelingJob" in run.cause
        assert run.states[-3:] == ("Request Labels", "Record Failure", "Batch Failed")
        assert not [row for row in callbacks(loop, "labeling") if run.batch in row["id"]], "nobody waits for it"
    with all_to_people(loop):
        again = loop.wait(loop.start("no job"))
    loop.assert_sound(again)
    assert loop.summary(again.batch)["human"] == COUNT


@contextlib.contextmanager
def all_to_people(loop: Loop) -> Iterator[None]:
    with loop.settings("JudgeBatch", "ReportBatch", ACCEPT_THRESHOLD="1.1"):
        yield
