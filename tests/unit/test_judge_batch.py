"""Judge Batch: what the model surely knows is labelled, people are asked within the budget, the rest waits."""

import pytest
from batch_rounds import asked_in, refs
from handling import crown, handle, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import storage

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.mark.fault("E02")
def test_people_start_where_there_is_no_model_and_the_budget_holds() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    judged = handle("judge_batch", batch_id=batch, round=1)
    assert (judged["auto"], judged["human"], judged["rejected"], judged["deferred"]) == (0, 3, 0, 2)
    lines = asked_in(batch, 1)
    assert judged["jobs"] == 1 and len(lines) == 3 and all(set(line) == {"source-ref", "image-size"} for line in lines)
    sampled = {image.source_ref for image in batches.images(batch) if image.item.sampled}
    assert {line["source-ref"] for line in lines} == sampled


def test_the_machine_labels_what_it_surely_knows_and_people_see_its_proposals() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    sampled = {image.source_ref for image in batches.images(batch) if image.item.sampled}
    sure, unsure = sorted(set(refs(batch)) - sampled)
    predict(batch, 1, {**dict.fromkeys(refs(batch), 0.9), unsure: 0.3})
    handle("begin_round", batch_id=batch, round=1)
    judged = handle("judge_batch", batch_id=batch, round=1)
    assert judged["auto"] == 1 and judged["human"] == 3 and judged["deferred"] == 1
    decided = {each.source_ref: each.decision for each in batches.round_decisions(batch, 1)}
    assert decided == {**dict.fromkeys(sampled, "human"), sure: "auto", unsure: "deferred"}
    (proposal, *_) = asked_in(batch, 1)
    assert proposal["proposed-boxes"]["annotations"][0]["width"] == 30


def test_judging_twice_decides_once() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    first = handle("judge_batch", batch_id=batch, round=1)
    before = storage.read(Files(batch).decisions(1))
    assert handle("judge_batch", batch_id=batch, round=1) == first
    assert storage.read(Files(batch).decisions(1)) == before


@pytest.mark.parametrize(("usable", "told"), [(0, True), (1, False)])
def test_a_model_of_which_no_answer_can_be_used_is_told(monkeypatch, usable, told) -> None:
    """People are asked; without a word they would be asked for everything as long as that endpoint serves."""
    upload(6)
    batch = str(registered()["batch"]["id"])
    crown(threshold=0.5)
    counted = []
    monkeypatch.setattr("judge_batch.count", lambda name, value=1: counted.append(name))
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    for key in list(storage.keys(Files(batch).predictions(1))):
        lines = storage.read_lines(key)
        other = [line | {"model": "v000000-another1"} for line in lines[usable:]]
        storage.write_lines(key, [*lines[:usable], *other])
    handle("judge_batch", batch_id=batch, round=1)
    assert ("InferenceGaveNothing" in counted) == told
