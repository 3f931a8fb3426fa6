"""An endpoint that does not answer costs hours, not weeks; its images wait for it, and people are not asked instead."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from batch_rounds import asked_in, merge, refs
from fake_service import refused
from handling import MODEL, crown, execution, handle, mark, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from outside_work import EXECUTION

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")
FOUR_HOURS = 4 * 3600


class Loader(yaml.SafeLoader):
    """The template's short forms are of no interest here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)


def begun(batch: str, number: int) -> dict:
    return dict(handle("begin_round", batch_id=batch, round=number))


def look(batch: str, number: int, until: float | None = None, attempt: int = 0) -> dict:
    given = {"batch_id": batch, "round": number, "attempt": attempt, "until": int(until or time.time() + 600)}
    return dict(handle("find_missing_predictions", **given))


def judge(batch: str, number: int) -> dict[str, tuple[str, tuple[str, ...]]]:
    handle("judge_batch", batch_id=batch, round=number)
    return {each.source_ref: (each.decision, each.reasons) for each in batches.round_decisions(batch, number)}


def asked_of_the_model(state: dict) -> list[str]:
    shards = storage.read_lines(state["requests_key"]) if state["requests_key"] else []
    return [line["source-ref"] for each in shards for line in storage.read_lines(storage.own_key(each["uri"]))]


def waits(decided: dict, references: Iterable[str]) -> bool:
    return all(decided[ref][0] == "deferred" and decided[ref][1][-1] == "inference-gave-nothing" for ref in references)


@pytest.fixture
def served() -> str:
    upload(6)
    batch = str(registered()["batch"]["id"])
    crown(threshold=0.5)
    return batch


@loop
@pytest.mark.fault("C04", "C17")
def test_after_a_round_without_any_answer_the_model_is_asked_again_and_nobody_was_asked_instead(served) -> None:
    assert begun(served, 1)["infer"] and look(served, 1)["count"] == 0
    decided = judge(served, 1)
    assert waits(decided, refs(served)), decided
    assert asked_in(served, 1) == []
    merged = merge(served, 1)
    assert (merged["deferred"], merged["another_round"]) == (6, False), "the batch ends, and can be resumed"
    handle("report_batch", batch_id=served, execution=ledger.owner_of(served))
    (row,) = storage.read_json(f"{Files(served).root}/summary.json")["rounds"]
    assert "no prediction for 6 of 6 images" in row["outage"]
    assert "no prediction for 6 of 6 images" in storage.read(f"{Files(served).root}/report.html").decode()
    again = begun(served, 2)
    assert again["infer"] and asked_of_the_model(again) == refs(served)


@loop
def test_an_endpoint_that_dies_midway_is_asked_later_for_exactly_what_it_owes(served) -> None:
    begun(served, 1)
    first, rest = refs(served)[:2], refs(served)[2:]
    predict(served, 1, dict.fromkeys(first, 0.9))
    for attempt in (0, 1):
        assert look(served, 1, attempt=attempt)["count"] == 4
    assert look(served, 1, attempt=2)["count"] == 0, "nobody answered, the control neither"
    decided = judge(served, 1)
    assert waits(decided, rest) and {decided[ref][0] for ref in first} <= {"auto", "human"}
    again = begun(served, 2)
    assert asked_of_the_model(again) == rest


@loop
def test_an_image_that_kills_the_model_alone_goes_to_people(served) -> None:
    begun(served, 1)
    *healthy, poison = refs(served)
    predict(served, 1, dict.fromkeys(healthy, 0.9))
    until = time.time() + 600
    for attempt in (0, 1):
        assert look(served, 1, until, attempt)["count"] == 1
    storage.write(f"{Files(served).control(1)}{batches.control_shard(1, int(until))}-20.jsonl", b"{}\n")
    assert look(served, 1, until, 2)["count"] == 0
    decision, reasons = judge(served, 1)[poison]
    assert decision == "human" and reasons[-1] == "no-prediction"
    merge(served, 1)
    assert not begun(served, 2)["infer"], "it would kill the model again"


@loop
def test_a_round_that_is_started_again_does_not_ask_for_what_killed_the_model(served) -> None:
    begun(served, 1)
    *healthy, poison = refs(served)
    predict(served, 1, dict.fromkeys(healthy, 0.9))
    until = time.time() + 600
    storage.write(f"{Files(served).control(1)}{batches.control_shard(1, int(until))}-20.jsonl", b"{}\n")
    assert look(served, 1, until, 2)["count"] == 0
    assert not begun(served, 1)["infer"], "the execution was aborted, and the batch is started again"
    assert judge(served, 1)[poison][1][-1] == "no-prediction"
    assert batches.poison(served, MODEL, 1) == {poison}


@loop
def test_a_restart_in_the_first_round_tells_an_image_that_kills_the_model_from_an_outage(served) -> None:
    begun(served, 1)
    *healthy, poison = refs(served)
    predict(served, 1, dict.fromkeys(healthy, 0.9))
    state, until = begun(served, 1), time.time() + 600
    assert asked_of_the_model(state) == [poison], "the execution died, and this one begins again"
    assert look(served, 1, until)["count"] == 1
    _, control = storage.read_lines(look(served, 1, until, 1)["requests_key"])
    assert control["shard"] == batches.control_shard(1, int(until))
    storage.write(f"{Files(served).control(1)}{control['shard']}-20.jsonl", b"{}\n")
    assert look(served, 1, until, 2)["count"] == 0
    assert judge(served, 1)[poison][1][-1] == "no-prediction"


