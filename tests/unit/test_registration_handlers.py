"""Register Batch and Inspect Images: what a marker announces is pinned, once, and each object looked at."""

import boto3
import pytest
from handling import PREFIX, execution, handle, mark, picture, registered, upload
from labelloop.batch import batches
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from labelloop.trust import sampling
from made_up_stack import BUCKET

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_a_second_execution_leaves_the_batch_to_the_first() -> None:
    upload(2)
    trigger = mark()
    registered(trigger)
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-owned"


@pytest.mark.fault("A03")
def test_a_finished_batch_is_done_and_a_new_marker_brings_only_new_objects() -> None:
    upload(2)
    trigger = mark()
    state = registered(trigger)
    ledger.end_batch(state["batch"]["id"], ledger.owner_of(state["batch"]["id"]), "finished")
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-labeled"
    upload(3, first=1)  # 01 again with the same bytes but another version, 02 and 03 new
    again = registered(mark(), "three")
    assert again["batch"]["id"] == state["batch"]["id"] + "-2" and again["batch"]["objects"] == 3


def test_a_marker_that_is_not_there_or_elsewhere_is_refused_by_name() -> None:
    trigger = {"bucket": {"name": BUCKET}, "object": {"key": f"{PREFIX}_READY.json"}}
    with pytest.raises(InvalidInputError, match="there is no marker"):
        handle("register_batch", event=trigger, execution="e")
    mark()
    with pytest.raises(InvalidInputError, match="there is no marker s3://another"):
        handle("register_batch", event={**trigger, "bucket": {"name": "another"}}, execution="e")


def test_an_upload_that_is_not_finished_is_refused_and_can_be_marked_again() -> None:
    upload(1)
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        registered(mark(b'{"count": 2}'))
    give_up()
    upload(1, first=1)
    assert registered(mark(b'{"count": 2}'), "two")["batch"]["objects"] == 2


def give_up(delivery: int = 1) -> None:
    """What Record Failure does at the end of an execution."""
    batch = naming.batch_id(BUCKET, PREFIX, delivery)
    assert ledger.end_batch(batch, ledger.owner_of(batch), "failed")


def pinned_trigger(trigger: dict) -> dict:
    """The trigger as S3 sends it: with the version of the marker that is there now."""
    version = storage.head(trigger["object"]["key"])["VersionId"]
    return {**trigger, "object": {**trigger["object"], "version-id": version}}


def test_an_earlier_marker_that_is_started_again_leaves_what_a_later_one_has_pinned() -> None:
    upload(2)
    early = pinned_trigger(mark(b'{"count": 3}'))
    with pytest.raises(InvalidInputError, match="announces 3 images, 2 are there"):
        registered(early)
    give_up()
    upload(1, first=2)
    late = registered(pinned_trigger(mark(b'{"count": 3}')), "two")
    assert (late["batch"]["id"], late["batch"]["objects"]) == (naming.batch_id(BUCKET, PREFIX, 2), 3)
    again = handle("register_batch", event=early, execution=execution("three"))
    assert (again["status"], again["successor"]) == ("superseded", naming.batch_id(BUCKET, PREFIX, 2))


def test_of_two_markers_at_the_same_time_the_later_waits_until_the_earlier_has_pinned(monkeypatch) -> None:
    upload(3)
    early, late = pinned_trigger(mark()), pinned_trigger(mark())
    second, draw_sample, refusals = execution("two"), sampling.draw_sample, []

    def meanwhile(*arguments: object) -> list:
        """The earlier has listed its objects and not pinned them; the later comes."""
        with pytest.raises(TransientError, match=naming.batch_id(BUCKET, PREFIX, 1)) as refused:
            handle("register_batch", event=late, execution=second)
        refusals.append(refused)
        return draw_sample(*arguments)

    monkeypatch.setattr(sampling, "draw_sample", meanwhile)
    assert registered(early)["batch"]["objects"] == 3
    monkeypatch.setattr(sampling, "draw_sample", draw_sample)
    assert len(refusals) == 1
    upload(1, first=3)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1


def test_a_marker_does_not_wait_for_an_earlier_one_whose_execution_has_died() -> None:
    upload(1)
    early = pinned_trigger(mark(b'{"count": 2}'))
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        handle("register_batch", event=early, execution=(first := execution("one")))
    late = pinned_trigger(mark())
    with pytest.raises(TransientError, match="try again"):
        handle("register_batch", event=late, execution=(second := execution("two")))
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1


def test_an_empty_prefix_is_a_batch_of_nothing() -> None:
    state = registered(mark())
    assert state["batch"]["objects"] == 0
    report = handle("report_batch", batch_id=state["batch"]["id"], execution="e")
    assert report["images"] == report["deferred"] == 0


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
