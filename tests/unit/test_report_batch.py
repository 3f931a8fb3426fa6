"""Report Batch: every outcome is told, and the batch ends once."""

import pytest
from batch_rounds import refs, run_round
from handling import PREFIX, handle, mark, registered, upload
from labelloop.store import ledger, storage

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


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


def test_an_empty_prefix_is_a_batch_of_nothing() -> None:
    state = registered(mark())
    assert state["batch"]["objects"] == 0
    report = handle("report_batch", batch_id=state["batch"]["id"], execution="e")
    assert report["images"] == report["deferred"] == 0