@loop
def test_the_last_image_that_a_later_round_asks_for_is_told_from_an_outage_too(served) -> None:
    begun(served, 1)
    *healthy, late = refs(served)
    predict(served, 1, dict.fromkeys(healthy, 0.9))
    look(served, 1, until=time.time() - 1)
    assert waits(judge(served, 1), [late])
    merge(served, 1)
    assert asked_of_the_model(begun(served, 2)) == [late]
    until = time.time() + 600
    for attempt in (0, 1):
        assert look(served, 2, until, attempt)["count"] == 1
    storage.write(f"{Files(served).control(2)}{batches.control_shard(2, int(until))}-20.jsonl", b"{}\n")
    assert look(served, 2, until, 2)["count"] == 0
    assert judge(served, 2)[late][1][-1] == "no-prediction"


@loop
def test_when_time_is_up_nothing_more_is_asked(served, runtime) -> None:
    begun(served, 1)
    predict(served, 1, dict.fromkeys(refs(served)[:3], 0.9))
    assert look(served, 1, until=time.time() - 1)["count"] == 0
    given = {"batch_id": served, "round": 1, "endpoint": "labelloop-v1", "shard": "infer-1-00000", "attempt": 0}
    more = {"retry": 0, "task_token": "t", "execution": EXECUTION, "timeout_seconds": 600, "until": time.time() - 1}
    try:
        handle("request_inference", requests_uri=storage.uri("x"), **given, **more)
        error = ""
    except Exception as raised:
        error = type(raised).__name__
    assert (error, runtime.calls) == ("InferenceOverdueError", [])
    named = [name for rung in request_inference_state()["Retry"] for name in rung["ErrorEquals"]]
    assert "InferenceOverdueError" not in named and "States.ALL" not in named


def request_inference_state() -> dict:
    machine = json.loads((ROOT / "statemachines" / "label_batch.asl.json").read_text())
    return dict(machine["States"]["Infer Shards"]["ItemProcessor"]["States"]["Request Inference"])


@loop
@pytest.mark.fault("C17")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"EndpointStatus": "Failed", "FailureReason": "no capacity"}, "is Failed (no capacity)"),
        ({"EndpointStatus": "Creating"}, "is Creating"),
        ({"EndpointStatus": "OutOfService"}, "is OutOfService"),
        ({"EndpointStatus": "Deleting"}, "is Deleting"),
        (refused("ValidationException", 'Could not find endpoint "labelloop-v000001"'), "does not exist"),
    ],
)
def test_an_endpoint_that_cannot_answer_is_told_before_anything_is_asked(served, fake_service, answer, said) -> None:
    fake_service("sagemaker", describe_endpoint=answer)
    state = begun(served, 1)
    assert not state["infer"] and waits(judge(served, 1), refs(served))
    merge(served, 1)
    handle("report_batch", batch_id=served, execution=ledger.owner_of(served))
    (row,) = storage.read_json(f"{Files(served).root}/summary.json")["rounds"]
    assert said in row["outage"] and "resume: true" in row["outage"]


@loop
def test_an_image_inspected_only_in_a_resume_is_inferred_too() -> None:
    upload(4)
    state = handle("register_batch", event=mark(), execution=execution("late"))
    batch, (one, two) = state["batch"]["id"], storage.read_lines(state["batch"]["inspect_key"])
    handle("inspect_images", batch_id=batch, shard=one["shard"], objects_uri=one["uri"])
    crown()
    begun(batch, 1)
    predict(batch, 1, dict.fromkeys(refs(batch)[:2], 0.9))
    judge(batch, 1)
    merge(batch, 1)
    handle("inspect_images", batch_id=batch, shard=two["shard"], objects_uri=two["uri"])
    assert asked_of_the_model(begun(batch, 2)) == refs(batch)[2:]


# --- the arithmetic


def test_with_the_defaults_no_request_of_a_round_is_open_after_four_hours() -> None:
    from labelloop.contracts.advanced import DEFAULTS

    request = int(DEFAULTS["INFERENCE_QUEUE_SECONDS"]) + int(DEFAULTS["INVOCATION_TIMEOUT_SECONDS"]) + 120
    from labelloop.trust import inference

    assert inference.longest_seconds(request) <= FOUR_HOURS and inference.window_seconds(request) > request


def test_an_alarm_says_that_inference_gave_nothing() -> None:
    alarms = [each["Properties"] for each in TEMPLATE["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    (alarm,) = [each for each in alarms if "nference gave nothing" in each["AlarmDescription"]]
    assert "resume: true" in alarm["AlarmDescription"]
    for handler in ("begin_round", "find_missing_predictions", "judge_batch"):
        assert f'count("{alarm["MetricName"]}")' in (ROOT / "functions" / f"{handler}.py").read_text()
