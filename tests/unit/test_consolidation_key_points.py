"""Several workers' key points of one person become one: places without outliers, visibilities by vote."""

import json
from functools import partial

import answer_forms
import pytest
from answer_forms import KEY_POINTS, NAMES, SKELETON, boxes, item, key_points, placed
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import KeyPoint
from labelloop.people.consolidation import consolidate_payload
from labelloop.tasks.consolidation_key_points import same_point

label = partial(answer_forms.label, attribute=KEY_POINTS)
labels = partial(answer_forms.labels, attribute=KEY_POINTS)
marks = st.builds(
    placed,
    st.sampled_from([*NAMES, *(f"{name} (occluded)" for name in NAMES)]),
    st.integers(0, 1280).map(lambda half: half / 2),
    st.integers(0, 960).map(lambda half: half / 2),
)
forms = st.lists(marks, max_size=3, unique_by=lambda mark: mark["label"].removesuffix(" (occluded)")).map(
    lambda listed: key_points(*listed)
)
objects_of_some = st.lists(st.dictionaries(st.sampled_from("abcd"), forms, min_size=1), min_size=1, max_size=4)


def shuffled_form(form, random):
    element = form["annotatedKeyPoints"]
    return {
        **form,
        "annotatedKeyPoints": {**element, "keypoints": random.sample(element["keypoints"], len(element["keypoints"]))},
    }


@pytest.mark.fault("F21")
@given(objects_of_some, st.randoms())
def test_f21_no_order_of_objects_workers_or_points_changes_a_byte(objects, random) -> None:
    payload = [item(answers, str(number)) for number, answers in enumerate(objects)]
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
            for entry in consolidate_payload(given, KEY_POINTS, (), skeleton=SKELETON)
        }
        for given in (payload, shuffled)
    ]
    assert by_id[0] == by_id[1]


@given(forms)
def test_one_workers_label_is_kept_exactly(form) -> None:
    value = label(form)
    given_marks = {mark["label"]: (mark["x"], mark["y"]) for mark in form["annotatedKeyPoints"]["keypoints"]}
    kept = {
        NAMES[entry["class_id"]] + (" (occluded)" if entry["visibility"] == "occluded" else ""): (
            entry["x"],
            entry["y"],
        )
        for entry in value["annotations"]
        if entry["visibility"] != "outside"
    }
    assert kept == given_marks
    assert all(entry == {"confidence": 1, "agreement": 1} for entry in value["objects"])


@given(objects_of_some)
def test_every_configured_point_comes_once_in_order_and_outside_has_no_place(objects) -> None:
    for value in labels([item(answers, str(number)) for number, answers in enumerate(objects)]):
        people = len(value["people"])
        assert [entry["class_id"] for entry in value["annotations"]] == [0, 1, 2] * people
        assert [entry["person"] for entry in value["annotations"]] == [n for n in range(people) for _ in NAMES]
        assert all(("x" in entry) == (entry["visibility"] != "outside") for entry in value["annotations"])
        assert all(0 <= entry["x"] <= 640 and 0 <= entry["y"] <= 480 for entry in value["annotations"] if "x" in entry)
        assert 0 <= value["agreement"] <= 1


def test_the_label_has_the_documented_shape() -> None:
    value = label(
        key_points(placed("left eye (occluded)", 5.5, 6), note="n"), key_points(placed("left eye (occluded)", 7.5, 6))
    )
    assert value == {
        "image_size": [{"width": 640, "height": 480, "depth": 3}],
        "annotations": [
            {"class_id": 0, "visibility": "outside", "person": 0},
            {"class_id": 1, "x": 6.5, "y": 6, "visibility": "occluded", "person": 0},
            {"class_id": 2, "visibility": "outside", "person": 0},
        ],
        "people": [{"left": 0, "top": 0, "width": 38.5, "height": 38, "derived": True, "confidence": 1}],
        "objects": [{"confidence": 1.0, "agreement": 1.0}] * 3,
        "class-map": {"0": "nose", "1": "left eye", "2": "right eye"},
        "workers": 2,
        "agreement": 1.0,
        "notes": ["n"],
    }


def test_f21_a_point_far_off_the_others_does_not_move_the_label() -> None:
    crowd = [{w: key_points(placed(x=100 + step + n % 2, y=100)) for n, w in enumerate("abc")} for step in range(6)]
    crowd[0]["c"] = key_points(placed(x=400, y=300))
    nose = labels([item(answers, str(number)) for number, answers in enumerate(crowd)])[0]["annotations"][0]
    assert 100 <= nose["x"] <= 101 and nose["y"] == 100


def test_f21_visibility_is_voted_and_weighted() -> None:
    seen, hidden = key_points(placed(x=10)), key_points(placed("nose (occluded)", x=14))
    nose = label(seen, seen, hidden)["annotations"][0]
    assert nose["visibility"] == "visible" and 10 <= nose["x"] < 14
    nose = label(seen, seen, hidden, reliability={"a": 0.05, "b": 0.05, "c": 0.9})["annotations"][0]
    assert nose["visibility"] == "occluded"
    assert label(seen, key_points(), key_points())["people"] == [], "two of three saw nobody"


@given(
    st.lists(st.sampled_from(["visible", "occluded", "outside"]), min_size=1, max_size=5),
    st.integers(2, 4),
    st.dictionaries(st.sampled_from("abcd"), st.floats(1e-9, 1)),
)
def test_people_who_agree_on_a_visibility_are_believed_however_unreliable_they_are(said, count, reliability) -> None:
    form_of = {"visible": key_points(placed()), "occluded": key_points(placed("nose (occluded)"))}
    payload = [item([form_of.get(each, key_points())] * count, str(number)) for number, each in enumerate(said)]
    values = labels(payload, reliability=reliability)
    assert [value["annotations"][0]["visibility"] if value["people"] else "outside" for value in values] == said


def test_f22_a_worker_known_to_be_unreliable_hardly_moves_a_point() -> None:
    nose = label(key_points(placed(x=10)), key_points(placed(x=30)), reliability={"b": 0.02})["annotations"][0]
    assert nose["x"] == pytest.approx(10.5, abs=0.1)


def test_agreement_counts_the_people_who_said_the_same() -> None:
    value = label(key_points(placed(x=10)), key_points(placed(x=12)), key_points(placed("nose (occluded)", x=11)))
    assert value["objects"][0] == {"confidence": 0.6667, "agreement": 0.6667}
    assert value["agreement"] == pytest.approx((1 + 1 + 2 / 3) / 3, abs=1e-4)


def test_a_majority_that_cannot_judge_leaves_the_image_open() -> None:
    blind = key_points(cannot_judge=True, nothing_here=False)
    assert "cannot judge" in label(blind, blind, key_points(placed()))["error"]
    assert label(blind, key_points(placed()))["workers"] == 1


def test_boxes_in_a_key_point_job_are_refused() -> None:
    value = label(key_points(placed()), key_points(placed()), boxes())
    assert value["workers"] == 2 and value["refused"][0]["worker"] == "c"


def test_the_same_point_is_within_two_percent_of_the_diagonal() -> None:
    def at(x, visibility="visible"):
        return KeyPoint("nose", x, 0.0, visibility)

    assert same_point(at(0), at(16), 640, 480) and not same_point(at(0), at(16.1), 640, 480)
    assert same_point(at(0), at(3), 10, 10) and not same_point(at(0), at(0, "occluded"), 640, 480)
    outside = KeyPoint("nose", None, None, "outside")
    assert same_point(outside, outside, 640, 480) and not same_point(outside, at(0), 640, 480)
