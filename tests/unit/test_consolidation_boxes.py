"""Boxes of several people become one label: which are kept, where they lie, and whose vote counts how much."""

import json

import pytest
from answer_forms import (
    BOXES,
    CLASSES,
    boxes,
    drawn,
    item,
    label,
    labels,
)
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import Box
from labelloop.people.consolidation import consolidate_payload
from labelloop.tasks.quality import image_quality, iou

from tests.support import strategies

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
