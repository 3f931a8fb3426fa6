"""The task `key-points`: how good a label is, labels of several people, and what people are asked."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.people_values import read_people
from labelloop.contracts.settings import Settings
from labelloop.people.answers import Marked
from labelloop.tasks.key_points import KeyPoints
from labelloop.tasks.people_quality import people_quality
from made_up_stack import SETTINGS
from marked_people import NAMES, person

from tests.support import strategies

TASK = KeyPoints()
STACK = replace(Settings.from_environment(SETTINGS), task="key-points", most_people=2)
ONE = person(5, 15, 60, 50, (10, 20), (50, 50, "occluded"))
OTHER = person(300, 100, 50, 60, (310, 120), None, (330, 130))
SIZE = (640, 480)


def fused(*answers):
    named = {worker: Marked("key-points", marks, *SIZE) for worker, marks in zip("abcdefgh", answers, strict=False)}
    (value,) = TASK.fuse([named], NAMES, dict.fromkeys(named, 0.7))
    return value


@given(strategies.people(confidence=st.none()), strategies.people(confidence=st.none()))
def test_quality_is_that_of_people_by_the_stacks_skeleton(marks, truth) -> None:
    strict = replace(skeletons.named(NAMES), sigmas=(0.01, 0.02, 0.02))
    assert TASK.quality(marks, truth) == people_quality(marks, truth)
    assert TASK.quality(marks, truth, strict) == people_quality(marks, truth, strict)


def test_a_fused_label_is_read_back_as_its_people_with_what_a_custom_task_says_beside_them() -> None:
    value = json.loads(json.dumps(fused((ONE, OTHER), (OTHER, ONE))))
    read = read_people(value, {"class-map": value["class-map"]}, NAMES, "line 1")
    assert [(each.box.left, each.derived) for each in read] == [(5, False), (300, False)]
    assert [[(p.label, p.x, p.y, p.visibility) for p in each.points] for each in read] == [
        [(p.label, p.x, p.y, p.visibility) for p in each.points] for each in (ONE, OTHER)
    ]
    assert value["annotations"][2] == {"class_id": 2, "visibility": "outside", "person": 0}, "outside has no place"
    assert value["image_size"] == [{"width": 640, "height": 480, "depth": 3}]
    assert (value["workers"], value["agreement"]) == (2, 1) and len(value["objects"]) == 6


def test_agreement_is_the_mean_over_the_workers_of_what_they_said_alike() -> None:
    elsewhere = person(5, 15, 60, 50, (60, 60), (50, 50, "occluded"))
    value = fused((ONE,), (ONE,), (elsewhere,))
    assert [entry["agreement"] for entry in value["objects"]] == pytest.approx([2 / 3, 1, 1], abs=1e-4)
    assert value["agreement"] == pytest.approx((1 + 1 + 2 / 3) / 3, abs=1e-4)
    assert fused((ONE,), (ONE,), (ONE, OTHER))["agreement"] == pytest.approx((1 + 1 + 1 / 2) / 3, abs=1e-4)
    missed = fused((ONE,), (ONE,), ())
    assert missed["agreement"] == pytest.approx(2 / 3, abs=1e-4)
    assert missed["objects"][0]["agreement"] == pytest.approx(2 / 3, abs=1e-4), (
        "who missed the person said nothing of it"
    )
    assert fused((), ())["agreement"] == 1


def test_each_kind_of_job_asks_for_what_it_is_for() -> None:
    annotate, adjust, verify = (TASK.form(kind, NAMES, "nose and eyes") for kind in ("annotate", "adjust", "verify"))
    assert annotate.template == adjust.template != verify.template
    assert annotate.attribute == adjust.attribute == TASK.answer != verify.attribute
    assert annotate.categories == adjust.categories == NAMES and verify.categories == ("accept", "reject")
    assert annotate.title == "Place the key points of every person: nose and eyes"
    assert adjust.title == "Correct the key points of every person: nose and eyes"
    assert verify.title == "Accept or reject the key points of every person: nose and eyes"


def test_a_page_offers_labels_for_so_many_people_and_shows_what_is_in_view() -> None:
    line = TASK.propose("s3://b/k", *SIZE, (ONE,), NAMES, "m")
    page = TASK.page(line, STACK, "line 1")
    assert page.labels[:2] == ["nose", "nose (occluded)"] and len(page.labels) == 2 * 8
    assert page.initial == [
        {"label": "nose", "x": 10, "y": 20},
        {"label": "left eye (occluded)", "x": 50, "y": 50},
        {"label": "top-left", "x": 5, "y": 15},
        {"label": "bottom-right", "x": 65, "y": 65},
    ]
    assert page.header == "The points of every person: nose, left eye and right eye"
    assert TASK.page({"source-ref": "s3://b/k"}, STACK, "line 1").initial == []
    with pytest.raises(InvalidInputError, match="line 1"):
        TASK.page(line, replace(STACK, key_points=skeletons.named(("tail",))), "line 1")


def test_a_page_is_told_what_it_draws_round_and_between_the_points() -> None:
    page = TASK.page({"source-ref": "s3://b/k"}, replace(STACK, key_points=skeletons.PRESETS["head"]), "line 1")
    assert page.skeleton["box_factor"] == 1.5 and ["nose", "left_eye"] in page.skeleton["bones"]
    assert page.skeleton.keys() == {"bones", "box_factor"}


def test_a_page_offers_labels_for_everybody_whom_a_model_proposes() -> None:
    crowd = [person(60 * n, 10, 50, 50, (60 * n + 9, 20), confidence=0.9) for n in range(7)]
    page = TASK.page(TASK.propose("s3://b/k", *SIZE, crowd, NAMES, "m"), STACK, "line 1")
    assert len(page.labels) == 7 * 8 and {mark["label"] for mark in page.initial} <= set(page.labels)


def test_in_a_verification_each_person_has_a_box_and_each_point_a_small_one() -> None:
    page = TASK.page(TASK.propose("s3://b/k", *SIZE, (ONE,), NAMES, "m"), STACK, "line 1")
    whole, nose, eye = page.overlay
    assert whole == {"label": "person", "left": 5, "top": 15, "width": 60, "height": 50}
    assert (nose["label"], eye["label"]) == ("nose", "left eye (occluded)")
    assert nose["left"] < 10 < nose["left"] + nose["width"] < 15 and nose["top"] < 20 < nose["top"] + nose["height"]
    assert {mark["label"] for mark in page.overlay} <= set(page.overlay_labels)
