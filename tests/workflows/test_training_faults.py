"""Trainings that fail, lose, tell nothing or die: the champion serves on, the batch completes, the lock is free."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from definitions import defined, of_0_1, of_today
from forgetting import forget
from loop import Loop
from served import archive, callbacks, given_model, serving, without

from tests.support.pictures import pictures

COUNT = 16


@pytest.fixture(scope="module")
def served(deployed: Loop) -> Iterator[Loop]:
    """A perfect champion. Here every image is sampled, so its role follows from its content, and people label all."""
    with (
        serving(deployed) as loop,
        loop.settings("RegisterBatch", STARTING_MODEL=given_model(loop), SAMPLE_RATE="1"),
        loop.settings("MergeAnnotations", "PlanTraining", RETRAIN_MINIMUM="1"),
    ):
        first = loop.label("adopts", pictures(1))
        loop.assert_sound(first)
        yield loop


@pytest.fixture
def loop(served: Loop) -> Iterator[Loop]:
    before = served.champion()
    assert before is not None
    yield served
    served.faults()
    after = served.champion()
    assert after is not None and after["version"] == before["version"], "no test here makes a better model"


@pytest.mark.fault("H12")
@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("PromoteModelFunctionRole", "application-autoscaling:PutScalingPolicy"),
        ("PromoteModelFunctionRole", "s3:PutObject"),
    ],
)
def test_an_endpoint_that_cannot_be_scaled_or_promoted_does_not_run_on(deployed: Loop, role: str, action: str) -> None:
    """Nobody would ever ask it, and nothing else would scale it to zero."""
    drawn = pictures(24, seed="unpromoted")
    with without(deployed, role, action):
        run = deployed.label(deployed.well_mixed(action, drawn), drawn)
    deployed.assert_sound(run)
    trained = [training for training in run.trainings if "Deploy Model" in training.states]
    assert trained and all(training.status == "FAILED" and action in training.cause for training in trained)
    assert deployed.champion() is None
    assert deployed.summary(run.batch)["auto"] == 0, "people label what no model may"
    state = deployed.control("GET", "state")
    deployed.eventually(lambda: not deployed.control("GET", "state")["endpoints"])
    assert state["scalable_targets"] == [] and state["models"] == []
    assert_lock_is_free(deployed)
    forget(deployed)


@pytest.mark.fault("H04")
def test_a_failed_training_job_is_named_in_its_execution_and_the_old_model_serves(loop: Loop) -> None:
    champion = loop.champion()
    loop.faults(fail_training=["CUDA out of memory, ü"])
    run = loop.label("failing", pictures(COUNT, seed="failing"))
    loop.assert_sound(run)
    (training,) = run.trainings
    assert (training.status, training.error) == ("FAILED", "TrainingJobFailed")
    assert "CUDA out of memory" in training.cause
    assert run.states[-4:] == ("Report Batch", "Train For Next Batch?", "Start Training", "Batch Labeled")
    assert loop.champion() == champion
    assert_lock_is_free(loop)


@pytest.mark.fault("H06")
def test_a_training_job_out_of_time_is_stopped_and_the_old_model_serves(loop: Loop) -> None:
    champion = loop.champion()
    with loop.held("training"), loop.settings("RegisterBatch", TRAINING_TIMEOUT_SECONDS="4"):
        run = loop.label("endless", pictures(COUNT, seed="endless"))
    loop.assert_sound(run)
    (training,) = run.trainings
    assert training.status == "FAILED"
    assert training.error == "States.Timeout" or "longer than TrainingTimeoutSeconds" in training.cause, (
        "the state's own time and SageMaker's limit on the job end in the same second; either stops the job"
    )
    assert list(training_jobs(loop).values())[-1] in ("Stopping", "Stopped")
    assert loop.champion() == champion
    assert_lock_is_free(loop)


@pytest.mark.fault("H06")
@pytest.mark.parametrize("version", [of_today, of_0_1])
def test_a_state_out_of_time_stops_its_training_job_which_had_time_left(
    loop: Loop, version: Callable[[Loop, str], str]
) -> None:
    """0.1.0 called a function for it that is gone: its machine catches that, and goes on to the one that stops it."""
    definition = json.loads(version(loop, "train_model"))
    training_state = definition["States"]["Train Challenger"]
    del training_state["TimeoutSecondsPath"]
    training_state["TimeoutSeconds"] = 4
    prefix = f"impatient {version.__name__}"
    with loop.held("training"), defined(loop, "train_model", json.dumps(definition)):
        run = loop.label(prefix, pictures(COUNT, seed=prefix))
    loop.assert_sound(run)
    (training,) = run.trainings
    recorded = "Record Training Failure" if version is of_0_1 else "Record Failure"
    assert training.status == "FAILED" and training.states[-2:] == (recorded, "Training Failed")
    assert ("Stop Training" in training.states) == (version is of_0_1)
    assert list(training_jobs(loop).values())[-1] in ("Stopping", "Stopped")
    assert all(row["status"] == "delivered" for row in callbacks(loop, "training"))
    assert_lock_is_free(loop)


def test_a_worse_challenger_is_not_promoted_and_the_champion_is_recalibrated(loop: Loop) -> None:
    before = loop.champion()
    run = loop.label("worse", pictures(COUNT, seed="worse"))
    loop.assert_sound(run)
    (training,) = run.trainings
    assert training.states[-3:] == ("Better?", "Fit Thresholds Of Champion", "Champion Kept")
    comparison = training.output["comparison"]
    assert comparison["better"] is False and "is not shown to be better than the champion" in comparison["reason"]
    champion = loop.champion()
    assert before and champion and champion == {**before, "thresholds_uri": champion["thresholds_uri"]}
    assert champion["thresholds_uri"] != before["thresholds_uri"]
    thresholds = loop.json(champion["thresholds_uri"].removeprefix(f"s3://{loop.bucket}/"))
    assert thresholds["model"] == champion["version"] and thresholds["images"] >= 2
    assert thresholds["dataset"] == run.output["progress"]["dataset_version"]
    assert (thresholds["policy"], thresholds["accept"]) == ("fixed", 0.0) and thresholds["mean_quality"] > 0.9
    assert not loop.keys(f"models/{comparison['model_version']}/"), "a challenger that lost is no version"
    assert_lock_is_free(loop)
    labels = int(loop.ledger("training#last")["labels"])
    assert labels == training.output["dataset"]["train"], "the same labels do not train again"


@pytest.mark.parametrize(
    ("what", "files", "said"),
    [
        ("no metrics", {"scores/challenger-judge.jsonl": ""}, "holds no metrics.json"),
        ("not a number", {"metrics.json": '{"judge": {"challenger": {"map50": NaN}}}'}, "no usable mAP50"),
        ("nothing", {"other.txt": ""}, "holds no metrics.json"),
    ],
)
def test_a_training_that_measured_nothing_changes_nothing(
    loop: Loop, what: str, files: dict[str, str], said: str
) -> None:
    """The event of the job is lost, too; before the reconciler looks, somebody has replaced its results."""
    before = loop.champion()
    loop.faults(drop_events=["SageMaker Training Job State Change"])
    prefix = f"measured {what}"
    loop.upload(prefix, pictures(COUNT, seed=prefix), marker={})
    arn = loop.started(prefix)
    loop.reach(arn, "Train Challenger")
    job = loop.eventually(lambda: [row for row in callbacks(loop, "training") if row["status"] == "waiting"])[0]
    name = job["id"].partition("#")[2]
    loop.eventually(lambda: training_jobs(loop).get(name) == "Completed", 120)
    assert [each.status for each in loop.run(arn).trainings] == ["RUNNING"]
    loop.put(f"training/{name}/output/output.tar.gz", archive(files))
    loop.eventually(lambda: loop.invoke("Reconcile")["answered"])
    run = loop.wait(arn)

    loop.assert_sound(run)
    (training,) = run.trainings
    told = training.cause or training.output["comparison"]["reason"]
    assert said in told and training.states[-1] in ("Training Failed", "Champion Kept")
    now = loop.champion()
    assert before and now and now["endpoint"] == before["endpoint"] and now["version"] == before["version"]
    assert_lock_is_free(loop)


def test_the_lock_of_an_execution_that_died_is_taken_over(loop: Loop) -> None:
    """It died so suddenly that nothing recorded its end: its lease would hold for days."""
    dead = loop.client("stepfunctions").start_execution(
        stateMachineArn=loop.outputs["TrainModelArn"], input=json.dumps({"batch_id": "nobody", "round": 1})
    )["executionArn"]
    loop.client("stepfunctions").stop_execution(executionArn=dead)
    fence = int(loop.ledger("lock#training").get("fence", 0)) + 1
    hold_lock(loop, dead, fence)
    run = loop.label("heir", pictures(COUNT, seed="heir"))
    loop.assert_sound(run)
    (training,) = run.trainings
    assert training.output["plan"]["fence"] == fence + 1 and "Wait For Lock" not in training.states
    assert_lock_is_free(loop)


def hold_lock(loop: Loop, owner: str, fence: int) -> None:
    lease = int(time.time()) + 7 * 24 * 3600
    row = {"id": {"S": "lock#training"}, "owner": {"S": owner}, "fence": {"N": str(fence)}}
    loop.client("dynamodb").put_item(
        TableName=loop.outputs["LedgerTableName"], Item={**row, "lease_until": {"N": str(lease)}}
    )


def assert_lock_is_free(loop: Loop) -> None:
    loop.eventually(lambda: loop.ledger("lock#training")["owner"] == "")


def training_jobs(loop: Loop) -> dict[str, Any]:
    """Status by name, oldest first."""
    return {name: job["status"] for name, job in loop.control("GET", "state")["training_jobs"].items()}
