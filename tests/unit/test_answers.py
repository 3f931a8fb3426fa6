"""Answers of people are read exactly, or refused with the name of the field (F13, F14, F15, F23)."""

import json
from dataclasses import replace

import pytest
from answer_forms import CLASSES, NAMES, SKELETON, boxes, drawn, key_points, label, placed, size, verdict
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.people.answers import CannotJudge, Choice, Marked, read_answer
from labelloop.tasks import people_labels
from marked_people import person

from tests.support import strategies


def read(content):
    return read_answer(content, CLASSES, SKELETON)


def test_boxes_are_read_as_they_were_drawn() -> None:
    expected = Marked("boxes", (Box("head", 10, 20, 30, 40), Box("hand", 0.5, 0, 639.5, 480)), 640, 480, "two")
    form = boxes(drawn(), drawn("hand", 0.5, 0, 639.5, 480), note="two")
    assert read(form) == read(json.dumps(form)) == expected


def test_key_points_come_in_the_configured_order_and_outside_where_none_was_placed() -> None:
    answer = read(key_points(placed("right eye (occluded)", 1, 2), placed("nose", 3.5, 4)))
    nose, left, right = (
        KeyPoint("nose", 3.5, 4, "visible"),
        KeyPoint("left eye", None, None, "outside"),
        KeyPoint("right eye", 1, 2, "occluded"),
    )
    assert answer == Marked("key-points", one_person((nose, left, right), (640, 480)), 640, 480)


def test_a_number_says_whose_a_point_is_and_two_corners_are_a_box() -> None:
    answer = read(
        key_points(
            *(placed("nose #3", 5, 6), placed("bottom-right #3", 50, 60), placed("nose", 100, 100)),
            *(placed("left eye #3 (occluded)", 9, 9), placed("top-left #3", 1, 2.5), placed("top-left", 90, 90)),
        )
    )
    first, third = answer.marks
    assert third == person(1, 2.5, 49, 57.5, (5, 6), (9, 9, "occluded"))
    assert (first,) == one_person(first.points, (640, 480)) and first.derived, "one corner is no box"


def test_corners_are_a_box_whichever_of_them_is_where_and_may_be_all_that_is_marked() -> None:
    answer = read(key_points(placed("top-left", 50, 2), placed("bottom-right", 1, 60)))
    assert answer.marks == (person(1, 2, 49, 58),)


@given(
    st.dictionaries(st.integers(1, 12), strategies.people(names=NAMES, max_size=1), max_size=6),
    st.randoms(use_true_random=False),
)
def test_people_are_read_as_they_were_placed_whatever_their_numbers(numbered, random) -> None:
    """One to six people, numbers with gaps, marks in any order."""
    given_people = {number: listed[0] for number, listed in numbered.items() if listed}
    drawn_people = {
        number: replace(each, box=replace(each.box, confidence=None), derived=False, area=None, points=unsure(each))
        for number, each in given_people.items()
    }
    marks = [mark for number, each in drawn_people.items() for mark in people_labels.marks(each, number)]
    answer = read(key_points(*random.sample(marks, len(marks))))
    assert list(answer.marks) == [drawn_people[number] for number in sorted(drawn_people)]


def unsure(one):
    return tuple(replace(point, confidence=None) for point in one.points)


@pytest.mark.parametrize("said", ["accept", "reject"])
def test_a_verdict_is_read(said) -> None:
    assert read(verdict(said, note="dark")) == Choice(said, "dark")


def test_elements_have_any_name_and_other_members_are_ignored() -> None:
    form = boxes(drawn())
    form["drawing"] = {**form.pop("annotatedResult"), "initialValueModified": False}
    assert len(read({**form, "initialValueModified": True, "age": [1]}).marks) == 1


