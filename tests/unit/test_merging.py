"""Which labels a round adds, and which role each of them gets."""

import json

import boto3
import people
import pytest
from batch_rounds import asked_in, collect, merge, refs, run_round
from handling import (
    PREFIX,
    erase,
    handle,
    picture,
    registered,
    upload,
)
from labelloop.batch import batches, merging
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import storage
from made_up_stack import BUCKET, LEDGER

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_answers_of_a_round_whose_jobs_are_not_on_record_are_not_taken_for_none() -> None:
    """The record was deleted, or never written: the first executions had one job, which nothing recorded."""
    upload(3)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    record, s3 = {"Bucket": BUCKET, "Key": Files(batch).job(1, 1)}, boto3.client("s3")
    deletion = s3.delete_object(**record)
    with pytest.raises(Exception, match="was deleted, and going on without it would lose"):
        merge(batch, 1)
    assert storage.read_pointer("datasets/current") is None
    s3.delete_object(**record, VersionId=deletion["VersionId"])
    kept = storage.read(record["Key"])
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=record["Key"]).delete()
    with pytest.raises(Exception, match=r"3 images of round 1 were asked about.*An older version of the stack began"):
        merge(batch, 1)
    storage.write(record["Key"], kept)
    assert merge(batch, 1)["human"] == 3


def test_a_label_on_an_image_of_another_size_is_asked_again() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1, lambda line: people.boxes(size=(640, 480)))
    merged = merge(batch, 1)
    assert (merged["human"], merged["deferred"]) == (0, 2)


def test_identical_files_share_the_role_of_the_sampled_one_in_whatever_order_people_answer(change_setting) -> None:
    change_setting("HUMAN_BUDGET", "6")
    change_setting("JUDGE_IMAGES", "100")
    for number in range(6):
        storage.write(f"{PREFIX}{number}.png", picture(10 + number // 2))  # three pairs of twins
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    (job,) = jobs.of_round(Files(batch), 1)
    output = f"{Files(batch).labeling(1)}/{people.output_place(job.name)}"
    answered = storage.read_lines(output)
    everything = batches.images(batch)
    merged = []
    for order in (answered, answered[::-1]):
        storage.write_lines(output, order)
        for collected in (Files(batch).answers(1, job.name), Files(batch).workers(1, job.name)):
            erase(collected)
        collect(batch, 1)
        _forget_roles(everything)
        merged.append(merging.lines(Files(batch), 1, everything))
    assert merged[0] == merged[1] and len(merged[0]) == 6
    sampled = {image.inspection.sha256 for image in everything if image.item.sampled}
    alone = {image.inspection.sha256 for image in everything if not image.item.sampled} & sampled
    origins = [json.loads(line)["provenance"] for line in merged[0]]
    assert alone, "some twin is sampled without the other"
    assert {origin["role"] for origin in origins if origin["sha256"] in sampled} == {"judge"}
    assert {origin["role"] for origin in origins if origin["sha256"] not in sampled} <= {"train"}


def _forget_roles(everything: list) -> None:
    table = boto3.resource("dynamodb").Table(LEDGER)
    for image in everything:
        table.delete_item(Key={"id": f"role#{image.inspection.sha256}"})


def test_all_twins_have_the_role_of_the_one_that_people_looked_at(change_setting) -> None:
    change_setting("HUMAN_BUDGET", "6")
    change_setting("JUDGE_IMAGES", "100")
    for number in range(6):
        storage.write(f"{PREFIX}{number}.png", picture())
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    (asked,) = [line["source-ref"] for line in asked_in(batch, 1)]
    sampled = {image.source_ref for image in batches.images(batch) if image.item.sampled}
    assert asked in sampled, "what was drawn is looked at"
    made = [label.provenance for label in batches.round_annotations(batch, 1)]
    assert [each["role"] for each in made] == ["judge"] * 6 and sum(each["sampled"] for each in made) == len(sampled)


def test_answers_nobody_asked_for_are_no_labels() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    (job,) = jobs.of_round(Files(batch), 1)
    output = storage.own_key(people.answer_job(batch, 1, job, lambda line: people.boxes()))
    uninvited = [{"source-ref": ref, **people.boxes()} for ref in (*refs(batch), f"s3://{BUCKET}/incoming/other.png")]
    storage.write_lines(output, [*uninvited, *storage.read_lines(output)])
    merged = merge(batch, 1)
    assert (merged["human"], merged["deferred"]) == (3, 2)


def test_supplied_labels_judge_only_where_too_little_of_the_sample_has_none(change_setting) -> None:
    change_setting("JUDGE_IMAGES", "3")
    change_setting("SAMPLE_MINIMUM", "5")
    for number in range(8):
        storage.write(f"{PREFIX}{number}.png", picture(10 + number))
    everything = batches.images(registered()["batch"]["id"])
    sampled = sorted(image.inspection.sha256 for image in everything if image.item.sampled)
    assert len(sampled) == 5
    assert merging._may_judge(0, set(sampled[:2]), everything) == set(), "three are left, which stand for the others"
    assert merging._may_judge(0, set(sampled[:3]), everything) == set(sampled)
    assert merging._may_judge(1, set(), everything) == set(sampled), "whom people were asked about, nobody chose"
