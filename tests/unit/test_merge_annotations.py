"""Merge Annotations: labels become a dataset version, and every image gets exactly one outcome."""

import people
import pytest
from batch_rounds import merge, refs, run_round
from handling import MODEL, crown, handle, predict, registered, upload, write_otherwise
from labelloop.batch import batches
from labelloop.contracts.errors import ConservationError
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import storage, training_lock

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_human_and_machine_labels_become_one_dataset_version() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    merged = run_round(batch, 1)
    assert (merged["auto"], merged["human"], merged["deferred"], merged["another_round"]) == (2, 3, 0, False)
    lines = storage.read_lines(f"datasets/{merged['dataset_version']}/manifest.jsonl")
    roles = [line["provenance"].get("role") for line in lines]
    assert roles.count(None) == 2 and set(roles) <= {None, "train", "judge"}
    assert all(line["provenance"]["model"] == MODEL and line["provenance"]["batch"] == batch for line in lines)


@pytest.mark.fault("G03")
def test_merging_twice_publishes_once() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    first = run_round(batch, 1)
    people.answer_round(batch, 1, lambda line: None)
    assert merge(batch, 1) == first
    assert first["dataset_version"].startswith("v000001-")


def test_a_round_in_which_nobody_answered_ends_the_batch_with_deferred_images_not_a_spin() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    merged = run_round(batch, 1, answered=0)
    assert merged["deferred"] == 2 and not merged["another_round"] and merged["dataset_version"] == ""


def test_rounds_go_on_while_something_gets_labelled_and_stop_at_the_last(change_setting) -> None:
    change_setting("MAX_ROUNDS", "2")
    upload(6)
    batch = registered()["batch"]["id"]
    first = run_round(batch, 1, answered=1)
    assert first["another_round"] and first["next_round"] == 2
    second = run_round(batch, 2, answered=1)
    assert second["deferred"] == 4 and not second["another_round"]


def test_retraining_waits_for_enough_new_labels() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    merged = run_round(batch, 1)
    trained = storage.read_json(f"datasets/{merged['dataset_version']}/card.json")["train"]
    training_lock.note_training(merged["dataset_version"], trained, "job")
    assert not run_round(batch, 2, answered=0)["retrain"]
    training_lock.note_training(merged["dataset_version"], trained - 2, "job")
    assert merge(batch, 2)["retrain"]


@pytest.mark.parametrize(("policy", "within"), [("certified", False), ("fixed", True)])
def test_a_model_that_could_accept_nothing_more_is_trained_after_the_batch(change_setting, policy, within) -> None:
    for name, value in {"ACCEPT_POLICY": policy, "MAX_ROUNDS": "2", "RETRAIN_MINIMUM": "0"}.items():
        change_setting(name, value)
    upload(6)
    batch = registered()["batch"]["id"]
    estimate = storage.read_json(Files(batch).estimate)
    storage.write_json(Files(batch).estimate, {**estimate, "accepting_rounds": 1})
    crown(threshold=None)
    first = run_round(batch, 1, answered=1)
    assert first["another_round"] and first["retrain"] == within
    last = run_round(batch, 2, answered=1)
    assert not last["another_round"] and last["retrain"]


def test_an_image_that_would_get_two_outcomes_stops_the_merge_and_nothing_is_published() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    published = run_round(batch, 1)["dataset_version"]
    done = batches.round_annotations(batch, 1)[0].source_ref
    handle("begin_round", batch_id=batch, round=2)
    handle("judge_batch", batch_id=batch, round=2)
    decisions = storage.read_lines(Files(batch).decisions(2))
    write_otherwise(Files(batch).decisions(2), [*decisions, {**decisions[0], "source-ref": done}])
    (job,) = jobs.of_round(Files(batch), 2)
    manifest = storage.own_key(job.manifest_uri)
    write_otherwise(manifest, [*storage.read_lines(manifest), {"source-ref": done}])
    people.answer_round(batch, 2)
    with pytest.raises(ConservationError, match="1 with more than one outcome"):
        merge(batch, 2)
    assert storage.read_pointer("datasets/current").value["version"] == published


@pytest.mark.fault("G04")
def test_an_image_that_was_lost_on_the_way_stops_the_merge() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    write_otherwise(Files(batch).decisions(1), storage.read_lines(Files(batch).decisions(1))[1:])
    with pytest.raises(ConservationError, match="1 without an outcome"):
        merge(batch, 1)
    assert storage.read_pointer("datasets/current") is None
