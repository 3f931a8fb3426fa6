"""What the files of a batch say together: its images, shards and rounds, and the one outcome that each image has."""

import boto3
import pytest
from batch_rounds import inspect_shards, merge, refs, run_round
from handling import MODEL, crown, execution, handle, mark, predict, registered, upload, write_otherwise
from hypothesis import given
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.errors import ConservationError
from labelloop.contracts.layout import Files
from labelloop.store import storage
from made_up_stack import BUCKET

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")
records = st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3), max_size=6)


@loop
def test_a_lost_shard_stays_visible_as_deferred_images() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    batch, first = state["batch"]["id"], storage.read_lines(state["batch"]["inspect_key"])[0]
    handle("inspect_images", batch_id=batch, shard=first["shard"], objects_uri=first["uri"])
    merged = run_round(batch, 1)
    assert (merged["human"], merged["deferred"]) == (2, 1)


@loop
def test_a_shard_that_is_inspected_after_its_round_was_judged_is_deferred_to_the_next_round() -> None:
    """The execution died behind Judge Batch; the one that takes over finds the lost shard."""
    upload(3)
    trigger = mark()
    state = handle("register_batch", event=trigger, execution=(first := execution("one")))
    batch = state["batch"]["id"]
    inspect_shards(state, 0, 1)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    assert handle("register_batch", event=trigger, execution=execution("two"))["batch"]["attempt"] == 2
    inspect_shards(state, 1)
    merged = run_round(batch, 1)
    assert (merged["human"], merged["deferred"], merged["another_round"]) == (2, 1, True)
    merged = run_round(batch, 2)
    assert (merged["human"], merged["deferred"]) == (3, 0)


@loop
def test_an_image_lost_from_the_decisions_is_found_beside_a_shard_that_is_inspected_late() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    batch = state["batch"]["id"]
    inspect_shards(state, 0, 1)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    inspect_shards(state, 1)
    handle("begin_round", batch_id=batch, round=1)
    write_otherwise(Files(batch).decisions(1), storage.read_lines(Files(batch).decisions(1))[1:])
    with pytest.raises(ConservationError, match="1 without an outcome"):
        merge(batch, 1)


# --- shards


@given(records, records)
def test_a_shard_is_named_by_what_is_in_it_and_in_which_order(one, other) -> None:
    name = batches.shard_name("infer-1", one)
    assert name.startswith("infer-1-") and name == batches.shard_name("infer-1", [dict(each) for each in one])
    assert (name == batches.shard_name("infer-1", other)) == (one == other)
    assert name != batches.shard_name("infer-2", one)


@loop
@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (4, [2, 2]), (5, [2, 2, 1])])
def test_shards_hold_every_record_once_in_its_order_and_a_list_says_where(count, sizes) -> None:
    given_records = [{"number": number} for number in range(count)]
    listed = storage.read_lines(batches.write_shards(Files("b"), "inspect", given_records, 2))
    held = [storage.read_lines(storage.own_key(item["uri"])) for item in listed]
    assert [record for shard in held for record in shard] == given_records
    assert [len(shard) for shard in held] == sizes
    assert [item["shard"] for item in listed] == [batches.shard_name("inspect", shard) for shard in held]


# --- images


@loop
def test_images_come_in_key_order_and_one_whose_inspection_was_lost_under_the_name_of_its_object() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    inspect_shards(state, 0, 1)
    everything = batches.images(state["batch"]["id"])
    assert [image.item.key for image in everything] == sorted(image.item.key for image in everything)
    assert [image.inspection is None for image in everything] == [False, False, True]
    assert everything[2].source_ref == storage.uri(everything[2].item.key) and not everything[2].readable
    assert batches.sizes(everything) == {image.source_ref: (64, 48) for image in everything[:2]}


