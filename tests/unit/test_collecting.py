"""What people answered in a job is taken in once, and read as it was."""

import people
import pytest
from batch_rounds import asked_in, collect
from handling import erase, handle, registered, upload
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.people import collected, jobs
from labelloop.people.collected import HumanLabel
from labelloop.store import storage

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
JOB = jobs.Job("j", "adjust", "s3://data-bucket/j.manifest", 5, 0)


@pytest.fixture(autouse=True)
def ground_truth(aws, fake_service):
    return fake_service("sagemaker", describe_labeling_job=people.ended(), describe_endpoint={})


def answered(images: int = 3) -> tuple[str, jobs.Job]:
    """A batch whose people have answered about all but its last image."""
    upload(images)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    last = asked_in(batch, 1)[-1]["source-ref"]
    people.answer_round(batch, 1, lambda line: None if line["source-ref"] == last else people.boxes())
    (job,) = jobs.of_round(Files(batch), 1)
    return batch, job


def test_whoever_reads_it_later_gets_what_collect_labels_took_in_and_asks_no_service(ground_truth) -> None:
    from labelloop.people import collecting

    batch, job = answered()
    collect(batch, 1)
    asked = len(ground_truth.requests_of("describe_labeling_job"))
    found = collecting.of_job(Files(batch), 1, job, {})
    assert (len(found.labels), found.unanswered, found.status) == (2, 1, "Completed")
    collect(batch, 1)
    handle("merge_annotations", batch_id=batch, round=1)
    assert len(ground_truth.requests_of("describe_labeling_job")) == asked == 1
    assert [line["source-ref"] for line in storage.read_lines(Files(batch).round_annotations(1))] == list(found.labels)


def test_labels_are_the_same_to_the_byte_where_an_earlier_version_collected_them() -> None:
    batch, job = answered()
    collect(batch, 1)
    erase(Files(batch).answers(1, job.name))
    handle("merge_annotations", batch_id=batch, round=1)
    before = storage.read(Files(batch).round_annotations(1))
    erase(Files(batch).round_annotations(1))
    collect(batch, 1)
    assert storage.exists(Files(batch).answers(1, job.name))
    handle("merge_annotations", batch_id=batch, round=1)
    assert storage.read(Files(batch).round_annotations(1)) == before


def test_answers_that_nobody_collected_are_not_taken_for_none() -> None:
    batch, job = answered()
    with pytest.raises(storage.MissingObjectError, match=f"labelling job {job.name} was not collected"):
        handle("merge_annotations", batch_id=batch, round=1)
    assert storage.read_pointer("datasets/current") is None


def test_every_number_of_a_label_is_read_as_it_was_written() -> None:
    from labelloop.people import collecting

    boxes = (Box("head", 3, 4.25, 20, 10.0), Box("tail", 0, 0, 1 / 3, 2, 0.5))
    points = (KeyPoint("nose", 1, 2.5, "visible"), KeyPoint("tail tip", None, None, "outside"))
    drawn = Annotation("s3://b/1", None, 64, 48, boxes, True, "", "j")
    shown = Annotation("s3://b/1", None, 64, 48, boxes[:1], False, "", "j")
    people = (Person(Box("person", 0, 0.5, 30.0, 2), points, area=7.0), Person(boxes[1], points, derived=True))
    placed = Annotation("s3://b/2", None, 64, 48, people, True, "", "j", task="key-points")
    taken = collected.Collected(
        labels={
            "s3://b/1": HumanLabel(drawn, "j", "adjust", shown, 2, 0.75),
            "s3://b/2": HumanLabel(placed, "j", "adjust"),
        },
        rejected=("s3://b/3",),
        unusable=1,
        unanswered=1,
        refused_answers=4,
        strange_lines=2,
        problems=("one line", "another"),
        digest="0123",
        status="Stopped",
        reason="somebody stopped it",
    )
    key = storage.write_lines("batches/b/pinned.jsonl", collecting._records(JOB, taken))
    read = collecting._from_records(JOB, storage.read_lines(storage.own_key(key)))
    assert read == taken and repr(read) == repr(taken), "3 and 3.0 make other bytes of a manifest"


def test_points_that_an_earlier_version_took_in_are_of_one_person() -> None:
    from labelloop.people import collecting

    point = {"label": "nose", "x": 1, "y": 2.5, "visibility": "visible", "confidence": None}
    label = collecting._annotation("s3://b/1", JOB, {"width": 64, "height": 48, "key-points": [point]}, True)
    (person,) = label.people or ()
    assert person.derived and person.points == (KeyPoint("nose", 1, 2.5, "visible"),)


def test_what_a_newer_version_took_in_is_refused() -> None:
    from labelloop.people import collecting

    with pytest.raises(Exception, match="newer version of the stack"):
        collecting._from_records(JOB, [{"schema": 2}])
