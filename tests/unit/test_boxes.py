"""The task `boxes`: scores and labels of what a model saw, labels of several people, and what people are asked."""

import json
from dataclasses import replace

import pytest
from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.augmented import read_boxes
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.contracts.settings import Settings
from labelloop.people.answers import Marked
from labelloop.tasks.boxes import Boxes
from labelloop.tasks.quality import image_quality
from labelloop.trust.judgement import image_score, machine_label
from made_up_stack import SETTINGS
from seen_boxes import seen

from tests.support import strategies

KEEP = LabelRule(0.4)
TASK = Boxes()
NAMES = ("head", "bag")
STACK = replace(Settings.from_environment(SETTINGS), classes=NAMES)
HEAD, BAG = Box("head", 10, 20, 30, 40), Box("bag", 100, 100, 50, 50)


# --- what a model saw


@given(strategies.predictions(), st.randoms())
def test_a_score_is_bounded_and_independent_of_box_order(prediction, random):
    score = image_score(prediction, KEEP)
    assert 0 <= score <= 1
    shuffled = replace(prediction, marks=tuple(random.sample(prediction.boxes, len(prediction.boxes))))
    assert image_score(shuffled, KEEP) == score


@given(st.lists(strategies.confidences, max_size=5), st.data())
def test_surer_boxes_raise_the_score_and_surer_doubts_lower_it(confidences, data):
    before = image_score(seen(*confidences), KEEP)
    for index, confidence in enumerate(confidences):
        limits = (confidence, 1.0) if confidence >= 0.4 else (confidence, 0.399)
        changed = [*confidences[:index], data.draw(st.floats(*limits)), *confidences[index + 1 :]]
        after = image_score(seen(*changed), KEEP)
        assert after >= before if confidence >= 0.4 else after <= before


@pytest.mark.fault("C16")
def test_a_picture_in_which_nothing_was_seen_is_never_surer_than_a_box_until_judge_images_say_so():
    assert image_score(seen(), KEEP) == 0.2 < image_score(seen(0.4), KEEP)
    proved = replace(KEEP, empty_good=8.0, empty_images=8)
    refuted = replace(KEEP, empty_images=8)
    assert image_score(seen(), refuted) < 0.2 < 0.8 < image_score(seen(), proved)
    assert image_score(seen(0.3), proved) == round(image_score(seen(), proved) * 0.85, 6), "but something was there"


def test_known_scores():
    assert image_score(seen(0.9, 0.5), KEEP) == 0.7
    assert image_score(seen(0.9, 0.5, 0.2), KEEP) == 0.63, "the sure ones leave room for what is expected to be missing"
    assert image_score(seen(0.9, 0.9, 0.3, 0.3), KEEP) == 0.6375, "1.8 / 2.4 * 0.85"
    kept, repeated = Box("head", 0, 0, 40, 40, 0.9), Box("head", 2, 0, 40, 40, 0.3)
    on_top = Prediction("a", "ok", 640, 480, "v1", (kept, repeated))
    assert image_score(on_top, KEEP) == 0.9
    assert image_score(replace(on_top, marks=(kept, replace(repeated, label="hand"))), KEEP) == 0.6375


@given(strategies.predictions(), strategies.confidences)
def test_the_label_is_what_is_confident_enough(prediction, keep):
    kept = machine_label(prediction, LabelRule(keep))
    assert all(box.confidence >= keep for box in kept)
    assert len(kept) == sum(box.confidence >= keep for box in prediction.boxes)


def test_a_box_on_top_of_a_surer_one_of_its_class_is_no_part_of_the_label_where_the_rule_says_so():
    sure, twice = Box("head", 0, 0, 40, 40, 0.9), Box("head", 5, 0, 40, 40, 0.8)
    other = replace(twice, label="hand")
    prediction = Prediction("a", "ok", 640, 480, "v1", (twice, other, sure))
    assert machine_label(prediction, LabelRule(0.4, 0.5)) == (other, sure), "in their order"
    assert machine_label(prediction, LabelRule(0.4, 0.8)) == (twice, other, sure), "they overlap by less"
    assert image_score(replace(prediction, marks=(twice, sure)), LabelRule(0.4, 0.5)) == 0.9


@given(strategies.predictions(), strategies.boxes(), st.lists(strategies.confidences, max_size=4))
def test_qualities_by_several_rules_are_those_of_the_labels(prediction, truth, keeps):
    rules = [LabelRule(keep, nms_iou) for keep in keeps for nms_iou in (1.0, 0.5)]
    one_by_one = [image_quality(machine_label(prediction, rule), truth) for rule in rules]
    assert TASK.qualities(prediction, truth, rules) == one_by_one


