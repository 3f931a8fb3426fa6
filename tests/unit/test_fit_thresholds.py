"""Fit Thresholds: what a model surely knows, once for a model and dataset; the champion that won is fitted anew."""

import pytest
from handling import MODEL, crown, handle
from labelloop.engines import models
from labelloop.store import storage, training_lock
from training_files import JOB, assembled, judge, recalibrate, trainer

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def calibrate(version: str, dataset: str) -> dict:
    given = {"job": JOB, "model_version": version, "dataset_version": dataset}
    return handle("fit_thresholds", **given, dataset_uri=storage.uri(f"training/{JOB}/dataset/"))


def test_a_threshold_is_fitted_once_per_model_and_dataset(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    version = assembled()
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge(0.7))
    first = calibrate(MODEL, version)
    assert first["threshold"] == 0.7
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge(0.9))
    assert calibrate(MODEL, version) == first


def test_without_scores_nothing_may_be_accepted_and_it_is_said(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    told = calibrate(MODEL, assembled())
    assert told["threshold"] is None and told["outlook"].startswith("Nothing is accepted: 0 judge images")


def test_the_champion_that_won_is_recalibrated_and_the_lock_is_free(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    version, owner = assembled(), trainer("one")
    crown()
    storage.write_lines(f"training/{JOB}/scores/champion-judge.jsonl", judge(0.6))
    recalibrate(owner, training_lock.take(owner, 60), version)
    now = models.champion().value
    assert now["version"] == MODEL and now["thresholds_uri"].endswith(f"{version}.json")
    assert storage.read_json(storage.own_key(now["thresholds_uri"]))["accept"] == 0.6
    assert training_lock.labels_at_last_training() == 3 and training_lock.take(trainer("two"), 60) == 2


def test_without_a_champion_a_failed_first_model_only_frees_the_lock() -> None:
    version, owner = assembled(), trainer("one")
    recalibrate(owner, training_lock.take(owner, 60), version, champion="")
    assert models.champion() is None and training_lock.labels_at_last_training() == 3


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_threshold_says_which_boxes_it_was_fitted_with(change_setting) -> None:
    change_setting("KEEP_CONFIDENCE", "0.25")
    version = assembled()
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge())
    places = {"dataset_uri": storage.uri(f"training/{JOB}/dataset/"), "dataset_version": version}
    told = handle("fit_thresholds", job=JOB, model_version=MODEL, **places)
    assert storage.read_json(storage.own_key(told["thresholds_uri"]))["label_rule"]["keep_confidence"] == 0.25
