"""Redriven, restarted and given-up batches: one owner at a time, an end that is told, and no image without a batch."""

import json
from pathlib import Path

import boto3
import pytest
from batch_rounds import refs, run_round
from handling import PREFIX, execution, handle, mark, registered, upload
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import aws, callbacks, datasets, ledger, storage, training_lock
from made_up_stack import BUCKET, LEDGER

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def abort(arn: str) -> None:
    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def aborted_event(arn: str, trigger: dict) -> dict:
    return {"executionArn": arn, "status": "ABORTED", "input": json.dumps(trigger)}


@pytest.fixture
def redriven(monkeypatch):
    """`redriven(arn)`: the console's Redrive made this execution run again."""
    again: dict[str, int] = {}
    real = aws.client

    def redrive(arn: str) -> None:
        again[arn] = again.get(arn, 0) + 1

    class States:
        def __getattr__(self, name):
            return getattr(real("stepfunctions"), name)

        def describe_execution(self, executionArn):
            told = real("stepfunctions").describe_execution(executionArn=executionArn)
            count = again.get(executionArn, 0)
            return {**told, "redriveCount": count, **({"status": "RUNNING"} if count else {})}

    monkeypatch.setattr(aws, "client", lambda service: States() if service == "stepfunctions" else real(service))
    return redrive


@pytest.mark.fault("D12")
def test_a_redriven_execution_keeps_its_batch_and_finishes_it(redriven) -> None:
    upload(3)
    trigger = pinned(mark())
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    abort(owner)
    handle("record_failure", detail=aborted_event(owner, trigger))
    assert ledger.batch(batch)["status"] == "failed"
    redriven(owner)
    second = handle("register_batch", event=trigger, execution=execution("second"))
    assert second["status"] == "already-owned", "the redriven execution works on it"
    assert registered_objects(mark(), "third") == 0, "a new marker leaves it its images, too"
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=owner)
    row = ledger.batch(batch)
    assert (row["status"], int(row["rounds_done"])) == ("finished", 1)
    assert handle("register_batch", event=trigger, execution=execution("fourth"))["status"] == "already-labeled"


def registered_objects(trigger: dict, name: str) -> int:
    return int(handle("register_batch", event=trigger, execution=execution(name))["batch"]["objects"])


def test_an_event_that_comes_after_the_redrive_stops_nothing(redriven) -> None:
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    abort(owner)
    redriven(owner)
    handle("record_failure", detail=aborted_event(owner, trigger))
    assert ledger.batch(batch)["status"] == "running"


def test_a_second_failure_after_a_redrive_is_told_and_none_is_told_twice(redriven, fake_service) -> None:
    notices = fake_service("sns")
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)

    def fail(why: str) -> None:
        handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": why})

    fail("first")
    fail("first")
    redriven(owner)
    fail("second")
    fail("second")
    told = [request["Message"] for request in notices.requests_of("publish")]
    assert [message.splitlines()[0] for message in told] == ["X: first", "X: second"]
    assert ledger.batch(batch)["cause"] == "X: second"


@pytest.mark.fault("D13")
def test_a_finished_batch_that_is_redriven_or_started_again_stays_as_it_is() -> None:
    upload(2)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    owner = ledger.owner_of(batch)
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=owner)
    before = {key: storage.read(key) for key in storage.keys("") if not key.endswith("summary.json")}
    assert handle("register_batch", event=trigger, execution=execution("again"))["status"] == "already-labeled"
    handle("report_batch", batch_id=batch, execution=owner)
    handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": "late"})
    after = {key: storage.read(key) for key in storage.keys("") if not key.endswith("summary.json")}
    assert after == before and ledger.batch(batch)["status"] == "finished"


def test_an_execution_that_step_functions_does_not_know_yet_is_not_dead(monkeypatch) -> None:
    upload(2)
    trigger = mark()
    one = execution("one").replace(":one", ":just-started")  # nobody has heard of it
    batch = handle("register_batch", event=trigger, execution=one)["batch"]["id"]
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-owned"
    fence = training_lock.take(one, 600)
    assert fence and training_lock.take(execution("three"), 600) is None and training_lock.training_runs()
    now = ledger.time.time()
    monkeypatch.setattr(ledger.time, "time", lambda: now + 3600 - 3000 + 300)
    assert handle("register_batch", event=trigger, execution=execution("four"))["status"] == "registered"
    assert ledger.owner_of(batch).endswith(":four")


# --- a batch that was given up, and a new marker


def give_up(batch: str) -> None:
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")


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


def pinned(trigger: dict) -> dict:
    key = trigger["object"]["key"]
    version = boto3.client("s3").head_object(Bucket=BUCKET, Key=key)["VersionId"]
    return {**trigger, "object": {"key": key, "version-id": version}}


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
        abort(arn)
    return not taken