def test_the_gate_measures_average_precision_and_nothing_where_there_is_no_truth() -> None:
    truth = annotation("a.jpg", role="judge")
    right = replace(seen(ref=truth.source_ref), marks=(replace(truth.boxes[0], confidence=0.9),))
    assert TASK.gate_metric([right], [truth]) == 1
    assert TASK.gate_metric([replace(right, marks=())], [truth]) == 0
    assert TASK.gate_metric([right], [replace(truth, marks=())]) is None


def test_a_true_box_is_found_by_a_box_of_its_class_that_covers_half_of_it_together() -> None:
    half, less = replace(HEAD, width=15), replace(HEAD, width=14.9)
    assert TASK.found([half], [BAG, HEAD]) == {1}
    assert TASK.found([less], [BAG, HEAD]) == TASK.found([replace(HEAD, label="bag")], [BAG, HEAD]) == set()
    assert TASK.found([BAG, HEAD], [BAG, HEAD]) == {0, 1}
    assert TASK.found([HEAD, HEAD], [HEAD]) == {0}, "no true box is found twice"


# --- what people said


def fused(*answers: tuple[Box, ...]) -> dict:
    named = {worker: Marked("boxes", marks, 640, 480) for worker, marks in zip("abcdefgh", answers, strict=False)}
    (value,) = TASK.fuse([named], NAMES, dict.fromkeys(named, 0.7))
    return value


def test_a_fused_label_is_read_back_as_its_boxes_with_what_a_custom_task_says_beside_them() -> None:
    value = fused((HEAD, BAG), (BAG, HEAD))
    metadata = {"class-map": value["class-map"], "objects": value["objects"]}
    read = read_boxes(json.loads(json.dumps(value)), metadata, NAMES, "line 1")
    assert len(read) == 2 and {replace(box, confidence=None) for box in read} == {HEAD, BAG}
    assert value["image_size"] == [{"width": 640, "height": 480, "depth": 3}]
    assert (value["workers"], value["agreement"]) == (2, 1) and value["class-map"] == {"0": "head", "1": "bag"}
    assert [entry["agreement"] for entry in value["objects"]] == [1, 1]


def test_agreement_is_the_mean_quality_of_the_answers_against_what_was_made_of_them() -> None:
    value = fused((HEAD,), (HEAD,), (HEAD, BAG))
    assert [box["left"] for box in value["annotations"]] == [HEAD.left]
    assert value["agreement"] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-4)
    assert fused((), ())["agreement"] == 1, "that nothing is there is a label, too"
    assert fused((), ())["annotations"] == fused((), ())["objects"] == []


@given(st.lists(strategies.boxes(confidence=st.none()).map(tuple), min_size=1, max_size=4))
def test_whatever_people_draw_agreement_is_a_share_and_every_box_has_its_entry(answers) -> None:
    named = {worker: Marked("boxes", marks, 640, 480) for worker, marks in zip("abcd", answers, strict=False)}
    (value,) = TASK.fuse([named], strategies.CLASSES, dict.fromkeys(named, 0.7))
    assert 0 <= value["agreement"] <= 1 and value["workers"] == len(answers)
    assert len(value["objects"]) == len(value["annotations"])
    assert all(0 <= entry[name] <= 1 for entry in value["objects"] for name in ("confidence", "agreement"))


# --- what people are asked


def test_each_kind_of_job_has_the_form_that_its_answer_comes_from() -> None:
    verify, annotate, adjust = (TASK.form(kind, NAMES, "head and bag") for kind in ("verify", "annotate", "adjust"))
    assert (verify.attribute, verify.categories) == ("verified-boxes", ("accept", "reject"))
    assert verify.template == "verify-boxes.liquid.html"
    for form, verb in ((annotate, "Draw"), (adjust, "Correct")):
        assert (form.attribute, form.categories, form.template) == (TASK.answer, NAMES, "boxes.liquid.html")
        assert form.title.startswith(verb) and form.description.startswith(verb)
    assert all("head and bag" in form.title for form in (verify, annotate, adjust))


def test_a_page_shows_the_boxes_that_its_line_proposes_both_to_correct_and_over_the_image() -> None:
    line = TASK.propose("s3://b/k", 640, 480, [HEAD, BAG], NAMES, "m")
    page = TASK.page(line, STACK, "line 1")
    assert page.initial == page.overlay and page.labels == page.overlay_labels == list(NAMES)
    assert {(mark["label"], mark["left"]) for mark in page.initial} == {("head", 10), ("bag", 100)}
    assert page.header == "One tight box around every head and bag"
    empty = TASK.page(TASK.propose("s3://b/k", 640, 480, None, NAMES, "m"), STACK, "line 1")
    assert empty.initial == [] and empty.header == page.header
    with pytest.raises(InvalidInputError, match="line 1"):
        TASK.page(line, replace(STACK, classes=("tail",)), "line 1")
