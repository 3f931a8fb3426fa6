"""The task `key-points`: how good a label is, labels of several people, and what people are asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.augmented import read_key_points
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import KeyPoint
from labelloop.people.answers import KeyPointAnswer
from labelloop.tasks.key_points import KeyPoints

from tests.support import strategies

TASK = KeyPoints()
NAMES = ("nose", "left eye", "right eye")
NOSE = KeyPoint("nose", 10.0, 20.0, "visible")
LEFT = KeyPoint("left eye", 50.0, 50.0, "occluded")
RIGHT = KeyPoint("right eye", None, None, "outside")
LABEL = (NOSE, LEFT, RIGHT)
SIZE = (640, 480)


def fused(*answers: tuple[KeyPoint, ...]) -> dict:
    named = {worker: KeyPointAnswer(marks, *SIZE) for worker, marks in zip("abcdefgh", answers, strict=False)}
    (value,) = TASK.fuse([named], NAMES, dict.fromkeys(named, 0.7))
    return value


@given(strategies.key_points(confidence=st.none()), st.randoms(use_true_random=False))
def test_a_label_is_right_in_whatever_order_and_each_missing_point_costs_its_share(label, random) -> None:
    shuffled = random.sample(label, len(label))
    assert TASK.quality(shuffled, label, SIZE) == 1
    assert TASK.quality(shuffled[1:], label, SIZE) == pytest.approx(2 / 3)
    assert TASK.quality([], label, SIZE) == 0


def test_a_point_is_right_near_its_place_with_its_visibility_under_its_name() -> None:
    for wrong in (
        KeyPoint("nose", 60.0, 20.0, "visible"),
        KeyPoint("nose", 10.0, 20.0, "occluded"),
        KeyPoint("nose", None, None, "outside"),
        KeyPoint("tail", 10.0, 20.0, "visible"),
    ):
        assert TASK.quality((wrong, LEFT, RIGHT), LABEL, SIZE) == pytest.approx(2 / 3)
    assert TASK.quality((KeyPoint("nose", 11.0, 20.0, "visible"), LEFT, RIGHT), LABEL, SIZE) == 1
    assert TASK.quality(LABEL, (), SIZE) == 0, "a truth without points is none of this task"


def test_a_fused_label_is_read_back_as_its_points_with_what_a_custom_task_says_beside_them() -> None:
    value = json.loads(json.dumps(fused(LABEL, LABEL)))
    metadata = {"class-map": value["class-map"]}
    read = read_key_points(value, metadata, NAMES, "line 1")
    assert [(point.label, point.x, point.y, point.visibility) for point in read] == [
        (point.label, point.x, point.y, point.visibility) for point in LABEL
    ]
    assert value["annotations"][2] == {"class_id": 2, "visibility": "outside"}, "what is outside has no place"
    assert value["image_size"] == [{"width": 640, "height": 480, "depth": 3}]
    assert (value["workers"], value["agreement"]) == (2, 1)


def test_agreement_is_the_mean_over_the_points() -> None:
    elsewhere = KeyPoint("nose", 400.0, 400.0, "visible")
    value = fused(LABEL, LABEL, (elsewhere, LEFT, RIGHT))
    agreements = [entry["agreement"] for entry in value["objects"]]
    assert agreements[0] < 1 and agreements[1:] == [1, 1]
    assert value["agreement"] == pytest.approx(sum(agreements) / 3, abs=1e-4)
    assert (value["annotations"][0]["x"], value["annotations"][0]["y"]) == (10, 20)


def test_people_get_the_same_form_whatever_the_kind_of_the_job() -> None:
    forms = [TASK.form(kind, NAMES, "nose and eyes") for kind in ("annotate", "adjust", "verify")]
    assert forms[0] == forms[1] == forms[2]
    assert (forms[0].attribute, forms[0].categories) == (TASK.answer, NAMES)
    assert forms[0].title == "Place the key points: nose and eyes"


def test_a_page_offers_each_name_visible_and_occluded_and_shows_what_is_in_view() -> None:
    line = TASK.propose("s3://b/k", *SIZE, LABEL, NAMES, "m")
    page = TASK.page(line, NAMES, "line 1")
    assert page.labels[:2] == ["nose", "nose (occluded)"] and len(page.labels) == 6
    assert page.initial == [{"label": "nose", "x": 10, "y": 20}, {"label": "left eye (occluded)", "x": 50, "y": 50}]
    assert page.overlay == [] and page.header == "Place the points: nose, left eye and right eye"
    assert TASK.page({"source-ref": "s3://b/k"}, NAMES, "line 1").initial == []
    with pytest.raises(InvalidInputError, match="line 1"):
        TASK.page(line, ("tail",), "line 1")
