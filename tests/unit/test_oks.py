"""Object key-point similarity and average precision over it: pycocotools is the reference."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
from coco_people import (
    NAMES,
    Peopled,
    coco_map,
    person,
    predicted,
    scene,
    seen,
    shifted,
    skeleton,
    without_places,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.tasks.average_precision import COCO_THRESHOLDS
from labelloop.tasks.oks import closeness, compared_people, oks_map50, oks_map50_95, similarity
from labelloop.tasks.resampled_precision import ResampledPrecision

MINI = Path(__file__).parents[2] / "../shared/data/coco-keypoints-mini"
sigmas = st.lists(st.floats(0.01, 0.5), min_size=len(NAMES), max_size=len(NAMES))
SQUARE = (100, 100, 100, 100)
PLACES = [(110.0 + 20 * place, 150.0, "visible") for place in range(len(NAMES))]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.booleans(), sigmas)
def test_average_precision_is_pycocotools(seed, images, grid, of_points):
    predictions, truths, crowds = scene(seed, images, grid)
    marked = skeleton(of_points)
    for thresholds, value in (
        ((0.5,), oks_map50(predictions, truths, marked, crowds)),
        (COCO_THRESHOLDS, oks_map50_95(predictions, truths, marked, crowds)),
    ):
        expected = coco_map(predictions, truths, marked, thresholds, crowds)
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_only_the_twenty_most_confident_detections_of_an_image_count_as_in_pycocotools():
    places = [(0.0, 0.0), (5.0, 0.0), (0.0, 5.0), (5.0, 5.0), (2.0, 2.0)]
    moved = [[(x + 30.0 * column, y + 30.0 * row) for x, y in places] for column in range(5) for row in range(6)]
    boxes = [(*each[0], 5, 5) for each in moved]
    people = tuple(
        person("person", box, [(x, y, "visible") for x, y in each]) for box, each in zip(boxes, moved, strict=True)
    )
    found = [seen("person", 0.2 + n / 100, box, each) for n, (box, each) in enumerate(zip(boxes, moved, strict=True))]
    predictions, truths, marked = [predicted("a", found)], [Peopled("a", people)], skeleton()
    value = oks_map50(predictions, truths, marked)
    assert value == pytest.approx(coco_map(predictions, truths, marked, (0.5,)), abs=1e-9)
    assert 0.6 < value < 0.7


def test_people_of_the_photographs_are_evaluated_as_by_pycocotools():
    if not MINI.is_dir():
        pytest.skip("the shared photographs are not here (../shared/data/coco-keypoints-mini)")
    predictions, truths, crowds, marked = photographs(json.loads((MINI / "annotations.json").read_text()))
    for thresholds, value in (
        ((0.5,), oks_map50(predictions, truths, marked, crowds)),
        (COCO_THRESHOLDS, oks_map50_95(predictions, truths, marked, crowds)),
    ):
        assert value == pytest.approx(coco_map(predictions, truths, marked, thresholds, crowds), abs=1e-9)
        assert 0.2 < value < 0.9


def photographs(document):
    """The photographs' people, and what a model might see of them: each point off, some people missed or invented."""
    random, (category,) = Random(7), document["categories"]
    names, refs = category["keypoints"], {image["id"]: f"{image['id']:012d}" for image in document["images"]}
    truths, predictions, crowds = {ref: [] for ref in refs.values()}, {ref: [] for ref in refs.values()}, {}
    for each in document["annotations"]:
        triples = list(zip(*[iter(each["keypoints"])] * 3, strict=True))
        points = tuple(
            KeyPoint(name, float(x), float(y), "visible" if v == 2 else "occluded")
            if v
            else KeyPoint(name, None, None, "unlabelled")
            for name, (x, y, v) in zip(names, triples, strict=True)
        )
        ref, box = refs[each["image_id"]], Box("person", *each["bbox"], None)
        one = Person(box, points, area=each["area"])
        (crowds.setdefault(ref, []) if each["iscrowd"] else truths[ref]).append(one)
        off = math.sqrt(each["area"]) * random.choice([0.02, 0.06, 0.15])
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            sure = replace(box, confidence=round(random.random(), 2))
            guess = [
                SeenPoint(name, (x if v else box.left) + random.gauss(0, off), (y if v else box.top), 0.9, 0.9)
                for name, (x, y, v) in zip(names, triples, strict=True)
            ]
            predictions[ref].append(SeenPerson(sure, tuple(guess)))
    found = [predicted(ref, people) for ref, people in predictions.items()]
    return found, [Peopled(ref, tuple(people)) for ref, people in truths.items()], crowds, skeletons.PRESETS["coco-17"]


@pytest.mark.parametrize("sigma", [0.05, 0.1])
@pytest.mark.parametrize("area", [None, 2500.0])
def test_closeness_falls_with_the_distance_in_lengths_of_the_persons_size(sigma, area):
    one, size = person("person", SQUARE, PLACES, area), area or 5300.0
    for lengths in (0, 1, 2):
        found = shifted(one, lengths, sigma, size)
        assert similarity(found, one, skeleton([sigma] * 5)) == pytest.approx(math.exp(-(lengths**2) / 2))
    assert closeness(4 * sigma**2 * size, size, sigma) == pytest.approx(math.exp(-0.5))


