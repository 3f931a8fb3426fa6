"""A model's thresholds: fitted on what it saw in the judge images, and on nothing else."""

from dataclasses import replace

import pytest
from accept_policies import KNOBS
from annotation_lines import annotation
from handling import MODEL, handle
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, Prediction
from labelloop.store import storage
from labelloop.trust import fitting
from training_files import JOB, assembled, judge

TRUTHS = [annotation(f"{number}.jpg", role="judge") for number in range(4)]


def seen(truth: Annotation, sure: float = 0.9, **changed: object) -> Prediction:
    """The true boxes, surely seen."""
    boxes = tuple(replace(box, confidence=sure) for box in truth.boxes)
    return replace(Prediction(truth.source_ref, "ok", truth.width, truth.height, "m", boxes), **changed)


def fitted(predictions: list[Prediction], truths: list[Annotation] = TRUTHS, **knobs: object) -> dict:
    return fitting.thresholds("m", "d1", predictions, truths, replace(KNOBS, **knobs))


def test_the_record_names_model_and_dataset_and_the_score_that_sure_and_right_labels_have() -> None:
    told = fitted([seen(truth) for truth in TRUTHS])
    assert (told["model"], told["dataset"]) == ("m", "d1")
    assert (told["images"], told["accepted"], told["accept"], told["mean_quality"]) == (4, 4, 0.9, 1)


def test_the_record_lists_score_and_quality_of_each_judge_image_in_order() -> None:
    told = fitted([seen(truth, 0.5 + number / 10) for number, truth in enumerate(TRUTHS)])
    assert told["scored"] == [[0.5, 1.0], [0.6, 1.0], [0.7, 1.0], [0.8, 1.0]]


def test_images_that_the_model_did_not_see_or_refused_count_for_nothing() -> None:
    strange = seen(annotation("elsewhere.jpg"), boxes=(Box("bag", 1, 1, 2, 2, 1.0),))
    refused = seen(TRUTHS[0], status="rejected", boxes=(), reason="truncated")
    told = fitted([refused, *(seen(truth) for truth in TRUTHS[1:]), strange])
    assert (told["images"], told["accepted"], told["mean_quality"]) == (3, 3, 1)
    assert fitted([])["images"] == 0 and fitted([])["accept"] is None


def test_quality_is_that_of_the_label_which_the_machine_would_give_not_of_all_that_it_saw() -> None:
    doubted = [replace(seen(truth), boxes=(*seen(truth).boxes, Box("bag", 80, 40, 9, 9, 0.3))) for truth in TRUTHS]
    assert fitted(doubted, keep_confidence=0.4)["mean_quality"] == 1
    told = fitted(doubted, keep_confidence=0.3, target_mean_iou=0.5)
    assert (told["mean_quality"], told["label_rule"]["keep_confidence"]) == (0.5, 0.3)


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_the_order_of_predictions_and_truths_does_not_matter(one, other) -> None:
    predictions = [seen(truth, 0.5 + number / 10) for number, truth in enumerate(TRUTHS)]
    told = fitted([predictions[place] for place in one], [TRUTHS[place] for place in other])
    assert told == fitted(predictions)


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_threshold_says_which_boxes_it_was_fitted_with(change_setting) -> None:
    change_setting("KEEP_CONFIDENCE", "0.25")
    version = assembled()
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge())
    places = {"dataset_uri": storage.uri(f"training/{JOB}/dataset/"), "dataset_version": version}
    told = handle("fit_thresholds", job=JOB, model_version=MODEL, **places)
    assert storage.read_json(storage.own_key(told["thresholds_uri"]))["label_rule"]["keep_confidence"] == 0.25
