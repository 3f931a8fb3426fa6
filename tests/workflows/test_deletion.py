"""A stack of its own, whose endpoint sleeps soon: it wakes for work, and when the stack is deleted nothing runs on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from loop import Loop, running_loop
from served import callbacks, given_model

from local import stack
from tests.support.pictures import pictures

COUNT = 10  # two requests: too few for the backlog alone to wake an endpoint
IDLE_SECONDS = 2


PARAMETERS = {"AcceptPolicy": "fixed", "AcceptThreshold": "0", "HumanBudget": "100", "RetrainMinimum": "1000"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    environment = {"LABELLOOP_IDLE_SECONDS": str(IDLE_SECONDS)}
    with running_loop(tmp_path_factory.mktemp("own"), PARAMETERS, **environment) as loop:
        yield loop


@pytest.mark.fault("C19")
def test_an_endpoint_scaled_to_zero_wakes_for_a_small_batch(own: Loop) -> None:
    with own.settings("RegisterBatch", STARTING_MODEL=given_model(own)):
        first = own.label("first", pictures(COUNT, seed="first"))
    own.assert_sound(first)
    own.eventually(lambda: endpoint(own)["instances"] == 0)
    asleep = endpoint(own)
    assert (asleep["status"], asleep["desired"], asleep["pid"]) == ("InService", 0, None)

    with own.settings("RegisterBatch", SAMPLE_RATE="0", SAMPLE_MINIMUM="0"):
        second = own.label("second", pictures(COUNT, seed="second"))
    own.assert_sound(second)
    assert own.summary(second.batch)["auto"] == COUNT and second.states.count("Infer Shards") == 1
    assert own.summary(second.batch)["rounds"][0]["model_version"] == own.champion()["version"]  # type: ignore[index]


@pytest.mark.fault("I02")
def test_a_deleted_stack_leaves_nothing_running_and_keeps_data_and_models(own: Loop) -> None:
    finished = own.label("finished", pictures(COUNT, seed="finished"))
    own.assert_sound(finished)
    with own.held("training"):
        with own.settings("MergeAnnotations", "PlanTraining", RETRAIN_MINIMUM="1"):
            own.upload("in training", pictures(COUNT, seed="training"), marker={})
            own.reach(own.started("in training"), "Train Challenger")
        own.faults(hold_labeling=True)
        own.upload("at people", pictures(COUNT, seed="people"), marker={})
        waiting = own.started("at people")
        own.reach(waiting, "Request Labels")
        training = [row["execution"] for row in callbacks(own, "training") if row["status"] == "waiting"]
        state = own.control("GET", "state")
        assert [job["status"] for job in state["training_jobs"].values()] == ["InProgress"]
        assert list(state["labeling_jobs"].values())[-1]["status"] in ("Initializing", "InProgress")
        kept = {key: own.get(key) for key in own.keys("")}
        stack.delete(own.server, "labelloop")

        def nothing_runs() -> bool:
            now = own.control("GET", "state")
            jobs = [*now["training_jobs"].values(), *now["labeling_jobs"].values()]
            return not now["endpoints"] and not {job["status"] for job in jobs} & {
                "Initializing",
                "InProgress",
                "Stopping",
            }

        own.eventually(nothing_runs)
        for execution in (waiting, *training):
            told = own.client("stepfunctions").describe_execution(executionArn=execution)
            assert (told["status"], told["error"]) == ("ABORTED", "StackDeleted"), "it would block the machine's name"
        assert training
    state = own.control("GET", "state")
    assert state["scalable_targets"] == [] and state["models"] == []
    assert own.client("sagemaker").list_endpoint_configs()["EndpointConfigs"] == []
    assert own.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert own.client("stepfunctions").list_state_machines()["stateMachines"] == []
    functions = own.client("lambda").list_functions()["Functions"]
    assert functions == []

    assert own.client("s3").head_bucket(Bucket=own.bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert {key: own.get(key) for key in kept} == kept, "not one object changed or went"
    assert own.champion() and any(key.startswith("models/v") for key in kept)
    assert own.ledger(f"batch#{finished.batch}")["status"] == "finished"
    tables = own.client("dynamodb").list_tables()["TableNames"]
    assert {own.outputs["LedgerTableName"], own.outputs["CallbacksTableName"]} <= set(tables)
    own.assert_conserved(finished)


def endpoint(loop: Loop) -> dict[str, Any]:
    (found,) = loop.control("GET", "state")["endpoints"].values()
    return dict(found)
