"""The labelling jobs of a round, function by function: kinds, splits, verification, honeypots, key points."""

import html
import json
from typing import Any

import people
import pytest
from batch_rounds import asked_in
from handling import handle, mark, registered, upload
from labelling_rounds import end, judge_dataset, judged, lines_of, merged, people_at_work, pinned
from labelloop.batch import batches
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.contracts.settings import settings
from labelloop.store import datasets, ledger, storage

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
SIZE = people.SIZE


@pytest.fixture(autouse=True)
def ground_truth(aws, fake_service, change_setting):
    return people_at_work(fake_service, change_setting)


# --- kinds, splits


def test_what_the_model_has_not_seen_is_annotated_what_it_knows_is_adjusted_or_only_verified(change_setting) -> None:
    change_setting("VERIFY_SCORE", "0.8")
    batch = judged(5, {0: 0.9, 1: 0.81, 2: 0.8, 3: 0.3})
    assert [(job.kind, job.objects) for job in pinned(batch)] == [("annotate", 1), ("adjust", 2), ("verify", 2)]
    assert [job.name for job in pinned(batch)] == [f"labelloop-{batch}-r1{ending}" for ending in ("a1", "j2", "v3")]
    assert set(lines_of(pinned(batch)[0])[0]) == {"source-ref", "image-size"}


def test_nothing_is_verified_by_default() -> None:
    assert {job.kind for job in pinned(judged(3, dict.fromkeys(range(3), 1.0)))} == {"adjust"}


def test_more_work_than_a_job_may_hold_is_split_and_every_image_is_asked_once(change_setting) -> None:
    change_setting("OBJECTS_PER_JOB", "3")
    batch = judged(7)
    assert [job.objects for job in pinned(batch)] == [2, 2, 3]
    asked = [line["source-ref"] for job in pinned(batch) for line in lines_of(job)]
    assert asked == sorted(asked) == [image.source_ref for image in batches.images(batch)]


def test_judging_again_with_other_settings_leaves_the_jobs_that_were_pinned(change_setting) -> None:
    batch = judged(4)
    before = [(job, lines_of(job)) for job in pinned(batch)]
    change_setting("SEED", "8")
    handle("judge_batch", batch_id=batch, round=1)
    assert [(job, lines_of(job)) for job in pinned(batch)] == before


@pytest.mark.fault("K03")
@pytest.mark.parametrize("kind", ["another size", "unknown class", "outside", "refused"])
def test_answers_that_do_not_fit_are_counted_and_told_as_that_and_their_images_asked_again(kind) -> None:
    said = {
        "another size": people.boxes(size=(640, 480)),
        "unknown class": json.loads(json.dumps(people.boxes()).replace('"0": "head"', '"0": "dog"')),
        "outside": people.boxes([Box("head", 60, 40, 30, 30)]),
        "refused": {**people.boxes(), "human-boxes": {"error": "no usable answer among 1: answer: field 'x' ..."}},
    }[kind]
    batch = judged(3)
    first = asked_in(batch, 1)[0]["source-ref"]
    told = {}
    end(batch, 1, lambda line: said if line["source-ref"] == first else people.boxes())
    try:
        told = handle("merge_annotations", batch_id=batch, round=1)
    except InvalidInputError as error:
        told["the merge failed"] = str(error)
    assert (told.get("human"), told.get("deferred")) == (2, 1), told
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (job,) = storage.read_json(f"batches/{batch}/summary.json")["jobs"]
    assert (job["labelled"], job.get("unusable"), job["unanswered"]) == (2, 1, 0)
    assert len(job["problems"]) == 1
    if kind == "another size":
        assert "640 x 480" in job["problems"][0] and "64 x 48" in job["problems"][0]
    page = html.unescape(storage.read(f"batches/{batch}/report.html").decode())
    assert job["problems"][0] in page and "nobody labelled them" not in page
    assert "people answered about 1, but their answers cannot be used" in page


# --- verification


def test_an_unchanged_answer_is_exactly_the_proposal_and_counts_as_unadjusted() -> None:
    batch = judged(2, {0: 0.4, 1: 0.4})
    end(batch, 1, lambda line: people.boxes([Box("head", 1, 2, 30, 20)]))
    for line in merged(batch):
        assert line["boxes-metadata"]["adjustment-status"] == "unadjusted"
        assert line["boxes-metadata"]["job-name"] == f"labelloop-{batch}-r1j1"


# --- honeypots


