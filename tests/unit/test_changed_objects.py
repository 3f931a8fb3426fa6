"""What is written once is verified when it is read: what is gone or changed stops the work, and loses nothing."""

import json
from collections.abc import Callable

import boto3
import pytest
from batch_rounds import refs, run_round
from handling import MODEL, THRESHOLDS, crown, execution, handle, mark, picture, predict, registered, upload
from labelloop import batches, datasets, jobs, ledger, storage
from labelloop.batches import Files
from made_up_stack import BUCKET

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]

Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "a digit": lambda body: body.replace(b"1", b"7", 1),
    "cut off": lambda body: body[: len(body) // 2],
    "emptied": lambda body: b"",
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "other line ends": lambda body: body.replace(b"\n", b"\r\n"),
    "a line more": lambda body: body + body.splitlines(keepends=True)[0],
    "turned around": lambda body: b"".join(reversed(body.splitlines(keepends=True))) + b" ",
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def labelled_batch(count: int = 3) -> tuple[str, str]:
    upload(count)
    batch = registered()["batch"]["id"]
    return batch, run_round(batch, 1)["dataset_version"]


def another_batch(name: str = "two") -> str:
    for number in range(2):
        storage.write(f"incoming/week 2/{number}.png", picture(90 + number))
    return str(registered(mark(prefix="incoming/week 2/"), name)["batch"]["id"])


def refusal(work: Callable[[], object]) -> str:
    """What the work says when it stops; empty when it goes on."""
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def delete(key: str) -> None:
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)


def restore(key: str) -> None:
    """What the sentence tells a person to do: whatever came after the first version goes."""
    s3 = boto3.client("s3")
    told = s3.list_object_versions(Bucket=BUCKET, Prefix=key)
    for change in [*told.get("DeleteMarkers", ()), *told["Versions"][:-1]]:
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=change["VersionId"])


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


@changes
@pytest.mark.parametrize("name", ["inventory", "decisions", "pin", "annotations", "job manifest", "job"])
def test_files_of_a_batch_that_were_edited_stop_it_until_they_are_restored(name: str, change: Change) -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    run_round(batch, 1)
    files = Files(batch)
    key = {
        "inventory": files.inventory,
        "decisions": files.decisions(1),
        "pin": files.round(1),
        "annotations": files.round_annotations(1),
        "job manifest": storage.own_key(jobs.of_round(files, 1)[0].manifest_uri),
        "job": files.job(1, 1),
    }[name]
    storage.write(key, change(storage.read(key)))
    owner = ledger.owner_of(batch)

    def report() -> None:
        handle("merge_annotations", batch_id=batch, round=1)
        handle("collect_labels", batch_id=batch, round=1, job=1)
        handle("report_batch", batch_id=batch, execution=owner)

    said = refusal(report)
    assert "was changed after it was written" in said and key in said
    restore(key)
    report()
    assert storage.read_json(f"{files.root}/summary.json")["images"] == 5


@pytest.mark.parametrize("name", ["decisions", "annotations"])
def test_labels_of_an_ended_round_that_are_gone_are_not_asked_for_again(name: str) -> None:
    upload(6)
    batch = registered()["batch"]["id"]
    run_round(batch, 1, answered=2)
    key = {"decisions": Files(batch).decisions(1), "annotations": Files(batch).round_annotations(1)}[name]
    delete(key)
    assert f"{key} is gone" in refusal(lambda: handle("begin_round", batch_id=batch, round=2))
    restore(key)
    assert handle("begin_round", batch_id=batch, round=2)["open"] == 4


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
