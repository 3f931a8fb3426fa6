"""The same key gets other bytes while the batch works: what was registered is what is seen, labelled and trained on."""

import hashlib

import boto3
import people
import pytest
from batch_rounds import asked_in, merge, refs, run_round
from handling import PREFIX, crown, execution, handle, mark, picture, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from made_up_stack import BUCKET

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def key(number: int) -> str:
    return f"{PREFIX}{number:02d} ü+%20.png"


def overwrite(*numbers: int) -> None:
    for number in numbers:
        storage.write(key(number), picture(200 + number))


def remove(*numbers: int) -> None:
    for number in numbers:
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=key(number))


def assert_labels_are_of_what_they_name(version: str) -> int:
    """Every label of the dataset names bytes with the hash it was made for; how many there are."""
    lines = storage.read_lines(f"datasets/{version}/manifest.jsonl")
    for line in lines:
        found = hashlib.sha256(storage.read(storage.own_key(line["source-ref"]))).hexdigest()
        assert found == line["provenance"]["sha256"], line["source-ref"]
    return len(lines)


changes = pytest.mark.parametrize("change", [overwrite, remove], ids=["overwritten", "deleted"])


@pytest.mark.fault("A09", "A11")
@changes
def test_a_label_drawn_while_the_image_changed_is_not_taken_and_asked_again_on_the_registered_bytes(change) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    was = {image.item.key: image.inspection.sha256 for image in batches.images(batch)}
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    change(0)
    people.answer_round(batch, 1)
    first = merge(batch, 1)
    assert (first["human"], first["deferred"], first["another_round"]) == (1, 1, True)
    assert_labels_are_of_what_they_name(first["dataset_version"])
    second = run_round(batch, 2)
    (asked,) = asked_in(batch, 2)
    assert asked["source-ref"].startswith(f"s3://{BUCKET}/canonical/{batch}/")
    assert assert_labels_are_of_what_they_name(second["dataset_version"]) == 2
    lines = storage.read_lines(f"datasets/{second['dataset_version']}/manifest.jsonl")
    (line,) = [each for each in lines if "original-ref" in each]
    assert line["original-ref"] == storage.uri(key(0)) and line["provenance"]["sha256"] == was[key(0)]
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert [row["changed"] for row in storage.read_json(f"{Files(batch).root}/summary.json")["rounds"]] == [1, 0]


@pytest.mark.fault("A09")
@changes
def test_before_the_round_begins_the_registered_bytes_are_secured(change) -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    change(0, 2)
    merged = run_round(batch, 1)
    assert merged["human"] == 3 and assert_labels_are_of_what_they_name(merged["dataset_version"]) == 3
    assert sum("canonical/" in ref for ref in refs(batch)) == 2


@pytest.mark.fault("A09")
def test_between_inference_and_judgement_nobody_is_asked_about_other_bytes() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    overwrite(1)
    handle("judge_batch", batch_id=batch, round=1)
    (waiting,) = [each for each in batches.round_decisions(batch, 1) if "image-changed" in each.reasons]
    assert waiting.decision == "deferred" and waiting.source_ref == storage.uri(key(1))
    people.answer_round(batch, 1)
    merge(batch, 1)
    again = handle("begin_round", batch_id=batch, round=2)
    (shard,) = storage.read_lines(again["requests_key"])
    asked = [line["source-ref"] for line in storage.read_lines(storage.own_key(shard["uri"]))]
    assert [ref for ref in asked if "canonical/" in ref], "the model looks at the registered bytes"


def test_a_machines_label_is_not_shipped_for_other_bytes(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.5")
    upload(6)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    accepted = [each.source_ref for each in batches.round_decisions(batch, 1) if each.decision == "auto"]
    storage.write(storage.own_key(accepted[0]), picture(222))
    people.answer_round(batch, 1)
    merged = merge(batch, 1)
    assert merged["auto"] == len(accepted) - 1
    assert_labels_are_of_what_they_name(merged["dataset_version"])


@pytest.mark.fault("A10")
def test_the_same_bytes_uploaded_again_change_nothing() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    upload(3)
    people.answer_round(batch, 1)
    assert merge(batch, 1)["human"] == 3
    assert not list(storage.keys("canonical/"))


def test_a_round_that_was_judged_keeps_its_names_when_it_is_started_again() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    overwrite(0)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    assert merge(batch, 1)["human"] == 2
    merged = run_round(batch, 2)
    assert assert_labels_are_of_what_they_name(merged["dataset_version"]) == 3


@pytest.mark.fault("A09", "D12")
@pytest.mark.parametrize("judged", [False, True], ids=["before the judgement", "after it"])
def test_a_batch_that_is_started_again_finishes_although_an_image_changed_in_a_later_round(judged) -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    first = run_round(batch, 1, answered=2)
    overwrite(2)
    handle("begin_round", batch_id=batch, round=2)
    if judged:
        handle("judge_batch", batch_id=batch, round=2)
    assert run_round(batch, 1, answered=2) == first, "what ended says what it said"
    merged = run_round(batch, 2)
    assert merged["deferred"] == 0 and assert_labels_are_of_what_they_name(merged["dataset_version"]) == 4
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert storage.read_json(f"{Files(batch).root}/summary.json")["human"] == 4


def test_an_image_whose_registered_bytes_are_gone_is_rejected_with_the_reason_and_the_batch_ends() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=key(1)).delete()
    overwrite(1)
    merged = run_round(batch, 1)
    assert (merged["human"], merged["rejected"], merged["deferred"]) == (2, 1, 0)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (reason,) = storage.read_json(f"{Files(batch).root}/summary.json")["rejected_reasons"].items()
    assert reason[0] == key(1) and reason[1].startswith("missing: it changed after it was registered")


def test_a_report_after_a_round_that_only_began_adds_up() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    run_round(batch, 1, answered=1)
    overwrite(2)
    handle("begin_round", batch_id=batch, round=2)
    told = handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert (told["human"], told["deferred"]) == (1, 2)


def test_a_round_that_began_twice_secures_what_changed_before_and_between() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    overwrite(0)
    handle("begin_round", batch_id=batch, round=1)
    overwrite(1)
    merged = run_round(batch, 1)
    assert merged["human"] == 3 and assert_labels_are_of_what_they_name(merged["dataset_version"]) == 3
    assert sum("canonical/" in ref for ref in refs(batch)) == 2


def test_what_was_overwritten_before_its_inspection_is_inspected_as_registered() -> None:
    upload(2)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    overwrite(0)
    for item in storage.read_lines(state["batch"]["inspect_key"]):
        handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    merged = run_round(state["batch"]["id"], 1)
    assert assert_labels_are_of_what_they_name(merged["dataset_version"]) == 2
