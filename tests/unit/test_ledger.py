"""Who owns what: deliveries are numbered once, one execution owns a batch, a content has one role."""

import time
from types import SimpleNamespace

import pytest
from handling import stop
from labelloop.contracts.errors import InvalidInputError
from labelloop.people import worker_rows
from labelloop.people.workers import History
from labelloop.store import ledger
from labelloop.store.ledger import Claim
from made_up_stack import BUCKET, SETTINGS, arn

PREFIX = "incoming/week 1/"


def at(monkeypatch, seconds: int) -> None:
    monkeypatch.setattr(ledger.time, "time", lambda: seconds)


def test_a_marker_version_has_one_number_however_often_it_is_delivered(aws) -> None:
    assert [ledger.delivery_number(BUCKET, PREFIX, version) for version in ("v-b", "v-a", "v-b", "v-c", "v-a")] == [
        *(1, 2, 1, 3, 2)
    ]
    assert list(ledger.batches_of(BUCKET, PREFIX)) == [1, 2, 3]


def test_prefixes_and_buckets_are_counted_apart(aws) -> None:
    assert ledger.delivery_number(BUCKET, PREFIX, "v") == 1
    assert ledger.delivery_number(BUCKET, "incoming/week 2/", "v") == 1
    assert ledger.delivery_number("other", PREFIX, "w") == 1
    assert list(ledger.batches_of(BUCKET, "incoming/never/")) == []


def test_a_version_id_that_is_part_of_another_is_another_delivery(aws) -> None:
    assert [ledger.delivery_number(BUCKET, PREFIX, version) for version in ("abc", "ab", "c")] == [1, 2, 3]


def test_the_first_execution_owns_the_batch_and_keeps_it_when_asked_again(run) -> None:
    first = run("first")
    assert ledger.claim_batch("b", first, resume=False) == Claim("owned", 1)
    assert ledger.claim_batch("b", first, resume=False) == Claim("owned", 1)
    assert ledger.owner_of("b") == first and ledger.owner_of("unknown") == ""


def test_of_two_claimers_one_owns_the_batch(run) -> None:
    first, second = run("first"), run("second")
    assert ledger.claim_batch("b", first, resume=False) == Claim("owned", 1)
    assert ledger.claim_batch("b", second, resume=False) == Claim("already-owned", 1)
    assert ledger.claim_batch("b", second, resume=True) == Claim("already-owned", 1)
    assert ledger.owner_of("b") == first


def test_a_claimer_that_lost_the_race_to_create_the_row_sees_the_winner(run, monkeypatch) -> None:
    """Both read that nobody owns the batch; both write."""
    first, second = run("first"), run("second")
    table = ledger.table()
    monkeypatch.setattr(ledger, "table", lambda: table)
    read, reads = table.get_item, []

    def overtaken(**request):
        reads.append(request)
        if len(reads) == 1:
            monkeypatch.setattr(table, "get_item", read)
            ledger.claim_batch("b", first, resume=False)
            return {}
        return read(**request)

    monkeypatch.setattr(table, "get_item", overtaken)
    assert ledger.claim_batch("b", second, resume=False) == Claim("already-owned", 1)
    assert ledger.owner_of("b") == first


def test_a_batch_is_taken_over_from_an_owner_that_no_longer_runs(run) -> None:
    first, second = run("first"), run("second")
    ledger.claim_batch("b", first, resume=False)
    stop(first)
    assert ledger.claim_batch("b", second, resume=False) == Claim("owned", 2)
    assert ledger.claim_batch("b", run("third"), resume=False) == Claim("already-owned", 2)


def test_a_batch_is_taken_over_from_an_owner_that_is_no_longer_known(run, monkeypatch) -> None:
    ledger.claim_batch("b", arn("states", "execution:labelloop-LabelBatch:gone"), resume=False)
    assert ledger.claim_batch("b", run("second"), resume=False) == Claim("already-owned", 1), "it may have just begun"
    at(monkeypatch, int(time.time()) + ledger.UNKNOWN_FOR_SECONDS + 1)
    assert ledger.claim_batch("b", run("third"), resume=False) == Claim("owned", 2)


def test_of_two_that_take_over_one_gets_the_batch(run, monkeypatch) -> None:
    dead, second, third = run("dead"), run("second"), run("third")
    ledger.claim_batch("b", dead, resume=False)
    stop(dead)
    asked = []

    def overtaken(execution):
        """While the second looks whether the owner lives, the third takes the batch."""
        asked.append(execution)
        if len(asked) == 1:
            assert ledger.claim_batch("b", third, resume=False) == Claim("owned", 2)
        return "ABORTED"

    monkeypatch.setattr(ledger, "execution_status", overtaken)
    assert ledger.claim_batch("b", second, resume=False) == Claim("already-owned", 1)
    assert ledger.owner_of("b") == third


def test_a_finished_batch_is_left_alone_unless_somebody_resumes_it(run) -> None:
    first = run("first")
    ledger.claim_batch("b", first, resume=False)
    assert ledger.end_batch("b", first, "finished")
    second = run("second")
    assert ledger.claim_batch("b", second, resume=False) == Claim("already-finished", 1)
    assert ledger.claim_batch("b", second, resume=True) == Claim("owned", 2)


def test_a_failed_batch_is_taken_over_even_while_its_owner_still_ends(run) -> None:
    first = run("first")
    ledger.claim_batch("b", first, resume=False)
    ledger.end_batch("b", first, "failed", "why")
    assert ledger.claim_batch("b", run("second"), resume=False) == Claim("owned", 2)


def test_only_the_owner_ends_a_batch_and_only_once(run) -> None:
    first, second = run("first"), run("second")
    ledger.claim_batch("b", first, resume=False)
    assert not ledger.end_batch("b", second, "failed", "not mine")
    assert [each[:2] for each in ledger.running_batches()] == [("b", first)]
    assert ledger.end_batch("b", first, "finished")
    assert not ledger.end_batch("b", first, "failed", "too late")
    assert ledger.batch("b")["status"] == "finished" and ledger.running_batches() == []


def test_the_facts_of_a_batch_survive_a_take_over(run) -> None:
    first = run("first")
    ledger.claim_batch("b", first, resume=False)
    ledger.note_batch("b", {"prefix": "incoming/ü 😀/", "started": "2026-11-20T10:00:00.000000"})
    stop(first)
    ledger.claim_batch("b", run("second"), resume=False)
    assert ledger.batch("b")["prefix"] == "incoming/ü 😀/"


def test_a_batch_that_never_registered_is_named(aws) -> None:
    with pytest.raises(InvalidInputError, match="batch nobody is not in the ledger"):
        ledger.batch("nobody")


def test_histories_hold_what_was_just_written_also_where_a_read_is_repeated(environment, monkeypatch) -> None:
    name = SETTINGS["LEDGER_TABLE"]
    row = {"id": "worker#a", "honeypots": 4, "quality_sum": 1}
    requests = []

    def batch_get_item(RequestItems):
        requests.append(RequestItems[name])
        first = len(requests) == 1
        return {"Responses": {name: [] if first else [row]}, "UnprocessedKeys": RequestItems if first else {}}

    client = SimpleNamespace(batch_get_item=batch_get_item)
    monkeypatch.setattr(ledger, "table", lambda: SimpleNamespace(meta=SimpleNamespace(client=client)))
    assert worker_rows.histories(["a"]) == {"a": History(4, 0.25)}
    assert [(each["Keys"], each.get("ConsistentRead")) for each in requests] == [([{"id": "worker#a"}], True)] * 2
