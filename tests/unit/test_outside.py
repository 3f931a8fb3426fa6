"""Work outside a state: remembered before it starts, answered exactly once, stopped where nobody waits any more."""

import json
from collections.abc import Callable

import pytest
from another_engine import FORBIDDEN, AnotherEngine
from botocore.exceptions import ClientError
from fake_service import refused
from handling import MODEL, crown
from labelloop import engines
from labelloop.engines import endpoints, models, training
from labelloop.people import ground_truth
from labelloop.store import callbacks, immutable, storage
from labelloop.store.callbacks import Callback, Outcome
from labelloop.work import outside
from outside_work import (
    EXECUTION,
    OUTPUT,
    ask_for_deployment,
    ask_for_inference,
    ask_for_labels,
    described,
    hear,
    heard,
    notice,
)

from cli import status

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TAKEN = refused("ResourceInUse", "name already in use")
DONE, BROKEN = Outcome(True, {"said": "done"}), Outcome(False, error="TransientError", cause="it broke")
ASKED: dict[str, tuple[object, str]] = {
    "inference": (endpoints, "answered"),
    "labeling": (ground_truth, "ended"),
    "training": (training, "ended"),
    "deployment": (endpoints, "ended"),
}


def remembered(kind: str = "training", token: str = "t1") -> Callback | None:
    event = {"task_token": token, "execution": EXECUTION, "timeout_seconds": 600}
    return outside.remember(kind, "work-1", event, batch="b")


def never() -> Outcome | None:
    raise AssertionError("nobody asks work that has just begun")


def open_work() -> list[str]:
    return [callback.id for callback in callbacks.open_callbacks()]


def test_work_is_remembered_with_its_token_before_it_starts(states) -> None:
    callback = remembered()

    def work() -> bool:
        known = callbacks.find("training", "work-1")
        assert (known.token, known.execution, known.details) == ("t1", EXECUTION, {"batch": "b"})
        return True

    outside.start(callback, work, never, (ClientError,), output_uri="s3://b/o")
    known = callbacks.find("training", "work-1")
    assert known.started and known.details["output_uri"] == "s3://b/o" and heard(states) == []


@pytest.mark.parametrize("kind", ["training", "deployment", "labeling"])
def test_work_that_an_earlier_attempt_started_is_not_forgotten_because_a_later_one_is_refused(states, kind) -> None:
    """S3 throttles the second attempt: the job of the first one runs, and somebody must stop it should nobody wait."""
    outside.start(remembered(kind), lambda: True, never, (ClientError,))

    def throttled() -> bool:
        raise refused("SlowDown")

    with pytest.raises(ClientError):
        outside.start(remembered(kind, "t2"), throttled, never, (ClientError,))
    known = callbacks.find(kind, "work-1")
    assert known is not None and known.started and known.token == "t2"


def test_work_that_is_refused_leaves_nobody_waiting_and_work_whose_start_is_unknown_is_still_remembered(states) -> None:
    def work(error: Exception) -> Callable[[], bool]:
        def fail() -> bool:
            raise error

        return fail

    with pytest.raises(TimeoutError):
        outside.start(remembered(), work(TimeoutError()), never, (ClientError,))
    assert open_work() == ["training#work-1"], "it may have begun: an event will find whom to tell"
    with pytest.raises(ClientError):
        outside.start(remembered(), work(TAKEN), never, (ClientError,))
    assert open_work() == [] and heard(states) == []


@pytest.mark.parametrize(("ended", "told"), [(DONE, "send_task_success"), (BROKEN, "send_task_failure"), (None, "")])
def test_work_that_was_begun_before_is_asked_whether_it_has_ended(states, ended, told) -> None:
    outside.start(remembered(), lambda: False, lambda: ended, ())
    assert heard(states) == ([(told, "t1")] if told else [])
    assert open_work() == ([] if told else ["training#work-1"])


def test_a_state_that_asks_again_for_what_succeeded_is_told_so_and_nothing_is_begun(states) -> None:
    callbacks.answer(remembered(), DONE)
    assert remembered(token="t2") is None
    assert heard(states) == [("send_task_success", "t1"), ("send_task_success", "t2")]


def test_a_state_that_asks_again_for_what_failed_begins_it_again(states) -> None:
    callbacks.answer(remembered(), BROKEN)
    again = remembered(token="t2")
    assert again is not None and again.token == "t2" and again.outcome is None
    assert heard(states) == [("send_task_failure", "t1")]


@pytest.mark.parametrize("kind", ASKED)
def test_each_kind_of_work_is_asked_where_its_truth_is_and_counted(states, monkeypatch, kind) -> None:
    for each, (module, question) in ASKED.items():
        monkeypatch.setattr(module, question, lambda _, each=each: Outcome(True, {"asked": each}))
    callback = remembered(kind)
    assert outside.answer(callback) == Outcome(True, {"asked": kind})
    assert [json.loads(request["output"]) for _, request in states.calls] == [{"asked": kind}]
    well, badly = outside.METRICS[kind]
    assert well.endswith("Completed") and badly.endswith("Failed")


def test_a_kind_of_work_that_nobody_knows_is_no_answer(states) -> None:
    with pytest.raises(ValueError, match="unknown kind of outside work: guessing#work-1"):
        outside.answer(remembered("guessing"))
    assert heard(states) == []


def test_work_that_goes_on_is_not_answered_and_work_that_has_ended_is_answered_once(states, monkeypatch) -> None:
    outcomes = iter([None, DONE, BROKEN])
    monkeypatch.setattr(training, "ended", lambda _: next(outcomes))
    callback = remembered()
    assert outside.answer(callback) is None and heard(states) == []
    assert outside.answer(callback) == DONE
    assert outside.answer(callbacks.find("training", "work-1")) == BROKEN
    assert heard(states) == [("send_task_success", "t1")], "the first outcome that was recorded stands"


