"""Batches that are at work are found by an index, also those that version 0.1 registered without one."""

import boto3
import pytest
from handling import execution, handle, registered, stop, upload
from labelloop.batch import roles
from labelloop.store import ledger
from made_up_stack import LEDGER

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_the_reconciler_asks_for_what_is_open_and_never_reads_the_whole_ledger(monkeypatch) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    roles.fix([f"{number:064x}" for number in range(300)], ())
    table = ledger.table()
    asked = []

    def recorded(name):
        real = getattr(table, name)

        def call(**request):
            answer = real(**request)
            asked.append((name, answer.get("ScannedCount")))
            return answer

        return call

    for name in ("scan", "query"):
        monkeypatch.setattr(table, name, recorded(name))
    monkeypatch.setattr(ledger, "table", lambda: table)
    assert [name for name, *_ in ledger.running_batches()] == [batch]
    assert asked == [("query", 1)], "one row is read, whatever else the ledger holds"
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    assert ledger.running_batches() == []


def older_row(batch: str, owner: str, status: str = "running", **more: object) -> None:
    """As version 0.1 wrote it."""
    row = {"id": f"batch#{batch}", "owner": owner, "attempt": 1, "status": status, "since": 1, **more}
    boto3.resource("dynamodb").Table(LEDGER).put_item(Item=row)


@pytest.mark.fault("I17")
def test_a_batch_that_version_0_1_registered_is_found_when_its_execution_ends_unseen(fake_service) -> None:
    fake_service("sagemaker", list_endpoints={"Endpoints": []})
    dead, alive = execution("dead"), execution("alive")
    stop(dead)
    older_row("lost", dead)
    older_row("at-work", alive)
    older_row("over", dead, "finished")
    roles.fix([f"{number:064x}" for number in range(50)], ())
    handle("reconcile")
    assert ledger.batch("lost")["status"] == "failed" and ledger.batch("at-work")["status"] == "running"
    assert [name for name, *_ in ledger.running_batches()] == ["at-work"]
    stop(alive)
    assert handle("reconcile")["failures_recorded"] == 1 and ledger.batch("at-work")["status"] == "failed"


def test_older_batches_are_looked_for_once_and_page_by_page(monkeypatch) -> None:
    for number in range(7):
        older_row(f"b{number}", execution(f"e{number}"))
    table, read = ledger.table(), []
    real = table.scan

    def scan(**request):
        read.append(request.get("ExclusiveStartKey"))
        return real(**request, Limit=3)

    monkeypatch.setattr(table, "scan", scan)
    monkeypatch.setattr(ledger, "table", lambda: table)
    monkeypatch.setattr(ledger, "PAGES_AT_ONCE", 2, raising=False)
    found = [ledger.index_older_batches() for _ in range(4)]
    assert sum(found) == 7 == len(ledger.running_batches()) and found[-1] == 0
    assert read[0] is None and None not in read[1:], "it goes on where it stopped, and never begins anew"
    assert len(read) == len(set(map(str, read))) <= 4


def test_a_batch_that_ends_while_it_is_put_into_the_index_stays_ended(monkeypatch) -> None:
    owner = execution("one")
    older_row("quick", owner)
    table = ledger.table()
    real = table.scan

    def scan(**request):
        page = real(**request)
        ledger.end_batch("quick", owner, "finished")
        return page

    monkeypatch.setattr(table, "scan", scan)
    monkeypatch.setattr(ledger, "table", lambda: table)
    assert ledger.index_older_batches() == 0 and ledger.running_batches() == []
