"""The files of a batch are verified when they are read: one that is gone or changed stops it, and costs no label."""

import json
from collections.abc import Callable

import people
import pytest
from batch_rounds import collect, merge, refs, run_round
from handling import crown, erase, execution, handle, mark, predict, registered, upload
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import ledger, storage
from tampering import Change, another_batch, changes, delete, labelled_batch, put_in_place, refusal, restore

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def asked_and_answered() -> tuple[str, Files]:
    """A batch with a model whose people have answered, just before its labels are merged."""
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    return batch, Files(batch)


@changes
@pytest.mark.parametrize("name", ["inventory", "decisions", "pin", "annotations", "job manifest", "job", "collected"])
def test_files_of_a_batch_that_were_edited_stop_it_until_they_are_restored(name: str, change: Change) -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    run_round(batch, 1)
    files = Files(batch)
    key = {
        "inventory": files.inventory,
        "decisions": files.decisions(1),
        "pin": files.round(1),
        "annotations": files.round_annotations(1),
        "job manifest": storage.own_key(jobs.of_round(files, 1)[0].manifest_uri),
        "job": files.job(1, 1),
        "collected": files.answers(1, jobs.of_round(files, 1)[0].name),
    }[name]
    storage.write(key, change(storage.read(key)))
    owner = ledger.owner_of(batch)

    def report() -> None:
        handle("merge_annotations", batch_id=batch, round=1)
        handle("collect_labels", batch_id=batch, round=1, job=1)
        handle("report_batch", batch_id=batch, execution=owner)

    said = refusal(report)
    assert "was changed after it was written" in said and key in said
    restore(key)
    report()
    assert storage.read_json(f"{files.root}/summary.json")["images"] == 5


@pytest.mark.parametrize("name", ["decisions", "annotations"])
def test_labels_of_an_ended_round_that_are_gone_are_not_asked_for_again(name: str) -> None:
    upload(6)
    batch = registered()["batch"]["id"]
    run_round(batch, 1, answered=2)
    key = {"decisions": Files(batch).decisions(1), "annotations": Files(batch).round_annotations(1)}[name]
    delete(key)
    assert f"{key} is gone" in refusal(lambda: handle("begin_round", batch_id=batch, round=2))
    restore(key)
    assert handle("begin_round", batch_id=batch, round=2)["open"] == 4


@pytest.mark.parametrize("name", ["inventory", "decisions", "pin", "job manifest", "job", "answers"])
def test_a_file_of_a_batch_that_is_gone_costs_no_label(name: str) -> None:
    batch, files = asked_and_answered()
    (job,) = jobs.of_round(files, 1)
    key = {
        "inventory": files.inventory,
        "decisions": files.decisions(1),
        "pin": files.round(1),
        "job manifest": storage.own_key(job.manifest_uri),
        "job": files.job(1, 1),
        "answers": f"{files.labeling(1)}/{people.output_place(job.name)}",
    }[name]
    delete(key)
    said = refusal(lambda: merge(batch, 1))
    assert key in said and "is not there any more" in said and "list-object-versions" in said
    restore(key)
    merged = merge(batch, 1)
    assert (merged["human"], merged["auto"]) == (3, 2), "everything that people and the model said"


changed_answers = pytest.mark.parametrize(
    "change", [lambda body: b"", lambda body: body.replace(b'"left":3', b'"left":1')], ids=["emptied", "a digit"]
)


@changed_answers
def test_answers_that_change_after_they_were_collected_change_no_label(change) -> None:
    """Ground Truth writes them, without a hash; what was collected of them has one."""
    batch, files = asked_and_answered()
    (job,) = jobs.of_round(files, 1)
    collect(batch, 1)
    key = f"{files.labeling(1)}/{people.output_place(job.name)}"
    storage.write(key, change(storage.read(key)))
    assert merge(batch, 1)["human"] == 3
    labels = [json.loads(line) for line in storage.find_text_lines(files.round_annotations(1))]
    drawn = [each["boxes"]["annotations"][0]["left"] for each in labels if each["provenance"].get("role")]
    assert drawn == [people.DRAWN[0].left] * 3


@changed_answers
def test_answers_that_an_earlier_version_collected_and_that_changed_since_are_not_merged(change) -> None:
    """It noted their hash, and not what they say."""
    batch, files = asked_and_answered()
    (job,) = jobs.of_round(files, 1)
    assert handle("collect_labels", batch_id=batch, round=1, job=1)["more"] is False
    erase(files.answers(1, job.name))
    key = f"{files.labeling(1)}/{people.output_place(job.name)}"
    body = storage.read(key)
    assert change(body) != body
    storage.write(key, change(body))
    for name in ({"name": "merge_annotations"}, {"name": "collect_labels", "job": 1}):
        said = refusal(lambda name=name: handle(**name, batch_id=batch, round=1))
        assert key in said and "was changed after it was collected" in said and "list-object-versions" in said
    storage.write(key, body)
    assert handle("merge_annotations", batch_id=batch, round=1)["human"] == 3


