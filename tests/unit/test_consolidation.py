"""Several people's answers become one label: the payload, what is kept of each object, and what one bad part costs."""

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
from hypothesis import given
from hypothesis import strategies as st
from labelloop import consolidation, labeling
from labelloop.consolidation import consolidate_payload
from labelloop.consolidation_objects import worker_ids
from labelloop.errors import InvalidInputError
from labelloop.manifests import Failed, Labelled, read_labeled
from labelloop.naming import JOB_KINDS
from labelloop.quality import image_quality, iou
from labelloop.records import Box
from labelloop.settings import settings

from tests.support import strategies

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
SIDES = ("left", "top", "width", "height")
HEAD = {"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}

box_forms = strategies.boxes(confidence=st.none(), max_size=4).map(
    lambda listed: boxes(
        *({"label": b.label, **{side: getattr(b, side) for side in SIDES}} for b in listed), image=ROOM
    )
)
ROOM = {"width": 640, "height": 640}
box_objects = st.lists(st.dictionaries(st.sampled_from("abcd"), box_forms, min_size=1), min_size=1, max_size=4)


def payload_of(objects):
    return [item(answers, str(number)) for number, answers in enumerate(objects)]


def box_of(annotation):
    return Box(CLASSES[annotation["class_id"]], *(annotation[side] for side in SIDES))


def shuffled_form(form, random):
    element = form["annotatedResult"]
    marks = random.sample(element["boundingBoxes"], len(element["boundingBoxes"]))
    return {**form, "annotatedResult": {**element, "boundingBoxes": marks}}


# --- boxes


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("ab"), box_forms), min_size=1, max_size=4), min_size=1, max_size=3),
    st.randoms(),
)
def test_f21_no_order_changes_a_byte_where_workers_answer_an_object_twice(objects, random) -> None:
    def payload(several):
        return [item(answers, str(number)) for number, answers in several]

    shuffled = [
        (number, [(worker, shuffled_form(form, random)) for worker, form in random.sample(answers, len(answers))])
        for number, answers in enumerate(objects)
    ]
    assert labels(payload(enumerate(objects))) == labels(payload(shuffled))


@given(box_objects, st.randoms(), st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0.1, 0.5, 0.9])))
def test_f21_no_order_of_objects_workers_or_boxes_changes_a_byte(objects, random, reliability) -> None:
    payload = payload_of(objects)
    shuffled = [
        item(
            {w: shuffled_form(objects[n][w], random) for w in random.sample(sorted(objects[n]), len(objects[n]))},
            str(n),
        )
        for n in random.sample(range(len(objects)), len(objects))
    ]
    by_id = [
        {
            entry["datasetObjectId"]: json.dumps(entry)
            for entry in consolidate_payload(given, BOXES, CLASSES, reliability=reliability)
        }
        for given in (payload, shuffled)
    ]
    assert by_id[0] == by_id[1]


@given(box_objects)
def test_f21_what_is_kept_was_drawn_by_about_half_of_the_people_and_lies_in_the_image(objects) -> None:
    for value, answers in zip(labels(payload_of(objects)), objects, strict=True):
        for annotation, entry in zip(value["annotations"], value["objects"], strict=True):
            box = box_of(annotation)
            assert 0 <= box.left < box.left + box.width <= 640.01 and 0 <= box.top < box.top + box.height <= 640.01
            assert 0.45 <= entry["confidence"] <= 1 and 0 <= entry["agreement"] <= 1
            drawn_by = [
                form
                for form in answers.values()
                if any(iou(box, Box("", *(m[s] for s in SIDES))) > 0 for m in form["annotatedResult"]["boundingBoxes"])
            ]
            assert 3 * len(drawn_by) >= len(answers)
        assert 0 <= value["agreement"] <= 1 and value["workers"] == len(answers)


@given(box_forms)
def test_one_workers_label_is_kept_exactly(form) -> None:
    (value,) = labels([item([form])])
    marks = form["annotatedResult"]["boundingBoxes"]
    kept = sorted((CLASSES[a["class_id"]], *(a[side] for side in SIDES)) for a in value["annotations"])
    assert kept == sorted((mark["label"], *(mark[side] for side in SIDES)) for mark in marks)
    assert value["agreement"] == 1 and all(e == {"confidence": 1, "agreement": 1} for e in value["objects"])


