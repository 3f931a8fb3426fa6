"""What is written once is verified when it is read: what is gone or changed stops the work, and loses nothing."""

import json

import boto3
import pytest
from batch_rounds import refs, run_round
from handling import MODEL, THRESHOLDS, crown, execution, handle, mark, picture, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import datasets, storage
from made_up_stack import BUCKET
from tampering import Change, another_batch, changes, delete, labelled_batch, put_in_place, refusal, restore

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.mark.fault("G09")
@changes
def test_a_dataset_that_was_edited_is_neither_built_on_nor_trained_on(change: Change) -> None:
    _, version = labelled_batch()
    key = f"datasets/{version}/manifest.jsonl"
    published = storage.read(key)
    storage.write(key, change(published))
    other = another_batch()
    for work in (lambda: run_round(other, 1), lambda: handle("assemble_dataset", job="j1", dataset_version=version)):
        said = refusal(work)
        assert "was changed after it was written" in said and key in said and "list-object-versions" in said
    restore(key)
    handle("assemble_dataset", job="j1", dataset_version=version)
    merged = run_round(other, 1)["dataset_version"]
    assert len(datasets.load(merged).lines) == 3 + 2, "nothing was lost"


@pytest.mark.parametrize("name", ["manifest.jsonl", "card.json"])
def test_a_dataset_that_is_gone_is_not_an_empty_one(name: str) -> None:
    _, version = labelled_batch()
    delete(f"datasets/{version}/{name}")
    other = another_batch()
    works = [lambda: handle("assemble_dataset", job="j1", dataset_version=version)]
    if name == "manifest.jsonl":
        works.append(lambda: run_round(other, 1))
    for work in works:
        assert f"datasets/{version}/{name} is not there" in refusal(work)
    restore(f"datasets/{version}/{name}")
    assert len(datasets.load(run_round(other, 1)["dataset_version"]).lines) == 3 + 2


def test_a_pointer_that_is_gone_does_not_start_the_dataset_anew() -> None:
    labelled_batch()
    delete("datasets/current")
    other = another_batch()
    said = refusal(lambda: run_round(other, 1))
    assert "datasets/current is gone" in said and "list-object-versions" in said
    restore("datasets/current")
    assert len(datasets.load(run_round(other, 1)["dataset_version"]).lines) == 3 + 2


def test_a_bucket_without_its_history_tells_by_its_versions_that_the_pointer_is_gone() -> None:
    labelled_batch()
    assert len(datasets.load(run_round(another_batch(), 1)["dataset_version"]).lines) == 3 + 2
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix="datasets/current").delete()
    assert "datasets/current is gone, although dataset versions exist" in refusal(datasets.current)


def test_a_champion_that_is_gone_does_not_send_everything_to_people() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    crown()
    delete("models/champion")
    assert "models/champion is gone" in refusal(lambda: handle("begin_round", batch_id=batch, round=1))


@changes
def test_thresholds_that_were_edited_accept_nothing(change: Change, change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    upload(5)
    batch = registered()["batch"]["id"]
    crown(threshold=0.95)
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    handle("begin_round", batch_id=batch, round=1)
    storage.write(THRESHOLDS, storage.read(THRESHOLDS) + b"\n")  # a second version is a change, whatever it holds
    storage.write(THRESHOLDS, change(storage.read(THRESHOLDS)))
    assert "was changed after it was written" in refusal(lambda: handle("judge_batch", batch_id=batch, round=1))


def test_a_model_archive_that_was_changed_is_not_deployed(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Creating"})
    key = f"models/{MODEL}/model.tar.gz"
    storage.write(key, b"the archive that was registered")
    storage.write(key, b"another one")
    given = {"task_token": "t", "execution": execution("deploys", "TRAIN_MODEL_ARN"), "timeout_seconds": 600}
    assert "was changed after it was written" in refusal(lambda: handle("deploy_model", model_version=MODEL, **given))
    assert sagemaker.requests_of("create_endpoint") == []


@pytest.mark.fault("I17")
def test_what_version_0_1_wrote_is_read_as_long_as_nobody_wrote_it_again() -> None:
    """Its objects carry no hash."""
    upload(3)
    batch = registered()["batch"]["id"]
    key = Files(batch).inventory
    body = storage.read(key)
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=key).delete()
    storage.write(key, body)
    assert len(batches.images(batch)) == 3
    storage.write(key, body.replace(b'"sampled":true', b'"sampled":false'))
    assert "was changed after it was written" in refusal(lambda: batches.images(batch))


@pytest.mark.fault("I17")
def test_a_dataset_pointer_of_version_0_1_without_a_hash_is_followed() -> None:
    _, version = labelled_batch()
    pointer = storage.read_pointer("datasets/current")
    assert storage.flip_pointer("datasets/current", {"version": version}, pointer)
    assert json.loads(storage.read("datasets/current")) == {"version": version}
    assert len(datasets.current().lines) == 3


# --- another object in its place, with that one's metadata


def test_an_older_version_in_the_place_of_a_newer_one_is_not_that_one() -> None:
    _, first = labelled_batch()
    second = run_round(another_batch(), 1)["dataset_version"]
    for name in ("manifest.jsonl", "card.json"):
        put_in_place(f"datasets/{first}/{name}", f"datasets/{second}/{name}")
    said = refusal(lambda: handle("assemble_dataset", job="j1", dataset_version=second))
    assert "was changed after it was written" in said and second in said


# --- pointers


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"v000001"', b'{"sha256": "x"}', b'{"version": 3}'])
def test_a_pointer_that_names_nothing_is_told_and_loses_nothing(body: bytes) -> None:
    labelled_batch()
    storage.write("datasets/current", body)
    other = another_batch()
    said = refusal(lambda: run_round(other, 1))
    assert "datasets/current was changed" in said and "list-object-versions" in said
    restore("datasets/current")
    assert len(datasets.load(run_round(other, 1)["dataset_version"]).lines) == 3 + 2


def test_a_pointer_that_was_rolled_back_is_built_on() -> None:
    _, first = labelled_batch()
    run_round(another_batch(), 1)
    storage.write_json("datasets/current", {"version": first})
    storage.write("incoming/week 3/0.png", picture(50))
    third = run_round(registered(mark(prefix="incoming/week 3/"), "three")["batch"]["id"], 1)["dataset_version"]
    assert third.startswith("v000002-") and len(datasets.load(third).lines) == 3 + 1
