"""Assemble Dataset: what people labelled, by roles, with copies of what can be read."""

import json

import pytest
from annotation_lines import line
from handling import handle
from labelloop.contracts.errors import TransientError
from labelloop.store import datasets, storage
from refusing_s3 import refuse
from training_files import JOB, forget_job, label, published

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_each_role_is_its_own_file_and_machine_labels_never_train() -> None:
    label()
    version = datasets.publish([line("auto.jpg", human=False)], {})
    answer = handle("assemble_dataset", job=JOB, dataset_version=version)
    assert (answer["train"], answer["judge"]) == (3, 2)
    names = {role: storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl") for role in ("train", "judge")}
    assert all(f"/{role} " in each["source-ref"] for role, records in names.items() for each in records)
    head, *images = json.loads(storage.read(f"training/{JOB}/images.manifest"))
    assert head == {"prefix": "s3://data-bucket/"}
    assert sorted(head["prefix"] + image for image in images) == sorted(
        record["training-ref"]
        for role in ("train", "judge")
        for record in storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl")
    )


@pytest.mark.fault("K04")
@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidObjectState", "ObjectNotInActiveTierError", "KMS.DisabledException"]
)
def test_an_image_that_s3_does_not_hand_out_does_not_cost_the_training(code) -> None:
    keys = [f"incoming/a/{number}.png" for number in range(5)]
    version = published(*keys)
    refuse([keys[3]], code, "the words of S3")
    told = {}
    try:
        told = handle("assemble_dataset", job=JOB, dataset_version=version)
    except Exception as error:
        told["error"] = str(error)
    assert told.get("left_out") == 1 and told["train"] + told["judge"] == 4, told
    (left_out,) = storage.read_lines(f"training/{JOB}/left-out.jsonl")
    assert left_out["source-ref"] == storage.uri(keys[3])
    assert f"{code}: the words of S3" in left_out["why"] and "put the marker again" in left_out["why"]


@pytest.mark.fault("K04")
def test_a_function_that_may_read_nothing_assembles_no_dataset() -> None:
    keys = [f"incoming/a/{number}.png" for number in range(5)]
    version = published(*keys)
    refuse(keys)
    with pytest.raises(Exception, match="AccessDenied"):
        handle("assemble_dataset", job=JOB, dataset_version=version)
    assert not list(storage.keys(f"training/{JOB}/"))


def test_new_images_that_are_all_denied_are_left_out_where_others_can_be_read() -> None:
    keys = [f"incoming/a/{number}.png" for number in range(5)]
    handle("assemble_dataset", job=JOB, dataset_version=published(*keys[:3]))
    forget_job()
    version = published(*keys)
    refuse(keys[3:])
    assert handle("assemble_dataset", job=JOB, dataset_version=version)["left_out"] == 2


@pytest.mark.parametrize(
    ("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("KMS.ThrottlingException", 400)]
)
def test_what_may_pass_is_asked_again_and_leaves_nothing_out(code, status) -> None:
    version = published("incoming/a/1.png", "incoming/a/2.png")
    refuse(["incoming/a/2.png"], code, status=status)
    with pytest.raises(TransientError):
        handle("assemble_dataset", job=JOB, dataset_version=version)
