"""Task tokens: remembered before the call, answered once, delivered until somebody has heard."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from labelloop.contracts.errors import TransientError
from labelloop.store import callbacks
from labelloop.store.callbacks import Outcome
from made_up_stack import CALLBACKS, arn

EXECUTION = arn("states", "execution:labelloop-LabelBatch:one")
GOOD = Outcome(True, {"output_uri": "s3://data-bucket/out ü.jsonl"})
OTHER = Outcome(True, {"output_uri": "s3://data-bucket/other.jsonl"})
BAD = Outcome(False, error="TransientError", cause="the endpoint broke")


@pytest.fixture
def states(aws, fake_service):
    return fake_service("stepfunctions")


def remember(token="token-1", external_id="job", execution=EXECUTION, timeout=600):
    return callbacks.remember("inference", external_id, token, execution, timeout)


def found(external_id="job"):
    callback = callbacks.find("inference", external_id)
    assert callback is not None
    return callback


def row(external_id="job"):
    key = {"id": {"S": f"inference#{external_id}"}}
    return boto3.client("dynamodb").get_item(TableName=CALLBACKS, Key=key)["Item"]


def told(states):
    """What Step Functions heard: (token, output) or (token, error, cause)."""
    heard = []
    for method, request in states.calls:
        if method == "send_task_success":
            heard.append((request["taskToken"], json.loads(request["output"])))
        else:
            heard.append((request["taskToken"], request["error"], request["cause"]))
    return heard


def test_a_row_is_open_before_the_outside_call_and_says_who_waits(states) -> None:
    callback = remember()
    assert (callback.kind, callback.external_id, callback.status) == ("inference", "job", "waiting")
    assert not callback.started and callback.outcome is None
    assert callback.execution == EXECUTION and callback.deadline == callback.created + 600
    assert found() == callback and list(callbacks.open_callbacks()) == [callback]
    assert told(states) == []


def test_what_the_outside_call_answered_is_kept_with_the_row(states) -> None:
    callbacks.mark_started(remember(), output_uri="s3://b/out", failure_uri="")
    assert found().started and found().details["output_uri"] == "s3://b/out"
    callbacks.mark_started(found(), output_uri="s3://b/again")
    assert found().details == {"output_uri": "s3://b/again", "failure_uri": "", "started": True}


def test_an_answer_is_delivered_and_closes_the_row(states) -> None:
    callbacks.answer(remember(), GOOD)
    assert told(states) == [("token-1", {"output_uri": "s3://data-bucket/out ü.jsonl"})]
    assert found().status == "delivered" and list(callbacks.open_callbacks()) == []
    assert int(row()["expires"]["N"]) >= found().created + callbacks.KEPT_AFTER_DELIVERY_SECONDS


def test_a_row_never_expires_while_it_is_open(states) -> None:
    callback = remember()
    assert "expires" not in row()
    callbacks.record(callback, GOOD)
    assert "expires" not in row()


def test_the_same_notice_five_times_is_delivered_once(states) -> None:
    callback = remember()
    for _ in range(5):
        callbacks.answer(callback, GOOD)
    assert told(states) == [("token-1", dict(GOOD.output))]


@pytest.mark.fault("C07")
@pytest.mark.parametrize("late", [OTHER, BAD])
def test_the_first_outcome_wins(states, late) -> None:
    callback = remember()
    assert callbacks.record(callback, GOOD).outcome == GOOD
    assert callbacks.record(callback, late).outcome == GOOD
    callbacks.answer(callback, late)
    assert told(states) == [("token-1", dict(GOOD.output))] and found().outcome == GOOD


def test_whoever_finds_a_recorded_outcome_delivers_it(states) -> None:
    """The first function died between recording and sending."""
    callbacks.record(remember(), GOOD)
    (open_one,) = callbacks.open_callbacks()
    assert (open_one.status, open_one.outcome) == ("recorded", GOOD)
    callbacks.deliver(open_one)
    assert told(states) == [("token-1", dict(GOOD.output))] and found().status == "delivered"


@pytest.mark.fault("D03")
def test_an_outcome_that_could_not_be_sent_stays_open_for_the_reconciler(states) -> None:
    states.answering(send_task_success=refused("ThrottlingException"))
    with pytest.raises(ClientError, match="ThrottlingException"):
        callbacks.answer(remember(), GOOD)
    states.answering(send_task_success={})
    (open_one,) = callbacks.open_callbacks()
    callbacks.deliver(open_one)
    assert found().status == "delivered" and list(callbacks.open_callbacks()) == []


@pytest.mark.fault("D01", "D02")
@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
@pytest.mark.parametrize("outcome", [GOOD, BAD])
def test_a_token_nobody_waits_on_ends_the_delivery(states, code, outcome) -> None:
    states.answering(send_task_success=refused(code), send_task_failure=refused(code))
    callbacks.answer(remember(), outcome)
    assert found().status == "delivered" and list(callbacks.open_callbacks()) == []
    callbacks.answer(found(), outcome)
    assert len(states.calls) == 1


@pytest.mark.fault("D04")
def test_an_output_that_step_functions_refuses_fails_the_state_with_the_reason(states) -> None:
    states.answering(send_task_success=refused("InvalidOutput"), send_task_failure={})
    callbacks.answer(remember(), GOOD)
    assert [method for method, _ in states.calls] == ["send_task_success", "send_task_failure"]
    request = states.calls[-1][1]
    assert request["taskToken"] == "token-1" and request["error"] == "InvalidOutput"
    assert "refused the output" in request["cause"]
    assert found().status == "delivered" and list(callbacks.open_callbacks()) == []


def test_a_retry_brings_a_new_token_and_the_answer_goes_to_the_newest(states) -> None:
    remember("token-1")
    callbacks.mark_started(found(), output_uri="s3://b/out")
    again = remember("token-2", execution=EXECUTION + "-again", timeout=900)
    assert again.token == "token-2" and again.execution.endswith("-again")
    assert again.started and again.details["output_uri"] == "s3://b/out"  # the call itself is not forgotten
    callbacks.answer(again, GOOD)
    assert told(states) == [("token-2", dict(GOOD.output))]


def test_a_notice_that_read_the_row_before_the_retry_still_answers_the_newest_token(states) -> None:
    before = remember("token-1")
    remember("token-2")
    callbacks.answer(before, GOOD)
    assert told(states) == [("token-2", dict(GOOD.output))]


@pytest.mark.parametrize("delivered", [False, True])
def test_a_recorded_failure_is_reopened_for_another_attempt(states, delivered) -> None:
    first = remember("token-1")
    callbacks.mark_started(first, output_uri="s3://b/out")
    callbacks.record(first, BAD)
    if delivered:
        callbacks.deliver(found())
    second = remember("token-2")
    assert (second.status, second.outcome, second.started, second.token) == ("waiting", None, False, "token-2")
    callbacks.answer(second, GOOD)
    assert told(states)[-1] == ("token-2", dict(GOOD.output))


def test_an_earlier_success_is_told_again_to_a_state_that_asks_again(states) -> None:
    callbacks.answer(remember("token-1"), GOOD)
    again = remember("token-2")
    assert again.outcome == GOOD and again.status == "delivered"
    callbacks.deliver(again)  # without `again`, a second delivery changes nothing
    assert len(told(states)) == 1
    callbacks.deliver(again, again=True)
    assert told(states)[-1] == ("token-2", dict(GOOD.output)) and list(callbacks.open_callbacks()) == []


def test_a_failure_tells_its_error_name_and_cause_within_the_service_limits(states) -> None:
    callbacks.answer(remember(), Outcome(False, error="E" * 300, cause="c" * 40_000))
    ((_, error, cause),) = told(states)
    assert (error, cause) == ("E" * 256, "c" * 32_768)


def test_a_task_token_of_2048_characters_is_kept_whole(states) -> None:
    token = "AQCEAAAAKgAAAAMA+/=" * 120
    token = token[:2048]
    assert remember(token).token == token
    callbacks.answer(found(), GOOD)
    assert told(states)[0][0] == token


def test_a_refused_call_leaves_nobody_waiting(states) -> None:
    callbacks.forget(remember())
    assert callbacks.find("inference", "job") is None and list(callbacks.open_callbacks()) == []


def test_answering_a_row_that_vanished_is_tried_again_and_does_not_make_it_anew(states) -> None:
    callback = remember()
    callbacks.forget(callback)
    with pytest.raises(TransientError, match="vanished"):
        callbacks.answer(callback, GOOD)
    assert callbacks.find("inference", "job") is None and told(states) == []


def test_kinds_do_not_share_ids(states) -> None:
    callbacks.remember("training", "job", "t", EXECUTION, 60)
    remember("i")
    callbacks.answer(found(), GOOD)
    assert [callback.id for callback in callbacks.open_callbacks()] == ["training#job"]


def test_open_rows_are_listed_over_all_pages(states, monkeypatch) -> None:
    for number in range(5):
        remember(external_id=f"job-{number}")
    table = callbacks._table()
    monkeypatch.setattr(callbacks, "_table", lambda: table)
    query, pages = table.query, []

    def two_at_a_time(**request):
        pages.append(query(**request, Limit=2))
        return pages[-1]

    monkeypatch.setattr(table, "query", two_at_a_time)
    listed = sorted(callback.external_id for callback in callbacks.open_callbacks())
    assert listed == [f"job-{number}" for number in range(5)] and len(pages) == 3


@pytest.mark.parametrize("outcome", [GOOD, BAD, Outcome(True)])
def test_an_outcome_survives_the_table(outcome) -> None:
    assert Outcome.from_json(outcome.to_json()) == outcome