@pytest.mark.parametrize("ticked", [True, {"cannot-judge": True}, {"on": True}])
def test_who_cannot_judge_gives_no_label_whatever_is_drawn(ticked) -> None:
    for form in (boxes(drawn("tail")), key_points(), {}):
        assert read({**form, "cannot-judge": ticked, "note": "blurred"}) == CannotJudge("blurred")


@pytest.mark.parametrize("unticked", [False, {"cannot-judge": False}, None])
def test_an_unticked_or_missing_box_is_no_tick(unticked) -> None:
    assert read({**boxes(), "cannot-judge": unticked}) == Marked("boxes", (), 640, 480)
    form = boxes()
    del form["cannot-judge"], form["note"]
    assert read(form) == Marked("boxes", (), 640, 480)


@pytest.mark.fault("F23")
def test_f23_nothing_here_is_an_answer_and_no_answer_is_none() -> None:
    assert read(boxes()).marks == ()
    assert read(key_points(nothing_here=True)).marks == ()
    with pytest.raises(InvalidInputError, match="nothing-here"):
        read(key_points(nothing_here=False))


def test_f14_up_to_one_pixel_outside_is_moved_to_the_edge() -> None:
    (box,) = read(boxes(drawn(left=-0.6, top=440.5))).marks
    assert box == Box("head", 0, 440.5, 29.4, 39.5)
    point = read(key_points(placed(x=-1, y=481))).marks[0].points[0]
    assert (point.x, point.y) == (0, 480)


def test_f14_a_box_is_at_least_one_pixel_wide_and_high() -> None:
    (box,) = read(boxes(drawn(width=1, height=1.5))).marks
    assert (box.width, box.height) == (1, 1.5)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


F13 = [
    ("not json", "content"),
    ("", "content"),
    ("[]", "content"),
    ("null", "content"),
    ("{}", "boundingBoxes"),
    (json.dumps(boxes())[:-9], "content"),
    (json.dumps({**boxes(), "padding": "x" * 5_000_000}), "content"),
    ({**boxes(), "padding": "ü" * 600_000}, "content"),
    (nested(33), "nested"),
    (nested(5000), "nested"),
    ("[" * 200_000, "nested"),
    (json.dumps(boxes(drawn(left=float("nan")))), "NaN"),
    (boxes(drawn(left=float("inf"))), "Infinity"),
    (json.dumps(boxes(drawn(width=1))).replace('"width": 1,', '"width": 1e999,'), "width"),
    ('{"__proto__": {"a": 1}}', "__proto__"),
    ({**boxes(), "x": {"__proto__": 1}}, "__proto__"),
    (json.dumps(boxes(drawn())).replace('"left": 10', '"left": 10, "left": 11'), "left.*twice"),
    ({**boxes(), "again": boxes()["annotatedResult"]}, "boundingBoxes"),
    ({**boxes(), **key_points(placed())}, "keypoints"),
    (boxes(drawn(top="20")), "top"),
    (boxes(drawn(top=None)), "top"),
    (boxes(drawn(top=True)), "top"),
    (boxes(drawn(top=10**400)), "top"),
    (boxes(drawn(label=None)), "label"),
    (boxes(7), "boundingBoxes"),
    (boxes(image={"width": 0, "height": 1}), "width"),
    (boxes(image=[1]), "inputImageProperties"),
    ({"annotatedResult": {"boundingBoxes": []}}, "inputImageProperties"),
    ({"annotatedResult": {"boundingBoxes": {}, "inputImageProperties": size()}}, "boundingBoxes"),
    ({**boxes(), "note": 1}, "note"),
    ({**boxes(), "note": "\ud800"}, "note"),
    ({**boxes(), "cannot-judge": "yes"}, "cannot-judge"),
    ({**boxes(), "cannot-judge": {"a": True, "b": False}}, "cannot-judge"),
    (key_points(placed(x="1")), "x"),
    (key_points(placed(), nothing_here=True), "nothing-here"),
    (key_points(placed(), placed(x=9)), "label"),
    (key_points(placed(), placed("nose (occluded)")), "label"),
    (key_points(placed("nose #2"), placed("nose #2 (occluded)")), "label"),
    (key_points(placed("top-left"), placed("top-left", 9)), "label"),
    (key_points(placed("top-left")), "keypoints.*nobody"),
    ({"verdict": {"label": ["accept"]}}, "label"),
]
F14 = [
    (boxes(drawn(width=-5)), "width"),
    (boxes(drawn(height=0)), "height"),
    (boxes(drawn(width=0.004)), "width"),
    (boxes(drawn(height=1e-300)), "height"),
    (boxes(drawn(width=0.99)), "width"),
    (boxes(drawn(left=639.5, width=1)), "width"),
    (boxes(drawn(left=-1.01)), "left"),
    (boxes(drawn(left=620)), "width"),
    (boxes(drawn(left=640, width=1)), "width"),
    (boxes(drawn(top=479, height=2.01)), "height"),
    (boxes(drawn(left=40, width=-30, top=60, height=-40)), "width"),
    (boxes(*[drawn()] * 10_000), "boundingBoxes.*2,000"),
    (key_points(placed(x=641.01)), "x"),
    (key_points(placed("top-left", 5, 5), placed("bottom-right", 5.5, 50)), "keypoints.*less than a pixel"),
    (key_points(placed(y=-2)), "y"),
    (key_points(*[placed()] * 2_001), "keypoints.*2,000"),
]
F15 = [
    (boxes(drawn("tail")), "label"),
    (boxes(drawn("Head'><script>alert(1)</script>")), "label"),
    (key_points(placed("tail")), "label"),
    (key_points(placed("nose (hidden)")), "label"),
    (key_points(placed("nose #1")), "label"),
    (key_points(placed("top-left (occluded)")), "label"),
    (verdict("maybe"), "label"),
]


