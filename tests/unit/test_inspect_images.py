"""Inspect Images: each object is accepted, rejected or rendered by itself."""

import boto3
import pytest
from handling import PREFIX, execution, handle, mark, picture, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from made_up_stack import BUCKET

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_inspection_accepts_rejects_and_renders_each_object_by_itself() -> None:
    storage.write(f"{PREFIX}good.png", picture())
    storage.write(f"{PREFIX}gray+a.tiff", picture(format="TIFF"))
    storage.write(f"{PREFIX}empty.png", b"")
    storage.write(f"{PREFIX}text.png", b"hello")
    storage.write(f"{PREFIX}tiny.png", picture(size=(8, 8)))
    state = registered()
    found = {image.item.key.removeprefix(PREFIX): image.inspection for image in batches.images(state["batch"]["id"])}
    assert {name: each.reason for name, each in found.items() if each.status == "rejected"} == {
        "empty.png": "empty",
        "text.png": "not-an-image",
        "tiny.png": "too-small",
    }
    assert found["good.png"].source_ref == f"s3://{BUCKET}/{PREFIX}good.png" and found["good.png"].version_id
    rendered = found["gray+a.tiff"]
    assert rendered.original_ref == f"s3://{BUCKET}/{PREFIX}gray+a.tiff"
    assert storage.read(storage.own_key(rendered.source_ref)).startswith(b"\x89PNG")


def test_an_inspected_shard_is_not_inspected_again(monkeypatch) -> None:
    upload(2)
    state = registered()
    (item,) = storage.read_lines(state["batch"]["inspect_key"])
    again = handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    assert again == {"shard": item["shard"], "images": 0}


@pytest.mark.fault("A11")
def test_after_a_restart_with_another_shard_size_no_image_is_left_out(change_setting) -> None:
    upload(6)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    ledger.end_batch(batch, ledger.owner_of(batch), "failed")
    for each in list(storage.keys(Files(batch).inspections))[1:]:
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=each)  # it died while it inspected
    change_setting("SHARD_SIZE", "4")
    registered(trigger, "two")
    assert all(image.inspection for image in batches.images(batch))


def test_a_pinned_version_that_vanished_costs_one_image() -> None:
    upload(2)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    (item,) = storage.read_lines(state["batch"]["inspect_key"])
    gone = storage.read_lines(storage.own_key(item["uri"]))[0]
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=gone["key"], VersionId=gone["version-id"])
    handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    one, other = batches.images(state["batch"]["id"])
    assert (one.inspection.reason, other.inspection.status) == ("missing", "ok")
