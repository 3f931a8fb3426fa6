"""What a training job is given to look at: copies of what was labelled, whatever it is called and became since.

And images that change or go after they were labelled: what was labelled trains, judges and measures people.
"""

import hashlib
import json
import unicodedata
from pathlib import Path

import boto3
import people
import pytest
from batch_rounds import merge, run_round
from handling import PREFIX, handle, mark, picture, registered, upload
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.store import datasets, ledger, storage
from made_up_stack import BUCKET
from refusing_s3 import counted
from training_files import forget_job, published

JOB = "labelloop-train-1-0123abcd"
ROLES = ("train", "judge")
# S3 allows them all, a file system does not: too long, a file that is a folder, characters, or one name for two.
HARD_KEYS = [
    "long/" + "x" * 300 + ".jpg",
    "umlauts/" + "ü" * 130 + ".jpg",
    "deep/" + "d/" * 480 + "a.jpg",
    *("clash.jpg", "clash.jpg/crop.jpg", "clash.jpg/crop.jpg/again.jpg"),
    *("line\nfeed.jpg", "nul\x00.jpg", "bell\x07.jpg", "del\x7f.jpg"),
    *("a/../b.jpg", "a/./b.jpg", "a//b.jpg", "/slash first.jpg", ".", "..", "folder/"),
    *("dot.", "blank ", "CON", "nul.jpg", "colon:stream.jpg", "back\\slash.jpg", 'q"<>|?*.jpg'),
    *("Case.JPG", "case.jpg", unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")),
    *("no suffix", "odd.j\u2028pg", "long." + "s" * 200, "ends in.ü", "x.jpg\n"),
]
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


def assembled(version: str) -> dict[str, bytes]:
    """source-ref -> what the training job finds for each line that it reads, in the channel of its images."""
    told = handle("assemble_dataset", job=JOB, dataset_version=version)
    head, *names = json.loads(storage.read(storage.own_key(told["images_uri"])))
    fetched = {head["prefix"] + name for name in names}
    lines = [
        Annotation.from_line(line) for role in ROLES for line in text_lines(f"training/{JOB}/dataset/{role}.jsonl")
    ]
    places = {line.source_ref: json.loads(line.extra.get("training-ref", f'"{line.source_ref}"')) for line in lines}
    assert set(places.values()) == fetched, "lines and channel agree"
    return {reference: storage.read(storage.own_key(place)) for reference, place in places.items()}


def file_names() -> list[str]:
    """How the files of the images channel are called."""
    return list(json.loads(storage.read(f"training/{JOB}/images.manifest"))[1:])


def text_lines(key: str) -> list[str]:
    return [line for line in storage.read(key).decode().split("\n") if line]


def annotation(name: str) -> str:
    return Annotation(name, None, 64, 48, (Box("head", 1, 2, 3, 4),), True, "", "theirs").to_line(("head", "bag"))


def overwrite(*numbers: int) -> None:
    for number in numbers:
        storage.write(key(number), picture(200 + number))


def assert_a_disk_can_hold(names: list[str]) -> None:
    assert len({unicodedata.normalize("NFKC", name).casefold() for name in names}) == len(names)
    folders = {name[:place] for name in names for place in range(len(name)) if name[place] == "/"}
    assert folders.isdisjoint(names)
    for name in names:
        assert name.isascii() and name.isprintable() and len(name) < 100
        assert not set(name) & set('\\:*?"<>| ') and not name.endswith(".")
        assert all(part and part.strip(".") and len(part) < 100 for part in name.split("/"))


@pytest.mark.fault("K02")
def test_no_key_becomes_the_name_of_a_file_and_every_labelled_image_trains() -> None:
    keys = [f"incoming/hard/{key}" for key in HARD_KEYS]
    found = assembled(published(*keys))
    assert found == {storage.uri(key): picture(number % 250) for number, key in enumerate(keys)}
    assert_a_disk_can_hold(file_names())


@pytest.mark.fault("K02")
@given(st.lists(st.text(), min_size=1, unique=True))
def test_whatever_the_keys_are_a_disk_can_hold_the_files(keys: list[str]) -> None:
    from labelloop.engines.training_images import copy_key

    assert_a_disk_can_hold([copy_key(f"s3://bucket/{key}", "") for key in keys])


@pytest.mark.fault("K02")
def test_images_are_copied_once_and_the_next_training_copies_what_is_new() -> None:
    asked, looked = counted("CopyObject"), counted("HeadObject")
    keys = [f"incoming/many/{number}.png" for number in range(30)]
    first = assembled(published(*keys[:20]))
    assert (len(first), asked(), looked()) == (20, 20, 0)
    forget_job()
    assert len(assembled(published(*keys))) == 30
    # `published` uploads all of them again, the same bytes in new versions: those are not new images.
    assert (asked(), looked()) == (30, 0)
    forget_job()
    assert assembled(datasets.current_version()).keys() == {storage.uri(key) for key in keys}
    assert asked() == 30


def test_copies_that_the_lifecycle_may_remove_while_the_job_waits_are_made_again(monkeypatch) -> None:
    from labelloop.engines import training_images

    version, asked = published("incoming/a/1.png", "incoming/a/2.png"), counted("CopyObject")
    assembled(version)
    monkeypatch.setattr(training_images, "SHORTEST_LIFE_DAYS", training_images.EXPIRY_DAYS)
    forget_job()
    assert len(assembled(version)) == 2 and asked() == 4


def test_the_bucket_keeps_copies_as_long_as_the_code_believes() -> None:
    from labelloop.engines import training_images

    from lint.project import Project

    template = Project(Path(__file__).resolve().parents[2]).template
    rules = template["Resources"]["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if rule.get("Prefix") == training_images.FOLDER]
    assert rule["ExpirationInDays"] == training_images.EXPIRY_DAYS > training_images.SHORTEST_LIFE_DAYS > 7
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


@pytest.mark.fault("K02")
def test_what_was_labelled_trains_although_it_was_overwritten_or_deleted_since(change_setting) -> None:
    version = labelled(change_setting)
    overwrite(0)
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key(1))
    found = assembled(version)
    assert found == {storage.uri(key(number)): picture(10 + number) for number in range(4)}
    assert assembled(version) == found, "a second attempt finds the same"


def test_a_copy_outlives_what_becomes_of_the_object_between_two_trainings(change_setting) -> None:
    version = labelled(change_setting)
    assembled(version)
    overwrite(0)
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key(1))
    forget_job()
    assert assembled(version) == {storage.uri(key(number)): picture(10 + number) for number in range(4)}


def test_an_image_that_is_gone_for_good_does_not_cost_the_training(change_setting) -> None:
    version = labelled(change_setting)
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=key(2)).delete()
    assert assembled(version).keys() == {storage.uri(key(number)) for number in (0, 1, 3)}


def test_a_label_that_names_no_version_trains_as_it_is() -> None:
    storage.write("incoming/old/a.png", picture(7))
    old = Annotation(
        storage.uri("incoming/old/a.png"), None, 64, 48, (), True, "", "j", {"batch": "b", "role": "train"}
    )
    assert assembled(datasets.publish([old.to_line()], {})) == {old.source_ref: picture(7)}


def test_an_image_that_was_overwritten_measures_nobody(change_setting) -> None:
    labelled(change_setting, 6, HONEYPOT_RATE="0.5", JUDGE_IMAGES="100")
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
