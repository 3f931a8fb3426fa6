"""The inventory of a batch: which versions of which objects it pins, which of them are sampled, and when it refuses."""

import json

import boto3
import pytest
from handling import PREFIX, execution, handle, mark, picture, registered, upload
from labelloop.batch import inventory
from labelloop.contracts import limits
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.markers import Marker
from labelloop.store import storage
from made_up_stack import BUCKET

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_a_batch_is_pinned_by_version_sampled_and_cut_into_shards() -> None:
    upload(5)
    state = registered()
    inventory = storage.read_lines(f"batches/{state['batch']['id']}/inventory.jsonl")
    assert (state["status"], state["batch"]["objects"]) == ("registered", 5)
    assert [item["key"] for item in inventory] == [f"{PREFIX}{number:02d} ü+%20.png" for number in range(5)]
    assert all(item["version-id"] and item["etag"] and '"' not in item["etag"] for item in inventory)
    assert sum(item["sampled"] for item in inventory) == 3  # half of five, rounded up
    assert len(storage.read_lines(state["batch"]["inspect_key"])) == 3  # shards of two
    assert len(json.dumps(state)) < 2000


def test_registering_twice_works_on_the_same_images_even_if_more_were_uploaded() -> None:
    upload(2)
    trigger = mark()
    first = handle("register_batch", event=trigger, execution=(one := execution("one")))
    upload(1, first=2)
    assert handle("register_batch", event=trigger, execution=one) == first


def test_objects_deleted_before_the_marker_and_folders_are_no_images() -> None:
    upload(2)
    storage.write(f"{PREFIX}folder/", b"")
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}00 ü+%20.png")
    assert registered()["batch"]["objects"] == 1


def test_the_manifest_a_marker_names_is_no_image() -> None:
    upload(1)
    storage.write(f"{PREFIX}labels.manifest", b"{}")
    state = registered(mark(b'{"labels": "labels.manifest", "count": 1}'))
    assert state["batch"]["objects"] == 1
    assert state["batch"]["labels_uri"] == f"s3://{BUCKET}/{PREFIX}labels.manifest"


@pytest.mark.fault("A24")
def test_an_upload_that_was_given_up_halfway_is_no_image_and_is_missed() -> None:
    s3 = boto3.client("s3")
    upload(1)
    begun = s3.create_multipart_upload(Bucket=BUCKET, Key=f"{PREFIX}large.png")["UploadId"]
    part = {"Bucket": BUCKET, "Key": f"{PREFIX}large.png", "UploadId": begun}
    s3.upload_part(**part, PartNumber=1, Body=picture())
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        handle("register_batch", event=mark(b'{"count": 2}'), execution=(first := execution("one")))
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    s3.abort_multipart_upload(**part)
    assert registered(mark(), "two")["batch"]["objects"] == 1


@pytest.mark.fault("I15")
def test_a_listing_without_end_is_not_read_to_its_end(environment, fake_service) -> None:
    """A million objects and more: the listing stops as soon as it is too long."""
    pages = []

    class Endless:
        def paginate(self, **_):
            for page in range(10_000):
                pages.append(page)
                yield {
                    "Versions": [
                        {"Key": f"{page:05d}/{n}.jpg", "IsLatest": True, "ETag": '"e"', "VersionId": "v", "Size": 1}
                        for n in range(1000)
                    ]
                }

    fake_service("s3").get_paginator = lambda name: Endless()
    with pytest.raises(InvalidInputError, match="more than"):
        inventory._list("incoming/huge/", Marker())
    assert len(pages) <= 5 * limits.MOST_IMAGES // 1000 + 1


def test_a_marker_may_name_a_few_images_of_a_prefix_that_holds_very_many(aws, monkeypatch) -> None:
    monkeypatch.setattr("labelloop.batch.inventory.MOST_LISTED", 5)
    upload(8)
    names = [f"{number:02d} ü+%20.png" for number in range(2)]
    assert registered(mark(json.dumps(names).encode()))["batch"]["objects"] == 2


def items(batch: str) -> list[dict]:
    return storage.read_lines(Files(batch).inventory)


def test_what_is_pinned_is_the_version_that_was_there_whatever_is_written_under_its_key_later() -> None:
    upload(1)
    (item,) = items(registered()["batch"]["id"])
    upload(1)
    newest = storage.head(item["key"])["VersionId"]
    assert item["version-id"] != newest
    versions = boto3.client("s3").list_object_versions(Bucket=BUCKET, Prefix=item["key"])["Versions"]
    assert item["version-id"] in {version["VersionId"] for version in versions}


def test_the_same_bytes_under_the_same_keys_have_the_same_place_in_the_draw() -> None:
    drawn = []
    for name in ("one", "two"):
        upload(8)
        drawn.append(items(registered(mark(), name)["batch"]["id"]))
    one, two = drawn
    assert [(item["key"], item["draw"], item["sampled"]) for item in one] == [
        (item["key"], item["draw"], item["sampled"]) for item in two
    ]
    assert len({item["version-id"] for item in (*one, *two)}) == 16 and 0 < sum(item["sampled"] for item in one) < 8


def test_a_batch_that_goes_on_has_its_inventory_and_an_estimate_by_the_settings_of_today(change_setting) -> None:
    upload(4)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    before, estimate = items(batch), storage.read_json(Files(batch).estimate)
    boto3.client("stepfunctions").stop_execution(executionArn=execution("one"))
    change_setting("PRICE_PER_LABEL", "1")
    change_setting("SAMPLE_RATE", "1")
    upload(2, first=4)
    registered(trigger, "two")
    assert items(batch) == before
    assert storage.read_json(Files(batch).estimate)["dollars"] > estimate["dollars"]


@pytest.mark.parametrize(
    ("named", "uri"),
    [
        ("", ""),
        ("labels.manifest", f"s3://{BUCKET}/{PREFIX}labels.manifest"),
        ("of others/labels.manifest", f"s3://{BUCKET}/{PREFIX}of others/labels.manifest"),
        ("s3://another/labels.manifest", "s3://another/labels.manifest"),
    ],
)
def test_a_label_manifest_lies_beside_its_marker_unless_the_marker_says_where(named, uri) -> None:
    assert inventory.labels_uri(Marker(labels=named), PREFIX) == uri
