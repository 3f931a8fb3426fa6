"""What the bench of visibility says of predictions, which are made up here."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson, SeenPoint

from bench import visibility
from bench.people_scenes import PeopleScenes
from bench.zoo import Model, Seen

SCENES = PeopleScenes(1)
KINDS = ("visible", "visible", "visible", "occluded", "outside")
BOX = Box("person", 10, 10, 40, 40)


def truth(ref: str) -> Annotation:
    points = tuple(
        KeyPoint(name, *((None, None) if kind == "outside" else (20, 20)), kind)
        for name, kind in zip(SCENES.skeleton.names, KINDS, strict=True)
    )
    return Annotation(ref, None, 64, 64, (Person(BOX, points),), True, "", "truth", task="key-points")


def prediction(ref: str, additional: dict[str, float], sure: float = 0.9) -> Prediction:
    points = tuple(
        SeenPoint(name, 20, 20, 0.1 if kind == "outside" else 0.9, additional[kind])
        for name, kind in zip(SCENES.skeleton.names, KINDS, strict=True)
    )
    return Prediction(
        ref, "ok", 64, 64, "m", marks=(SeenPerson(replace(BOX, confidence=sure), points),), task="key-points"
    )


def told(*predictions: Prediction) -> dict:
    truths = tuple(truth(each.source_ref) for each in predictions)
    return visibility.told(Seen(Model("coco", 150, 1), predictions, truths, {"seconds": 60.0}), SCENES)


def test_of_a_model_that_tells_all_kinds_nothing_is_wrong_but_main_alone_cannot() -> None:
    sure = {"visible": 0.9, "occluded": 0.2, "outside": 0.1}
    found = told(*(prediction(f"s3://b/{number}", sure) for number in range(20)))
    assert (found["oks_map50"], found["auc"], found["missed"], found["always_visible"]) == (1, 1, 0, 0.6)
    accuracies = {rule: figures["accuracy"] for rule, figures in found["rules"].items()}
    assert accuracies == {"fixed": 1, "fitted": 1, "logistic": 1, "main-only": 0.8}


def test_people_below_the_usual_confidence_are_missed() -> None:
    sure = {"visible": 0.9, "occluded": 0.2, "outside": 0.1}
    found = told(prediction("s3://b/1", sure), prediction("s3://b/2", sure, sure=0.2))
    assert found["missed"] == 0.5 and found["rules"]["fixed"]["accuracy"] == pytest.approx(0.6)


@pytest.mark.parametrize(("fitted", "ratio", "holds"), [(0.8, 1.0, True), (0.78, 1.1, False)])
def test_goals_are_told_of_the_means_over_seeds(fitted, ratio, holds) -> None:
    rules = {rule: {"accuracy": fitted if rule == "fitted" else 0.8} for rule in visibility.RULES}
    runs = {1: {"auc": 0.75, "rules": rules}, 2: {"auc": 0.87, "rules": rules}}
    of_auc, of_error = visibility.reports(runs)
    assert (of_auc["goal"], of_auc["value"], of_auc["holds"]) == ("G4.6a", 0.81, True)
    assert (of_error["goal"], of_error["value"], of_error["holds"]) == ("G4.6b", pytest.approx(ratio), holds)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_the_area_is_the_share_of_pairs_that_are_in_order(positive, negative) -> None:
    pairs = [(one > other) + (one == other) / 2 for one in positive for other in negative]
    assert visibility.auc(positive, negative) == pytest.approx(sum(pairs) / len(pairs))