def empty_the_account() -> None:
    boto3.resource("s3").Bucket(BUCKET).object_versions.delete()
    table = boto3.resource("dynamodb").Table(LEDGER)
    for row in table.scan()["Items"]:
        table.delete_item(Key={"id": row["id"]})


# --- the index of what is open


def test_the_reconciler_asks_for_what_is_open_and_never_reads_the_whole_ledger(monkeypatch) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    ledger.fix_roles({f"{number:064x}": "train" for number in range(300)})
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
    abort(dead)
    older_row("lost", dead)
    older_row("at-work", alive)
    older_row("over", dead, "finished")
    ledger.fix_roles({f"{number:064x}": "train" for number in range(50)})
    handle("reconcile")
    assert ledger.batch("lost")["status"] == "failed" and ledger.batch("at-work")["status"] == "running"
    assert [name for name, *_ in ledger.running_batches()] == ["at-work"]
    abort(alive)
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


# --- an execution that is redriven after its batch was taken over


def asked(batch: str, owner: str) -> dict:
    """The first round, up to the state that asks people."""
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1, execution=owner)
    return {"batch_id": batch, "round": 1, "job": 1, "timeout_seconds": 600}


@pytest.mark.parametrize("how", ["started again", "marked again"])
def test_a_redriven_execution_whose_batch_was_taken_over_takes_nobodys_work(fake_service, how) -> None:
    sagemaker = fake_service("sagemaker")
    upload(3)
    early = pinned(mark())
    batch = registered(early)["batch"]["id"]
    one = ledger.owner_of(batch)
    given = asked(batch, one)
    handle("request_labels", **given, task_token="first", execution=one)
    abort(one)
    handle("record_failure", detail=aborted_event(one, early))
    if how == "started again":
        registered(early, "two")
        handle("request_labels", **given, task_token="second", execution=ledger.owner_of(batch))
    else:
        registered(pinned(mark()), "two")
    asked_before = len(sagemaker.requests_of("create_labeling_job"))
    redriven = (
        lambda: handle("judge_batch", batch_id=batch, round=1, execution=one),
        lambda: handle("request_labels", **given, task_token="redriven", execution=one),
        lambda: handle("merge_annotations", batch_id=batch, round=1, execution=one),
    )
    for work in redriven:
        with pytest.raises(Exception, match=r"taken over by|was given up"):
            work()
    (waiting,) = callbacks.open_callbacks()
    assert waiting.token == {"started again": "second", "marked again": "first"}[how]
    assert len(sagemaker.requests_of("create_labeling_job")) == asked_before
    handle("record_failure", execution=one, input=early, error={"Error": "NotTheOwnerError", "Cause": "x"})
    row = ledger.batch(batch)
    assert row["status"] == {"started again": "running", "marked again": "superseded"}[how]


def test_people_are_not_kept_at_work_for_a_batch_whose_images_a_later_marker_took_over(fake_service) -> None:
    working = {"LabelingJobStatus": "InProgress"}
    sagemaker = fake_service("sagemaker", describe_labeling_job=working, list_endpoints={"Endpoints": []})
    upload(3)
    early = pinned(mark())
    batch = registered(early)["batch"]["id"]
    one = ledger.owner_of(batch)
    handle("request_labels", **asked(batch, one), task_token="t", execution=one)
    abort(one)
    handle("record_failure", detail=aborted_event(one, early))
    handle("reconcile")
    assert sagemaker.requests_of("stop_labeling_job") == [], "a restart takes the job over"
    registered(pinned(mark()), "two")
    handle("reconcile")
    (job,) = jobs.of_round(Files(batch), 1)
    assert sagemaker.requests_of("stop_labeling_job") == [{"LabelingJobName": job.name}]
    assert list(callbacks.open_callbacks()) == []


def test_nobody_is_told_to_redrive_what_would_only_fail_again(fake_service) -> None:
    """Redriving "reenters the Fail state and fails again" (Step Functions guide, redrive-executions)."""
    machine = json.loads((ROOT / "statemachines/label_batch.asl.json").read_text())
    assert machine["States"][machine["States"]["Record Failure"]["Next"]]["Type"] == "Fail"
    notices = fake_service("sns")
    upload(2)
    trigger = mark()
    owner = ledger.owner_of(registered(trigger)["batch"]["id"])
    handle("record_failure", execution=owner, input=trigger, error={"Error": "X", "Cause": "why"})
    (told,) = notices.requests_of("publish")
    assert "start an execution with the same input" in told["Message"] and "redrive" not in told["Message"]


# --- a later marker that takes over


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
