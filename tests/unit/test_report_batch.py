"""Report Batch: every outcome is told, and the batch ends once."""

import pytest
from batch_rounds import refs, run_round
from handling import PREFIX, handle, mark, registered, upload
from labelloop.store import ledger, storage

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]

OUTCOMES = ("auto", "human", "rejected", "deferred")


def test_the_report_tells_every_outcome_and_ends_the_batch_once(fake_service) -> None:
    notices = fake_service("sns")
    upload(3)
    storage.write(f"{PREFIX}<b>bad.png", b"")
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    owner = ledger.owner_of(batch)
    told = handle("report_batch", batch_id=batch, execution=owner)
    assert (told["images"], told["human"], told["rejected"], told["deferred"]) == (4, 3, 1, 0)
    assert handle("report_batch", batch_id=batch, execution=owner) == told
    assert len(notices.requests_of("publish")) == 1 and ledger.batch(batch)["status"] == "finished"
    page = storage.read(storage.own_key(told["report_uri"])).decode()
    assert "&lt;b&gt;bad.png" in page and "<b>bad" not in page
    manifest = storage.read_lines(f"batches/{batch}/annotations.manifest")
    assert [line["source-ref"] for line in manifest] == refs(batch)[:3]
    ((rejected, why),) = storage.read_json(f"batches/{batch}/summary.json")["rejected_reasons"].items()
    assert rejected == f"{PREFIX}<b>bad.png" and why.startswith("empty: ")


def test_what_nobody_has_labelled_yet_is_deferred_and_told_with_what_people_labelled(
    change_setting, fake_service
) -> None:
    notices = fake_service("sns")
    change_setting("HUMAN_BUDGET", "2")
    upload(5)
    batch = registered()["batch"]["id"]
    people = run_round(batch, 1, answered=2)["human"]
    told = handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert (told["images"], told["human"], told["deferred"]) == (5, people, 5 - people) and people == 2
    summary = storage.read_json(f"batches/{batch}/summary.json")
    assert sum(summary[outcome] for outcome in OUTCOMES) == summary["images"] == 5
    (message,) = [request["Message"] for request in notices.requests_of("publish")]
    assert "2 human" in message and "3 deferred" in message and told["report_uri"] in message
    assert len(storage.read_lines(f"batches/{batch}/annotations.manifest")) == 2


def test_a_batch_that_another_execution_owns_by_now_is_not_ended(run) -> None:
    upload(1)
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=run("somebody-else"))
    assert ledger.batch(batch)["status"] == "running" and ledger.owner_of(batch) != run("somebody-else")


def test_an_empty_prefix_is_a_batch_of_nothing() -> None:
    state = registered(mark())
    assert state["batch"]["objects"] == 0
    report = handle("report_batch", batch_id=state["batch"]["id"], execution="e")
    assert report["images"] == report["deferred"] == 0