@loop
def test_an_image_has_in_each_round_the_name_that_it_had_there() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    before = refs(batch)
    (found, _) = (image.inspection.to_json() for image in batches.images(batch))
    moved = storage.uri(f"batches/{batch}/kept/one.png")
    storage.write_lines(Files(batch).moved(2), [{**found, "source-ref": moved}])
    assert [image.source_ref for image in batches.images(batch, 1)] == before
    for number in (2, 3, None):
        assert [image.source_ref for image in batches.images(batch, number)] == [moved, before[1]]


# --- outcomes


@loop
def test_every_image_has_one_outcome_after_each_round_and_final_ones_stay() -> None:
    upload(5)
    storage.write("incoming/week 1/broken.png", b"no picture")
    batch = registered()["batch"]["id"]
    rejected = storage.uri("incoming/week 1/broken.png")
    run_round(batch, 1, answered=1)
    everything = batches.images(batch)
    first = batches.outcomes(batch, everything, 1)
    assert set(first) == {image.source_ref for image in everything}
    assert sorted(first.values()) == ["deferred"] * 4 + ["human", "rejected"] and first[rejected] == "rejected"
    run_round(batch, 2)
    second = batches.outcomes(batch, everything, 2)
    assert {ref: second[ref] for ref in first if first[ref] != "deferred"} == {
        ref: outcome for ref, outcome in first.items() if outcome != "deferred"
    }
    assert batches.outcomes(batch, everything, 1) == first, "what a round left is read as it was"
    done = {image.item.key for image in everything if second[image.source_ref] != "deferred"}
    assert batches.labelled_keys(batch) == done
    counts = batches.check_conservation(batch, everything, 2)
    assert sum(counts.values()) == 6 and counts["rejected"] == 1


@loop
@pytest.mark.parametrize("lost", ["decisions", "round_annotations"])
def test_labels_of_an_ended_round_that_are_gone_are_missed_not_taken_for_none(lost) -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    everything = batches.images(batch)
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=getattr(Files(batch), lost)(1))
    assert batches.decided_rounds(batch) == [1], "also a round whose decisions are gone"
    with pytest.raises(storage.MissingObjectError, match="is gone"):
        batches.outcomes(batch, everything, 1)
    with pytest.raises(storage.MissingObjectError, match="is gone"):
        batches.labelled_keys(batch)


@loop
def test_what_a_round_begins_without_is_kept_once_and_only_where_something_is_missing() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    batch = state["batch"]["id"]
    inspect_shards(state, 0, 1)
    batches.pin_uninspected(batch, 1, batches.images(batch))
    (kept,) = storage.read_lines(Files(batch).uninspected(1))
    inspect_shards(state, 1)
    batches.pin_uninspected(batch, 1, batches.images(batch))
    assert storage.read_lines(Files(batch).uninspected(1)) == [kept]
    batches.pin_uninspected(batch, 2, batches.images(batch))
    assert not storage.exists(Files(batch).uninspected(2))


# --- what the model said


@loop
def test_predictions_and_poison_are_those_of_the_rounds_that_worked_with_this_model() -> None:
    upload(3)
    crown()
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    one, two, three = refs(batch)
    predict(batch, 1, {one: 0.9, two: 0.3})
    everything = batches.images(batch)
    batches.note_inference(Files(batch), 1, 3, "", {three})
    assert set(batches.seen(batch, MODEL, 1, everything).usable) == {one, two} == batches.answered(batch, 1)
    assert batches.poison(batch, MODEL, 1) == {three}
    for model, last in (("", 1), ("v000009-other", 1), (MODEL, 0)):
        assert not batches.seen(batch, model, last, everything).usable
        assert batches.poison(batch, model, last) == set()


@loop
def test_what_was_found_to_be_poison_stays_so_when_its_round_is_started_again() -> None:
    files = Files("b")
    batches.note_inference(files, 1, 9, "", {"s3://b/2"})
    batches.note_inference(files, 1, 7, "the endpoint is gone", {"s3://b/1"})
    assert storage.read_json(files.inference(1)) == {
        "asked": 7,
        "outage": "the endpoint is gone",
        "poison": ["s3://b/1", "s3://b/2"],
    }
