"""A batch that was given up and a marker that comes later: no image is without a batch, and none has two."""

import json

import boto3
import pytest
from batch_rounds import refs, run_round
from given_up import give_up, pinned, registered_objects
from handling import PREFIX, execution, handle, mark, registered, stop, upload
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import datasets, ledger, storage
from made_up_stack import BUCKET, LEDGER

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_a_new_marker_takes_over_what_a_failed_batch_has_not_labelled() -> None:
    upload(6)
    early = pinned(mark())
    one = registered(early)["batch"]["id"]
    first = run_round(one, 1, answered=2)
    give_up(one)
    late = registered(pinned(mark()), "two")
    two = late["batch"]["id"]
    assert late["batch"]["objects"] == 4
    assert set(refs(two)).isdisjoint(labelled(one, 1)) and set(refs(two)) | labelled(one, 1) == set(refs(one))
    again = handle("register_batch", event=early, execution=execution("three"))
    assert (again["status"], again["successor"]) == ("superseded", two), "it names who has its images"
    for number in (1, 2):
        run_round(two, number)
    assert len(datasets.current().lines) == 6 and first["human"] == 2, "every image is labelled, once"


def labelled(batch: str, last: int) -> set[str]:
    everything = batches.images(batch)
    return {ref for ref, _ in batches.final_outcomes(batch, everything, last)}


def test_of_a_chain_of_failed_batches_the_last_has_all_that_is_left() -> None:
    upload(4)
    names = []
    for number, name in enumerate(("one", "two", "three")):
        state = registered(pinned(mark()), name)
        names.append(state["batch"]["id"])
        assert state["batch"]["objects"] == 4 + number
        upload(1, first=4 + number)
        give_up(state["batch"]["id"])
    last = registered(pinned(mark()), "four")
    assert last["batch"]["objects"] == 7
    assert [ledger.batch(name)["status"] for name in names] == ["superseded"] * 3


def test_a_failed_batch_that_is_at_work_again_is_not_taken_over() -> None:
    upload(3)
    early = pinned(mark())
    one = registered(early)["batch"]["id"]
    give_up(one)
    assert handle("register_batch", event=early, execution=execution("again"))["status"] == "registered"
    assert registered_objects(pinned(mark()), "two") == 0
    assert ledger.batch(one)["status"] == "running"


def test_a_finished_batch_with_deferred_images_keeps_them() -> None:
    """They wait for a resume of that batch."""
    upload(6)
    trigger = mark()
    one = registered(trigger)["batch"]["id"]
    run_round(one, 1, answered=2)
    handle("report_batch", batch_id=one, execution=ledger.owner_of(one))
    assert registered_objects(mark(), "two") == 0
    assert handle("register_batch", event={**trigger, "resume": True}, execution=execution("x"))["status"] != ""


def test_registering_is_repeated_after_the_take_over_without_a_trace(monkeypatch) -> None:
    upload(3)
    one = registered(pinned(mark()))["batch"]["id"]
    give_up(one)
    late, owner = pinned(mark()), execution("two")
    with monkeypatch.context() as dying:
        dying.setattr("labelloop.trust.sampling.draw_sample", lambda *_: (_ for _ in ()).throw(TimeoutError("killed")))
        with pytest.raises(TimeoutError):
            handle("register_batch", event=late, execution=owner)
    state = handle("register_batch", event=late, execution=owner)
    assert (state["status"], state["batch"]["objects"]) == ("registered", 3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["label", "fail", "mark", "restart"]), min_size=1, max_size=8))
def test_whatever_fails_and_is_marked_again_every_image_belongs_to_one_batch_that_is_not_superseded(steps) -> None:
    empty_the_account()
    upload(4)
    triggers = [pinned(mark())]
    names = {0: start(triggers[0])}
    for number, step in enumerate(steps):
        newest = names[max(names)]
        if step == "label" and newest and ledger.batch(newest)["status"] == "running":
            last = max(batches.decided_rounds(newest), default=0)
            run_round(newest, last + 1, answered=1)
        elif step == "fail" and newest:
            give_up(newest)
        elif step == "restart":
            start(triggers[number % len(triggers)])
        elif step == "mark":
            triggers.append(pinned(mark(json.dumps({}).encode() + b" " * number)))
            names[len(triggers) - 1] = start(triggers[-1])
    owners: dict[str, list[str]] = {}
    for batch in {name for name in names.values() if name}:
        done = batches.labelled_keys(batch)
        for item in storage.read_lines(Files(batch).inventory):
            if ledger.batch(batch)["status"] != "superseded" or item["key"] in done:
                owners.setdefault(item["key"], []).append(batch)
    assert sorted(owners) == [f"{PREFIX}{number:02d} ü+%20.png" for number in range(4)]
    assert all(len(found) == 1 for found in owners.values()), owners


def start(trigger: dict) -> str:
    """The batch that an execution for this marker works on; empty where it has nothing to do."""
    start.count = getattr(start, "count", 0) + 1
    state = registered(trigger, f"run-{start.count}") if not_taken(trigger) else {"status": ""}
    return state["batch"]["id"] if state["status"] == "registered" else ""


def not_taken(trigger: dict) -> bool:
    start.count += 1
    state = handle("register_batch", event=trigger, execution=(arn := execution(f"probe-{start.count}")))
    taken = state["status"] != "registered"
    if not taken:
        stop(arn)
    return not taken


def empty_the_account() -> None:
    boto3.resource("s3").Bucket(BUCKET).object_versions.delete()
    table = boto3.resource("dynamodb").Table(LEDGER)
    for row in table.scan()["Items"]:
        table.delete_item(Key={"id": row["id"]})


def test_a_marker_that_is_refused_takes_nothing_over(change_setting) -> None:
    upload(3)
    early = pinned(mark())
    batch = registered(early)["batch"]["id"]
    give_up(batch)
    upload(4, first=3)
    change_setting("PRICE_PER_LABEL", "1")
    change_setting("MAX_BATCH_COST", "12")
    with pytest.raises(Exception, match="MaxBatchCost"):
        handle("register_batch", event=pinned(mark()), execution=execution("two"))
    again = handle("register_batch", event=early, execution=execution("three"))
    assert (again["status"], again["batch"]["objects"]) == ("registered", 3), "it can still be gone on with"


def test_images_that_a_later_marker_leaves_out_are_told_and_the_next_one_has_them(fake_service) -> None:
    notices = fake_service("sns")
    upload(3)
    give_up(registered(pinned(mark()))["batch"]["id"])
    trigger = pinned(mark(json.dumps(["00 ü+%20.png"]).encode()))
    late = registered(trigger, "two")["batch"]
    assert late["objects"] == 1
    give_up(late["id"])
    registered(trigger, "restarted")
    run_round(late["id"], 1)
    handle("report_batch", batch_id=late["id"], execution=ledger.owner_of(late["id"]))
    assert storage.read_json(f"{Files(late['id']).root}/summary.json").get("left_behind") == 2
    (told,) = notices.requests_of("publish")
    for said in (told["Message"], storage.read(f"{Files(late['id']).root}/report.html").decode()):
        assert "2 images of an earlier batch" in said
    assert registered_objects(pinned(mark()), "three") == 2
