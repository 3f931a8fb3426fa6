"""Average precision of resamples: with each image once that of the evaluation, otherwise that of copies."""

from dataclasses import replace
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.tasks.quality import compared_boxes, map50
from labelloop.tasks.resampled_precision import ResampledPrecision

from tests.support.strategies import Seen

CLASSES = ("head", "hand")


def scene(random: Random, images: int) -> tuple[list[Prediction], list[Seen]]:
    """Boxes a little off, some missing, some invented; every confidence is another one."""
    truths, predictions = [], []
    for number in range(images):
        ref = f"s3://b/{number:03d}"
        boxes = [
            Box(random.choice(CLASSES), random.uniform(0, 500), random.uniform(0, 300), 60, 60)
            for _ in range(random.randint(0, 4))
        ]
        seen = [replace(box, left=box.left + random.gauss(0, 15)) for box in boxes if random.random() < 0.8]
        seen += [Box(random.choice(CLASSES), random.uniform(0, 500), 0, 50, 50) for _ in range(random.randint(0, 2))]
        truths.append(Seen(ref, tuple(boxes)))
        sure = tuple(replace(box, confidence=random.random()) for box in seen)
        predictions.append(Prediction(ref, "ok", 640, 480, "m", sure))
    return predictions, truths


def of_boxes(predictions, truths):
    return ResampledPrecision(compared_boxes(predictions, truths))


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_with_every_image_once_it_is_the_evaluations(seed, images):
    predictions, truths = scene(Random(seed), images)
    by_class = of_boxes(predictions, truths)([1] * images)
    assert (fmean(by_class.values()) if by_class else None) == map50(predictions, truths)


@given(st.integers(0, 10_000), st.integers(1, 8), st.data())
def test_images_that_are_not_drawn_are_as_if_they_were_not_there(seed, images, data):
    predictions, truths = scene(Random(seed), images)
    drawn = data.draw(st.lists(st.integers(0, 1), min_size=images, max_size=images))
    left = [index for index in range(images) if drawn[index]]
    alone = of_boxes([predictions[index] for index in left], [truths[index] for index in left])
    assert of_boxes(predictions, truths)(drawn) == alone([1] * len(left))
    assert of_boxes(predictions, truths)([3 * often for often in drawn]) == pytest.approx(alone([1] * len(left)))


def test_a_class_without_a_true_box_among_the_drawn_images_has_no_figure():
    predictions, truths = scene(Random(1), 2)
    assert of_boxes(predictions, [replace(truth, marks=()) for truth in truths])([1, 1]) == {}


def test_an_image_that_counts_more_weighs_more_and_the_order_of_what_is_given_does_not_matter():
    right = Prediction("a", "ok", 640, 480, "m", (Box("head", 0, 0, 50, 50, 0.9),))
    wrong = Prediction("b", "ok", 640, 480, "m", (Box("head", 300, 0, 50, 50, 0.8),))
    truths = [Seen("b", (Box("head", 0, 0, 50, 50),)), Seen("a", (Box("head", 0, 0, 50, 50),))]
    precision = of_boxes([wrong, right], truths)
    assert precision([1, 1])["head"] == pytest.approx(51 / 101)
    assert precision([3, 1])["head"] == pytest.approx(76 / 101)
    assert precision([0, 1])["head"] == 0