def test_one_workers_fractions_are_not_rounded() -> None:
    exact = drawn(left=1 / 3, top=2 / 7, width=123.456789, height=1 + 1e-7)
    (kept,) = label(boxes(exact))["annotations"]
    assert {side: kept[side] for side in SIDES} == {side: exact[side] for side in SIDES}


@given(box_forms, st.integers(2, 4))
def test_people_who_agree_are_believed(form, count) -> None:
    distinct = {tuple(mark[side] for side in SIDES): mark for mark in form["annotatedResult"]["boundingBoxes"]}
    one = boxes(*distinct.values(), image=ROOM)
    agreed, alone = label(*[one] * count), label(one)
    assert agreed["annotations"] == alone["annotations"]
    assert agreed["agreement"] == 1 and agreed["workers"] == count


@given(
    st.lists(st.sampled_from(CLASSES), min_size=1, max_size=5),
    st.integers(2, 4),
    st.dictionaries(st.sampled_from("abcd"), st.floats(1e-9, 1)),
)
def test_people_who_agree_are_believed_however_unreliable_they_are(classes, count, reliability) -> None:
    payload = [item([boxes(drawn(name))] * count, str(number)) for number, name in enumerate(classes)]
    values = labels(payload, reliability=reliability)
    assert [[CLASSES[a["class_id"]] for a in value["annotations"]] for value in values] == [[name] for name in classes]


def test_f22_the_vote_of_a_worker_known_to_be_unreliable_is_no_vote_against_what_he_says() -> None:
    payload = [item([boxes(drawn())] * 3)]
    trust = {"a": 0.8, "b": 0.01, "c": 0.8}
    (response,) = consolidate_payload(payload, "human-boxes", ["head", "hand"], reliability=trust)
    value = response["consolidatedAnnotation"]["content"]["human-boxes"]
    assert value["annotations"] == [HEAD] and value["agreement"] == 1


def test_f21_two_of_three_two_of_four_and_one_of_two_keep_a_box_and_one_of_three_does_not() -> None:
    one, none = boxes(drawn()), boxes()
    assert label(one, one, none)["annotations"] == [HEAD]
    assert label(one, one, none, none)["annotations"] == [HEAD]
    assert label(one, none)["annotations"] == [HEAD]
    assert label(one, none, none)["annotations"] == []
    assert label(none, none)["annotations"] == []
    (entry,) = label(one, one, none)["objects"]
    assert 2 / 3 < entry["confidence"] < 0.7, "who agrees with somebody weighs a little more"
    assert entry["agreement"] == 0.6667


def test_f21_edges_are_means_without_outliers_and_the_class_is_voted() -> None:
    near = [boxes(drawn("head", left, 0, 100, 100)) for left in (10, 11, 12)]
    far = boxes(drawn("hand", 40, 0, 71, 100))
    (kept,) = label(*near, far)["annotations"]
    assert CLASSES[kept["class_id"]] == "head"
    assert 10 < kept["left"] < 13 and kept["top"] == 0 and 110 < kept["left"] + kept["width"] < 112


def test_objects_on_top_of_each_other_stay_apart() -> None:
    head, hand = drawn("head", 0, 0, 100, 100), drawn("hand", 0, 10, 100, 90)
    value = label(boxes(head, hand), boxes(hand, head), boxes(head))
    assert [CLASSES[entry["class_id"]] for entry in value["annotations"]] == ["head", "hand"]


def test_f22_a_worker_known_to_be_unreliable_neither_adds_nor_removes_boxes() -> None:
    real, invented = boxes(drawn()), boxes(drawn("hand", 300, 300))
    assert label(real, invented, reliability={"b": 0.05})["annotations"] == [HEAD]
    assert label(invented, real, reliability={"a": 0.05})["annotations"] == [HEAD]
    assert label(real, boxes(), invented, reliability={"b": 0.05, "c": 0.05})["annotations"] == [HEAD]