@pytest.mark.parametrize(
    ("kind", "stopped"), [("inference", None), ("labeling", "labeling"), ("training", "training"), ("deployment", None)]
)
def test_what_does_not_end_by_itself_is_stopped_and_the_wait_ends(states, monkeypatch, kind, stopped) -> None:
    stops: list[tuple[str, str]] = []
    monkeypatch.setattr(ground_truth, "stop", lambda name: stops.append(("labeling", name)))
    monkeypatch.setattr(training, "stop", lambda name: stops.append(("training", name)) or True)
    outside.stop(remembered(kind), "Stopped", "nobody waits")
    assert stops == ([(stopped, "work-1")] if stopped else [])
    ((method, request),) = states.calls
    assert (method, request["error"], request["cause"]) == ("send_task_failure", "Stopped", "nobody waits")
    assert open_work() == []


def test_a_training_that_cannot_be_stopped_now_stays_open_for_the_reconciler(states, monkeypatch) -> None:
    monkeypatch.setattr(training, "stop", lambda _: False)
    outside.stop(remembered(), "Stopped", "nobody waits")
    assert open_work() == ["training#work-1"] and heard(states) == []


def test_giving_up_does_not_take_back_what_is_recorded(states) -> None:
    callback = remembered()
    callbacks.record(callback, DONE)
    outside.give_up(callback, "Stopped", "nobody waits")
    assert heard(states) == [("send_task_success", "t1")]


# --- as the handlers use it


def test_a_request_repeated_with_a_new_token_is_not_queued_again(states, runtime) -> None:
    """Lambda answered late, Step Functions asked again: the same id, another token."""
    inference_id = ask_for_inference("t1")
    assert ask_for_inference("t2") == inference_id
    assert len(runtime.requests_of("invoke_endpoint_async")) == 1
    storage.write(OUTPUT, b"{}\n")
    hear(notice(inference_id))
    assert heard(states) == [("send_task_success", "t2")]


def test_an_output_that_exists_already_answers_a_repeated_request_at_once(states, runtime) -> None:
    ask_for_inference("t1")
    storage.write(OUTPUT, b"{}\n")
    ask_for_inference("t2")
    ask_for_inference("t3")
    assert heard(states) == [("send_task_success", "t2"), ("send_task_success", "t3")]
    assert len(runtime.requests_of("invoke_endpoint_async")) == 1


def test_a_refused_labelling_job_leaves_nobody_waiting(states, sagemaker) -> None:
    sagemaker.answering(create_labeling_job=refused("ValidationException", "no work team"))
    with pytest.raises(ClientError, match="no work team"):
        ask_for_labels()
    assert list(callbacks.open_callbacks()) == []


@pytest.mark.parametrize("status", ["Completed", "Stopped", "Failed"])
def test_a_job_that_an_earlier_execution_made_and_that_has_ended_answers_at_once(states, sagemaker, status) -> None:
    manifest = storage.write("batches/b/labeling/2/out.manifest", b"")
    place = {"OutputDatasetS3Uri": manifest}
    sagemaker.answering(
        create_labeling_job=TAKEN, describe_labeling_job=described(status, LabelingJobOutput=place, FailureReason="x")
    )
    ask_for_labels()
    ((_, request),) = states.calls
    told = json.loads(request["output"])
    assert request["taskToken"] == "t1" and told["status"] == status and told["output_uri"] == manifest


def test_a_job_that_an_earlier_execution_made_and_that_goes_on_is_waited_for(states, sagemaker) -> None:
    sagemaker.answering(create_labeling_job=TAKEN, describe_labeling_job=described("InProgress"))
    job = ask_for_labels()
    assert heard(states) == [] and callbacks.find("labeling", job).started


# --- an engine that is not YOLO


@pytest.fixture
def another(states, fake_service, monkeypatch) -> AnotherEngine:
    """Where it is known, and SageMaker must not be asked."""
    for service in ("sagemaker", "sagemaker-runtime", "application-autoscaling"):
        fake_service(service).answering(**dict.fromkeys(FORBIDDEN[service], AssertionError(f"{service} was asked")))
    engine, known = AnotherEngine(), engines.known()
    monkeypatch.setattr(engines, "known", lambda: [*known, engine])
    return engine


def test_a_request_is_made_of_the_engine_that_the_round_names_and_answered_by_it(another, states) -> None:
    inference_id = ask_for_inference(engine="another")
    assert another.asked == ["predict labelloop-v1"] and heard(states) == []
    assert hear(notice(inference_id)) == [] and heard(states) == [("send_task_success", "t1")]


def test_a_request_that_an_earlier_attempt_made_is_answered_by_its_engine(another, states) -> None:
    ask_for_inference(engine="another")
    ask_for_inference(token="t2", engine="another")
    assert another.asked == ["predict labelloop-v1"] and heard(states) == [("send_task_success", "t2")]


def test_the_engine_of_a_version_deploys_it_and_says_how_its_endpoint_does(another, states) -> None:
    immutable.create_json(f"models/{MODEL}/card.json", {"engine": "another"})
    name = ask_for_deployment()["endpoint"]
    assert another.asked == [f"deploy {name}"] and heard(states) == [("send_task_success", "t1")]
    crown()
    champion = models.champion()
    models.flip(champion, {**champion.value, "engine": "another"})
    assert status.champion()["state"] == "Answers At Once"
