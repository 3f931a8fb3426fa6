"""Images that change or go after they were labelled: what was labelled is what trains, judges and measures people."""

import hashlib
import json

import boto3
import people
import pytest
from batch_rounds import merge, run_round
from handling import PREFIX, handle, mark, picture, registered, upload
from labelloop import ledger, storage
from labelloop.batches import Files
from labelloop.manifests import Annotation
from labelloop.records import Box
from made_up_stack import BUCKET

JOB = "labelloop-train-1-0123abcd"
pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def key(number: int) -> str:
    return f"{PREFIX}{number:02d} ü+%20.png"


def labelled(change_setting, count: int = 4, **settings: str) -> str:
    """A finished batch, all of it the sample; its dataset version."""
    for name, value in {"SAMPLE_RATE": "1", "HUMAN_BUDGET": "9", **settings}.items():
        change_setting(name, value)
    upload(count)
    batch = registered()["batch"]["id"]
    merged = run_round(batch, 1)
    assert merged["human"] == count
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    return str(merged["dataset_version"])


def assembled(version: str) -> tuple[list[dict], list[str]]:
    """The lines that the training job reads, and the objects it fetches."""
    told = handle("assemble_dataset", job=JOB, dataset_version=version)
    lines = [
        line
        for role in ("train", "calibration", "gold")
        for line in storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl")
    ]
    return lines, json.loads(storage.read(storage.own_key(told["images_uri"])))[1:]


def annotation(name: str) -> str:
    return Annotation(name, None, 64, 48, (Box("head", 1, 2, 3, 4),), True, "", "theirs").to_line(("head", "bag"))


def overwrite(*numbers: int) -> None:
    for number in numbers:
        storage.write(key(number), picture(200 + number))


def test_what_was_labelled_trains_although_it_was_overwritten_or_deleted_since(change_setting) -> None:
    version = labelled(change_setting)
    overwrite(0)
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key(1))
    lines, fetched = assembled(version)
    assert len(lines) == len(fetched) == 4
    for line in lines:
        body = storage.read(storage.own_key(line["source-ref"]))
        assert hashlib.sha256(body).hexdigest() == line["provenance"]["sha256"]
        assert storage.own_key(line["source-ref"]) in fetched
    assert {line["original-ref"] for line in lines if "original-ref" in line} == {storage.uri(key(n)) for n in (0, 1)}
    assert assembled(version) == (lines, fetched), "a second attempt finds the same"


def test_an_image_that_is_gone_for_good_does_not_cost_the_training(change_setting) -> None:
    version = labelled(change_setting)
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=key(2)).delete()
    lines, fetched = assembled(version)
    assert len(lines) == len(fetched) == 3 and all(storage.exists(each) for each in fetched)


def test_a_label_that_names_no_version_trains_as_it_is() -> None:
    from labelloop import labelled_bytes

    lines = [json.dumps({"source-ref": storage.uri("incoming/old/a.png"), "provenance": {"batch": "b"}})]
    assert labelled_bytes.secure(lines, "training/x/images") == lines


def test_an_image_that_was_overwritten_measures_nobody(change_setting) -> None:
    labelled(change_setting, 6, HONEYPOT_RATE="0.5", GOLD_SHARE="0.9", CALIBRATION_SHARE="0.05")
    overwrite(0, 1, 2, 3)
    for number in range(6):
        storage.write(f"incoming/two/{number:02d}.png", picture(110 + number))
    batch = registered(mark(prefix="incoming/two/"), "two")["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    pots = {line["source-ref"] for line in storage.read_lines(Files(batch).honeypots(1))}
    assert pots and pots <= {storage.uri(key(4)), storage.uri(key(5))}


def test_a_label_drawn_while_other_bytes_came_and_went_is_not_taken() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    overwrite(0)
    people.answer_round(batch, 1)
    storage.write(key(0), picture(10))
    assert merge(batch, 1)["human"] == 1
    assert run_round(batch, 2)["human"] == 2


def test_what_came_and_went_before_the_batch_was_registered_does_not_matter() -> None:
    overwrite(0)
    upload(2)
    assert run_round(registered()["batch"]["id"], 1)["human"] == 2
    assert not list(storage.keys("canonical/"))


def test_an_imported_label_does_not_name_other_bytes_than_those_it_is_recorded_for() -> None:
    upload(2)
    names = [key(number).removeprefix(PREFIX) for number in range(2)]
    storage.write(f"{PREFIX}labels.manifest", "\n".join(annotation(name) for name in names).encode())
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    batch, uri = state["batch"]["id"], state["batch"]["labels_uri"]
    overwrite(0)
    handle("import_labels", batch_id=batch, labels_uri=uri)
    assert merge(batch, 0)["human"] == 1
    version = run_round(batch, 1)["dataset_version"]
    lines = storage.read_lines(f"datasets/{version}/manifest.jsonl")
    assert len(lines) == 2
    for line in lines:
        body = storage.read(storage.own_key(line["source-ref"]))
        assert hashlib.sha256(body).hexdigest() == line["provenance"]["sha256"]


def test_the_report_says_which_labels_name_objects_that_changed_after_them(change_setting) -> None:
    change_setting("HUMAN_BUDGET", "9")
    upload(4)
    batch = registered()["batch"]["id"]
    assert run_round(batch, 1)["human"] == 4
    overwrite(0)
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key(3))
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert storage.read_json(f"{Files(batch).root}/summary.json").get("changed_since") == 2
    assert "2 images were overwritten or deleted after" in storage.read(f"{Files(batch).root}/report.html").decode()
    versions = {line["source-ref"]: line["provenance"] for line in storage.read_lines(Files(batch).annotations)}
    told = versions[storage.uri(key(0))]
    body = storage.read(key(0), told["version-id"])
    assert hashlib.sha256(body).hexdigest() == told["sha256"]