def test_f22_a_worker_who_agrees_with_nobody_is_found_out_without_honeypots() -> None:
    """Three people over many images: what one of the two good ones drew alone is kept, the third one's is not."""
    objects = [
        {"good": boxes(drawn(left=n)), "fair": boxes(drawn(left=n + 1)), "bad": boxes(drawn("hand", 300, 300 - n))}
        for n in range(40)
    ]
    objects[0]["fair"] = boxes()
    value = labels(payload_of(objects))[0]
    assert value["annotations"] == [{**HEAD, "left": 0}]


def test_the_agreement_of_an_image_is_the_mean_quality_of_the_answers() -> None:
    forms = [boxes(drawn(width=30)), boxes(drawn(width=34)), boxes(drawn(width=32), drawn("hand", 400, 400))]
    value = label(*forms)
    kept = [box_of(annotation) for annotation in value["annotations"]]
    answers = [[Box(m["label"], *(m[s] for s in SIDES)) for m in f["annotatedResult"]["boundingBoxes"]] for f in forms]
    expected = sum(image_quality(answer, kept) for answer in answers) / 3
    assert value["agreement"] == pytest.approx(expected, abs=1e-4)
    assert value["objects"][0]["agreement"] == pytest.approx(sum(iou(a[0], kept[0]) for a in answers) / 3, abs=1e-4)


# --- verification


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


# --- the payload


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
    assert {entry["visibility"] for entry in label(key_points(), attribute=KEY_POINTS)["annotations"]} == {"outside"}
    assert label() == {"error": "no usable answer among 0: nobody answered"}
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


@pytest.mark.parametrize("forms", [(boxes(drawn()), boxes()), (boxes(), boxes(drawn()))])
def test_of_two_answers_of_one_worker_the_later_one_counts_whatever_their_order(forms) -> None:
    twice = item([("a", form) for form in forms])
    for annotation, second in zip(twice["annotations"], "12", strict=True):
        annotation["submissionTime"] = f"2026-11-20T10:00:0{second}.000Z"
    backwards = {**twice, "annotations": twice["annotations"][::-1]}
    assert labels([twice]) == labels([backwards]) == [label(forms[1])]


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
    for task in ("boxes", "key-points"):
        change_setting("TASK", task)
        for kind in JOB_KINDS:
            attribute = labeling.form(kind, settings()).attribute
            assert label(forms[attribute], attribute=attribute)["workers"] == 1
    with pytest.raises(InvalidInputError, match=r"labelAttributeName.*human-boxes"):
        label(boxes(), attribute="bounding-box")


def test_of_two_image_sizes_that_as_many_state_the_trusted_ones_count_and_else_the_larger() -> None:
    small, large = boxes(image=size(320, 240)), boxes(drawn())
    for answers in ((small, large), (large, small)):
        assert label(*answers)["annotations"] == [HEAD]
    assert label(large, small, reliability={"b": 0.9})["image_size"] == [{"width": 320, "height": 240, "depth": 3}]
    assert label(large, small, small, reliability={"a": 0.9, "b": 0.1, "c": 0.1})["workers"] == 2, "most decide first"


def test_notes_and_reasons_cannot_fill_the_manifest() -> None:
    payload = [item({f"w{n}": boxes(note=f"{n:02d}" + "x" * 10_000) for n in range(30)})]
    (value,) = labels(payload)
    assert len(value["notes"]) == 10 and max(map(len, value["notes"])) == 500
    (value,) = labels([item({f"w{n}": boxes(drawn("y" * 10_000)) for n in range(30)})])
    assert len(json.dumps(value)) < 20_000


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
    real = consolidation.fuse_boxes

    def fail_on_hands(images, classes, reliability):
        if any(box.label == "hand" for drawn_by in images for listed in drawn_by.values() for box in listed):
            raise ZeroDivisionError("a bug")
        return real(images, classes, reliability)

    monkeypatch.setattr(consolidation, "fuse_boxes", fail_on_hands)
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