def test_points_without_a_place_do_not_count_wherever_a_model_puts_them():
    places = [PLACES[0], (0, 0, "outside"), (0, 0, "unlabelled"), *PLACES[3:]]
    one = person("person", SQUARE, places)
    for anywhere in ((0.0, 0.0), (600.0, 400.0)):
        found = seen("person", 0.9, SQUARE, [(x, y) if said == "visible" else anywhere for x, y, said in places])
        assert similarity(found, one, skeleton()) == 1


def test_people_without_a_labelled_point_need_not_be_found_and_cost_nothing_where_they_are():
    one, nobody = person("person", SQUARE, PLACES), person("person", (300, 300, 50, 50), [(0, 0, "outside")] * 5)
    right = seen("person", 0.5, SQUARE, [(x, y) for x, y, _ in PLACES])
    of_nobody = seen("person", 0.9, (300, 300, 50, 50), [(310.0, 310.0)] * 5)
    truths = [Peopled("a", (one, nobody))]
    assert oks_map50([predicted("a", [right])], truths, skeleton()) == pytest.approx(1)
    assert oks_map50([predicted("a", [right, of_nobody])], truths, skeleton()) == pytest.approx(1)
    assert oks_map50([predicted("a", [right, of_nobody, of_nobody])], truths, skeleton()) == pytest.approx(0.5)
    crowds = {"a": [without_places(nobody)]}
    assert oks_map50([predicted("a", [right, *[of_nobody] * 3])], truths, skeleton(), crowds) == pytest.approx(1)


def test_without_a_labelled_point_in_the_truth_there_is_no_figure():
    found = predicted("a", [seen("person", 0.9, SQUARE, [(110.0, 150.0)] * 5)])
    of_another_task = (Box("person", *SQUARE),)
    for marks in (of_another_task, (), (without_places(person("person", SQUARE, PLACES)),)):
        assert oks_map50([found], [Peopled("a", marks)], skeleton()) is None
        assert oks_map50_95([found], [Peopled("a", marks)], skeleton()) is None
    assert oks_map50([found], [], skeleton()) is None


def test_a_model_that_saw_nobody_has_nothing_right_and_images_without_truth_do_not_count():
    truths = [Peopled("a", (person("person", SQUARE, PLACES),))]
    right = seen("person", 0.5, SQUARE, [(x, y) for x, y, _ in PLACES])
    refused = Prediction("a", "rejected", None, None, "v1", (), "truncated")
    assert oks_map50([], truths, skeleton()) == oks_map50([refused], truths, skeleton()) == 0
    assert oks_map50([Prediction("a", "ok", 640, 480, "v1")], truths, skeleton()) == 0
    assert oks_map50([predicted("b", [right, right])], truths, skeleton()) == 0
    both = {"a": predicted("a", [right]), "b": predicted("b", [right])}
    assert oks_map50(both, truths, skeleton()) == pytest.approx(1)


def test_points_that_are_not_the_skeletons_are_refused():
    truths = [Peopled("s3://b/a.jpg", (person("person", SQUARE, PLACES),))]
    with pytest.raises(InvalidInputError, match=r"s3://b/a\.jpg: field 'points'.*left eye"):
        oks_map50([], truths, skeleton(names=("nose", "chin"), sigmas=(0.1, 0.1)))
    with pytest.raises(InvalidInputError, match="two truths"):
        oks_map50([], truths * 2, skeleton())


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_with_every_image_drawn_once_the_resamples_figures_are_the_evaluations(seed, images, grid):
    predictions, truths, crowds = scene(seed, images, grid)
    by_class = ResampledPrecision(compared_people(predictions, truths, skeleton(), crowds))([1] * images)
    assert (fmean(by_class.values()) if by_class else None) == oks_map50(predictions, truths, skeleton(), crowds)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_images_that_are_not_drawn_are_as_if_they_were_not_there(seed, data):
    predictions, truths, crowds = scene(seed, 6, False)
    drawn = data.draw(st.lists(st.integers(0, 1), min_size=6, max_size=6))
    left = [truth for truth, often in zip(truths, drawn, strict=True) if often]
    alone = ResampledPrecision(compared_people(predictions, left, skeleton(), crowds))([1] * len(left))
    assert ResampledPrecision(compared_people(predictions, truths, skeleton(), crowds))(drawn) == alone


def test_a_thousand_images_of_three_people_take_less_than_five_seconds():
    names = tuple(f"point {number}" for number in range(17))
    marked, random = skeleton((0.05,) * 17, names), Random(1)
    predictions, truths = [], []
    for number in range(1000):
        ref, people, found = f"s3://b/{number}", [], []
        for _ in range(3):
            box = Box("person", random.uniform(0, 400), random.uniform(0, 300), 100, 150)
            places = [(box.left + random.uniform(0, 100), box.top + random.uniform(0, 150)) for _ in names]
            people.append(
                Person(box, tuple(KeyPoint(name, *at, "visible") for name, at in zip(names, places, strict=True)))
            )
            for _ in range(4):
                guess = [(x + random.gauss(0, 5), y + random.gauss(0, 5)) for x, y in places]
                points = tuple(SeenPoint(name, *at, 0.9, 0.9) for name, at in zip(names, guess, strict=True))
                found.append(SeenPerson(replace(box, confidence=random.random()), points))
        truths.append(Peopled(ref, tuple(people)))
        predictions.append(predicted(ref, found))
    started = time.process_time()
    assert 0 < oks_map50(predictions, truths, marked) < 1
    assert time.process_time() - started < 5