def test_honeypots_are_mixed_in_and_kept_secret_and_never_become_labels_again(change_setting) -> None:
    change_setting("HONEYPOT_RATE", "0.5")
    change_setting("OBJECTS_PER_JOB", "3")
    judge_dataset()
    batch = judged(4)
    assert [(job.objects, job.honeypots) for job in pinned(batch)] == [(2, 1), (2, 1)]
    older = storage.uri("incoming/older/")
    for job in pinned(batch):
        assert sum(line["source-ref"].startswith(older) for line in lines_of(job)) == 1
        assert all(set(line) == {"source-ref", "image-size"} for line in lines_of(job))
    before = datasets.current().lines
    for index in (1, 2):
        end(batch, index, lambda line: people.boxes([Box("bag", 1, 1, 5, 5)]))
    assert len(merged(batch)) == 4 and not any(line["source-ref"].startswith(older) for line in merged(batch))
    assert set(before) < set(datasets.current().lines), "the judge labels are as they were"
    report = handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert (report["images"], report["human"]) == (4, 4)


def test_a_job_without_judge_images_has_no_honeypots(change_setting) -> None:
    change_setting("HONEYPOT_RATE", "0.5")
    assert [job.honeypots for job in pinned(judged(3))] == [0]


# --- key points


def points(line: dict[str, Any]) -> dict[str, Any]:
    annotations = [{"class_id": 0, "x": 3, "y": 4, "visibility": "visible", "person": 0}]
    annotations += [{"class_id": number, "visibility": "outside", "person": 0} for number in (1, 2)]
    people = [{"left": 0, "top": 1, "width": 6, "height": 6}]
    value = {"image_size": [{"width": 64, "height": 48, "depth": 3}], "annotations": annotations, "people": people}
    names = {str(number): name for number, name in enumerate(settings().label_names)}
    metadata = {"class-map": names, "type": "groundtruth/custom", "human-annotated": "yes"}
    return {"human-key-points": value, "human-key-points-metadata": metadata}


def test_key_points_are_labelled_by_people_while_there_is_no_model(change_setting) -> None:
    change_setting("TASK", "key-points")
    change_setting("HUMAN_BUDGET", "3")
    upload(5)
    state = registered(mark())
    batch = state["batch"]["id"]
    begun = handle("begin_round", batch_id=batch, round=1)
    assert (begun["infer"], begun["model"]) == (False, "")
    counts = handle("judge_batch", batch_id=batch, round=1)
    assert (counts["human"], counts["deferred"], counts["auto"]) == (3, 2, 0)
    (job,) = pinned(batch)
    assert job.kind == "annotate" and all(set(line) == {"source-ref", "image-size"} for line in lines_of(job))
    assert not end(batch, 1, points)["more"]
    progress = handle("merge_annotations", batch_id=batch, round=1)
    assert progress["human"] == 3 and progress["retrain"] and progress["another_round"]
    line = storage.read_lines(Files(batch).round_annotations(1))[0]
    first = {"class_id": 0, "x": 3, "y": 4, "visibility": "visible", "person": 0}
    assert line["key-points"]["annotations"][0] == first and len(line["key-points"]["people"]) == 1
    assert line["key-points-metadata"]["human-annotated"] == "yes" and line["provenance"]["role"]
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert json.loads(storage.read(f"batches/{batch}/annotations.manifest").split(b"\n")[0]) == line


def test_people_who_place_key_points_are_measured_by_honeypots_too(change_setting) -> None:
    change_setting("TASK", "key-points")
    change_setting("HONEYPOT_RATE", "0.5")
    judge_dataset()  # of boxes: no use here
    names = settings().label_names
    place = KeyPoint(names[0], 3, 4, "visible"), *(KeyPoint(name, None, None, "outside") for name in names[1:])
    label = Annotation(
        storage.uri("incoming/older/points.png"),
        *(None, *SIZE, one_person(place, SIZE), True, "2026-11-20T10:00:00", "job", {"role": "judge"}),
        task="key-points",
    )
    datasets.publish([label.to_line(names)], {})
    batch = judged(4)
    (job,) = pinned(batch)
    assert (job.objects, job.honeypots) == (4, 1)
    form = {
        "annotatedKeyPoints": {
            "keypoints": [{"label": names[0], "x": 3, "y": 4}],
            "inputImageProperties": {"width": SIZE[0], "height": SIZE[1]},
        }
    }
    for index in range(len(lines_of(job))):
        folder = f"{Files(batch).labeling(1)}/{job.name}/annotations/worker-response/iteration-1/{index}"
        storage.write_json(f"{folder}/a.json", {"answers": [{"workerId": "one", "answerContent": form}]})
    end(batch, 1, points)
    (score,) = storage.read_json(Files(batch).workers(1, job.name))["workers"]
    assert (score["answers"], score["honeypots"], score["honeypot-quality"]) == (5, 1, 1.0)
    assert len(merged(batch)) == 4