@pytest.mark.fault("F13")
@pytest.mark.parametrize(("content", "field"), F13, ids=range(len(F13)))
def test_f13_what_no_page_sends_is_refused_with_the_field_and_costs_only_itself(content, field) -> None:
    refused_alone(content, field)


@pytest.mark.fault("F14")
@pytest.mark.parametrize(("content", "field"), F14, ids=range(len(F14)))
def test_f14_marks_outside_the_image_or_too_many_are_refused(content, field) -> None:
    refused_alone(content, field)


@pytest.mark.fault("F15")
@pytest.mark.parametrize(("content", "field"), F15, ids=range(len(F15)))
def test_f15_a_label_that_was_not_asked_for_is_refused(content, field) -> None:
    refused_alone(content, field)


def refused_alone(content, field) -> None:
    with pytest.raises(InvalidInputError, match=field):
        read(content)
    good = boxes(drawn())
    value = label(good, content if isinstance(content, str) else json.dumps(content))
    assert value["annotations"] == [{"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}]
    assert [entry["worker"] for entry in value["refused"]] == ["b"] and value["workers"] == 1
    assert "no usable answer among 1" in label(content if isinstance(content, str) else json.dumps(content))["error"]


def test_the_limits_themselves_are_allowed() -> None:
    assert len(read(boxes(*[drawn()] * 2_000)).marks) == 2_000
    deep = boxes()
    deep["more"] = json.loads(nested(31))
    assert read(deep).marks == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_f13_any_json_is_read_or_refused_cleanly(value) -> None:
    forms = (
        json.dumps(value),
        {"a": value},
        boxes(value),
        boxes(drawn(left=value)),
        key_points(placed(x=value)),
        {**boxes(), "note": value},
        {**boxes(), "cannot-judge": value},
        {"verdict": {"label": value}},
    )
    for form in forms:
        try:
            answer = read(form)
        except InvalidInputError as error:
            assert len(str(error)) < 400
            continue
        for box in getattr(answer, "boxes", ()):
            assert 0 <= box.left < box.left + box.width <= 640
