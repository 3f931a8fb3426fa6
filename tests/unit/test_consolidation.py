"""From the payload of Ground Truth to one label or error per object: bad answers, hostile ones, missing ones."""

import json
from functools import partial
from pathlib import Path

import pytest
from answer_forms import (
    BOXES,
    CLASSES,
    KEY_POINTS,
    VERDICTS,
    boxes,
    drawn,
    item,
    key_points,
    label,
    labels,
    placed,
    size,
    verdict,
)
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Failed, Labelled, read_labeled
from labelloop.contracts.naming import JOB_KINDS
from labelloop.contracts.records import Box
from labelloop.contracts.settings import settings
from labelloop.people import jobs
from labelloop.people.consolidation import consolidate_payload
from labelloop.people.consolidation_objects import worker_ids
from labelloop.tasks import boxes as boxes_task

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
HEAD = {"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}


def test_a_payload_gives_one_label_per_object_in_order() -> None:
    payload = [item([boxes(drawn()), boxes(drawn())], "7"), item([boxes()], "3")]
    first, second = consolidate_payload(payload, "human-boxes", ["hand", "head"])
    assert first == {
        "datasetObjectId": "7",
        "consolidatedAnnotation": {
            "content": {
                "human-boxes": {
                    "image_size": [{"width": 640, "height": 480, "depth": 3}],
                    "annotations": [{"class_id": 1, "left": 10, "top": 20, "width": 30, "height": 40}],
                    "objects": [{"confidence": 1.0, "agreement": 1.0}],
                    "class-map": {"0": "hand", "1": "head"},
                    "workers": 2,
                    "agreement": 1.0,
                }
            }
        },
    }
    assert second["consolidatedAnnotation"]["content"]["human-boxes"]["annotations"] == []


def test_f23_nothing_here_and_no_answer_are_two_outcomes() -> None:
    assert label(boxes())["annotations"] == [] and label(boxes(), boxes())["workers"] == 2
    nobody = label(key_points(), attribute=KEY_POINTS)
    assert nobody["people"] == nobody["annotations"] == [] and nobody["workers"] == 1
    assert label() == {"error": "nobody answered"}
    assert "nothing-here" in label(key_points(nothing_here=False), attribute=KEY_POINTS)["error"]


def test_who_cannot_judge_does_not_vote_and_a_majority_of_them_leaves_the_image_open() -> None:
    blind = boxes(drawn("hand", 1, 1), cannot_judge=True, note="black")
    assert label(blind, boxes(drawn()))["annotations"] == [HEAD]
    assert label(blind, boxes(drawn()))["workers"] == 1
    value = label(blind, blind, boxes(drawn()))
    assert value == {"error": "2 of 3 people cannot judge the image", "notes": ["black"]}
    assert label(blind)["error"] == "1 of 1 people cannot judge the image"


def test_a_label_and_an_error_come_back_out_of_the_manifest() -> None:
    metadata = {"type": "groundtruth/custom", "human-annotated": "yes", "job_name": "j", "creation_date": "2026-11-20"}
    for forms, kind in (((boxes(drawn()),), Labelled), (("broken",), Failed), ((), Failed)):
        line = {"source-ref": "s3://b/k", "human-boxes": label(*forms), "human-boxes-metadata": metadata}
        result = read_labeled(json.dumps(line), "human-boxes")
        assert isinstance(result, kind)
        if kind is Labelled:
            assert result.annotation.boxes == (Box("head", 10, 20, 30, 40, 1.0),)


def test_nameless_workers_count_each() -> None:
    payload = [item([boxes(drawn()), boxes(drawn(left=12)), boxes()])]
    for annotation in payload[0]["annotations"]:
        del annotation["workerId"]
    (value,) = labels(payload)
    payload[0]["annotations"].reverse()
    assert value["workers"] == 3 and labels(payload) == [value]


def test_an_answer_about_another_image_size_does_not_count() -> None:
    value = label(boxes(drawn()), boxes(drawn()), boxes(image=size(320, 240)))
    assert value["workers"] == 2 and value["image_size"] == [{"width": 640, "height": 480, "depth": 3}]
    (refused,) = value["refused"]
    assert refused["worker"] == "c" and "320 x 240" in refused["reason"]


@pytest.mark.parametrize(
    ("attribute", "honest"), [(BOXES, boxes(drawn())), (KEY_POINTS, key_points(placed())), (VERDICTS, verdict())]
)
@pytest.mark.parametrize("others", [1, 3])
def test_answers_to_another_task_or_of_another_size_do_not_cost_the_honest_one(attribute, honest, others) -> None:
    malformed = boxes(image=size(1, 1)) if others == 1 or attribute != BOXES else verdict()
    value = label(honest, *[malformed] * others, attribute=attribute)
    alone = label(honest, attribute=attribute)
    assert {**alone, "refused": value["refused"]} == value
    assert [entry["worker"] for entry in value["refused"]] == ["b", "c", "d"][:others]


def test_the_answers_attribute_of_every_job_tells_its_task(environment, change_setting) -> None:
    forms = {BOXES: boxes(drawn()), KEY_POINTS: key_points(placed()), VERDICTS: verdict()}
    forms["verified-key-points"] = verdict()
    for task in ("boxes", "key-points"):
        change_setting("TASK", task)
        for kind in JOB_KINDS:
            attribute = jobs.form(kind, settings()).attribute
            assert label(forms[attribute], attribute=attribute)["workers"] == 1
    with pytest.raises(InvalidInputError, match=r"labelAttributeName.*human-boxes"):
        label(boxes(), attribute="bounding-box")


def test_answers_can_be_stored_elsewhere() -> None:
    stored = item([])
    stored["annotations"] = [{"workerId": "w", "annotationData": {"s3Uri": "s3://b/answer.json"}}]
    files = {"s3://b/answer.json": json.dumps(boxes(drawn()))}
    (value,) = labels([stored], read_uri=files.__getitem__)
    assert len(value["annotations"]) == 1
    (value,) = labels([stored])
    assert "content" in value["error"]


def test_f19_an_answer_that_cannot_be_fetched_stops_everything_rather_than_being_left_out() -> None:
    def denied(uri):
        raise PermissionError(uri)

    stored = item([boxes()])
    stored["annotations"].append({"workerId": "w", "annotationData": {"s3Uri": "s3://b/answer.json"}})
    with pytest.raises(PermissionError):
        labels([stored], read_uri=denied)


BROKEN = [
    {"datasetObjectId": "25"},
    {"datasetObjectId": "25", "annotations": {"a": 1}},
    {"datasetObjectId": "25", "annotations": [None]},
    {"datasetObjectId": "25", "annotations": [{"workerId": ["a"], "annotationData": {"content": 7}}]},
    {"datasetObjectId": "25", "annotations": [{"workerId": "a", "annotationData": "text"}]},
]


@pytest.mark.fault("F20")
@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_f20_one_of_fifty_objects_is_broken_and_says_so_and_49_are_labelled(broken) -> None:
    payload = [item([boxes(drawn())], str(number)) for number in range(50)]
    payload[25] = broken
    values = labels(payload)
    assert [number for number, value in enumerate(values) if "error" in value] == [25]
    assert all(value["annotations"] == [HEAD] for value in values if "error" not in value)


@pytest.mark.parametrize("nameless", [1, None, {"annotations": []}, {"datasetObjectId": 7, "annotations": []}])
def test_f20_an_object_without_an_id_cannot_be_answered_and_costs_no_other(nameless) -> None:
    response = consolidate_payload([nameless, item([boxes()], "1")], BOXES, CLASSES)
    assert [entry["datasetObjectId"] for entry in response] == ["1"]


def test_f20_an_object_that_makes_the_consolidation_itself_fail_costs_no_other(monkeypatch) -> None:
    real = boxes_task.fuse_boxes

    def fail_on_hands(images, classes, reliability):
        if any(box.label == "hand" for drawn_by in images for listed in drawn_by.values() for box in listed):
            raise ZeroDivisionError("a bug")
        return real(images, classes, reliability)

    monkeypatch.setattr(boxes_task, "fuse_boxes", fail_on_hands)
    first, second = labels([item([boxes(drawn())], "0"), item([boxes(drawn("hand"))], "1")])
    assert first["annotations"] == [HEAD] and "ZeroDivisionError: a bug" in second["error"]


def test_f14_more_overlapping_boxes_than_people_draw_cost_their_object_only() -> None:
    crowded = boxes(*[drawn()] * 400)
    hostile, good = labels([item([crowded, crowded], "0"), item([boxes(drawn())], "1")])
    assert "boundingBoxes" in hostile["error"] and good["annotations"] == [HEAD]


@pytest.mark.parametrize("payload", [{}, None, "[]", 7])
def test_a_payload_that_is_no_list_is_refused(payload) -> None:
    with pytest.raises(InvalidInputError, match="payload"):
        consolidate_payload(payload, BOXES, CLASSES)
    assert worker_ids(payload) == []


def test_the_workers_of_a_payload_are_found_whatever_else_is_in_it() -> None:
    payload = [*BROKEN, item({"b": boxes(), "a": "broken"}), 7, None, {"annotations": 3}]
    assert worker_ids(payload) == ["a", "b"]


def test_a_recorded_payload_of_ground_truth_is_consolidated() -> None:
    path = GROUND_TRUTH / "custom-task-lambda/sample_annotation_consolidation_payload.json"
    if not path.exists():
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    first, second = consolidate_payload(json.loads(path.read_text()), BOXES, ["Red", "Green"])
    assert first["consolidatedAnnotation"]["content"][BOXES]["annotations"] == [
        {"class_id": 0, "left": 116, "top": 283, "width": 137, "height": 128},
        {"class_id": 1, "left": 418, "top": 281, "width": 138, "height": 141},
    ]
    assert second["datasetObjectId"] == "2"


def test_notes_and_reasons_cannot_fill_the_manifest() -> None:
    payload = [item({f"w{n}": boxes(note=f"{n:02d}" + "x" * 10_000) for n in range(30)})]
    (value,) = labels(payload)
    assert len(value["notes"]) == 10 and max(map(len, value["notes"])) == 500
    (value,) = labels([item({f"w{n}": boxes(drawn("y" * 10_000)) for n in range(30)})])
    assert len(json.dumps(value)) < 20_000


def test_a_verdict_needs_more_than_half_and_a_tie_rejects() -> None:
    accept, reject = verdict(), verdict("reject", note="too wide")
    vote = partial(label, attribute=VERDICTS)
    assert vote(accept, accept, reject) == {
        "verdict": "accept",
        "workers": 3,
        "agreement": 0.6667,
        "notes": ["too wide"],
    }
    assert vote(accept, reject)["verdict"] == "reject"
    assert vote(reject)["verdict"] == "reject" and vote(accept) == {"verdict": "accept", "workers": 1, "agreement": 1}
    assert vote(accept, reject, reliability={"a": 0.82, "b": 0.79})["verdict"] == "reject"
    assert vote(accept, reject, reliability={"b": 0.05})["verdict"] == "accept"