@pytest.mark.parametrize("name", ["decisions", "pin"])
def test_what_a_round_decided_is_not_decided_anew_after_it_was_deleted(name: str) -> None:
    batch, files = asked_and_answered()
    key = {"decisions": files.decisions(1), "pin": files.round(1)}[name]
    written = storage.read(key)
    delete(key)
    crown("v000002-0123abcd", threshold=0.1)
    restart = (
        lambda: handle("begin_round", batch_id=batch, round=1),
        lambda: handle("judge_batch", batch_id=batch, round=1),
    )
    assert any("is not there any more" in refusal(work) for work in restart)
    restore(key)
    assert all(refusal(work) == "" for work in restart) and storage.read(key) == written


def test_the_inventory_of_a_finished_batch_that_is_gone_does_not_make_its_images_new() -> None:
    batch, _ = labelled_batch()
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    delete(Files(batch).inventory)
    again = mark()
    said = refusal(lambda: handle("register_batch", event=again, execution=execution("two")))
    assert f"{Files(batch).inventory} is not there any more" in said
    restore(Files(batch).inventory)
    assert handle("register_batch", event=again, execution=execution("three"))["batch"]["objects"] == 0


@pytest.mark.parametrize("change", [delete, lambda key: storage.write(key, b"")], ids=["deleted", "emptied"])
def test_imported_labels_that_are_gone_are_not_asked_for(change: Callable[[str], object]) -> None:
    upload(3)
    lines = [{"source-ref": f"{n:02d} ü+%20.png", **people.boxes()} for n in range(3)]
    storage.write_lines("incoming/week 1/labels.manifest", lines)
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    batch = state["batch"]["id"]
    handle("import_labels", batch_id=batch, labels_uri=state["batch"]["labels_uri"])
    change(Files(batch).imported_labels)
    assert Files(batch).imported_labels in refusal(lambda: merge(batch, 0))
    restore(Files(batch).imported_labels)
    assert merge(batch, 0)["human"] == 3


@pytest.mark.parametrize("name", ["inventory", "decisions", "pin", "job"])
def test_a_file_of_another_batch_is_not_that_of_this_one(name: str) -> None:
    batch, files = asked_and_answered()
    other = Files(another_batch())
    for step in ("begin_round", "judge_batch"):
        handle(step, batch_id=other.batch_id, round=1)
    place = {
        "inventory": lambda of: of.inventory,
        "decisions": lambda of: of.decisions(1),
        "pin": lambda of: of.round(1),
        "job": lambda of: of.job(1, 1),
    }[name]
    put_in_place(place(other), place(files))
    assert "was changed after it was written" in refusal(lambda: merge(batch, 1))
    restore(place(files))
    assert merge(batch, 1)["human"] == 3


@pytest.mark.parametrize("name", ["inventory", "decisions"])
def test_a_report_without_a_file_of_the_batch_is_not_a_report_of_nothing(name: str) -> None:
    """It would put an empty manifest in the place of the labels."""
    batch, _ = labelled_batch()
    files, owner = Files(batch), ledger.owner_of(batch)
    handle("report_batch", batch_id=batch, execution=owner)
    shipped = storage.read(files.annotations)
    key = {"inventory": files.inventory, "decisions": files.decisions(1)}[name]
    delete(key)
    said = refusal(lambda: handle("report_batch", batch_id=batch, execution=owner))
    assert f"{key} is not there any more" in said and storage.read(files.annotations) == shipped
    restore(key)
    handle("report_batch", batch_id=batch, execution=owner)
    assert shipped and storage.read(files.annotations) == shipped


def inspection_of(batch: str) -> str:
    return next(storage.keys(Files(batch).inspections))


@pytest.mark.parametrize("change", [lambda body: b"", lambda body: body.replace(b'"width":64', b'"width":32')])
def test_an_inspection_that_was_edited_stops_the_batch(change: Change) -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    key = inspection_of(batch)
    storage.write(key, change(storage.read(key)))
    said = refusal(lambda: handle("begin_round", batch_id=batch, round=1))
    assert "was changed after it was written" in said and key in said
    restore(key)
    assert handle("begin_round", batch_id=batch, round=1)["open"] == 4


def test_an_inspection_that_is_gone_is_made_again() -> None:
    upload(4)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    key = inspection_of(batch)
    delete(key)
    assert handle("begin_round", batch_id=batch, round=1)["open"] < 4
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    registered(trigger, "two")
    assert handle("begin_round", batch_id=batch, round=1)["open"] == 4


@pytest.mark.parametrize("body", [b"", b"\xff", b"3"])
def test_a_note_that_is_no_json_any_more_is_told_by_its_name(body: bytes) -> None:
    batch, _ = labelled_batch()
    storage.write(Files(batch).estimate, body)
    said = refusal(lambda: handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch)))
    assert f"{Files(batch).estimate} was changed" in said
