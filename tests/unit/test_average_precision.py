"""Average precision of anything that overlaps: what counts, what is excused, which image is which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.tasks.average_precision import (
    COCO_THRESHOLDS,
    RECALL_POINTS,
    Compared,
    average_precision,
    hits,
    images_by_class,
    mean_over_classes,
    ranking,
)

rankings = st.lists(st.booleans(), max_size=30)


def test_the_coco_grids_are_numpys():
    numpy = pytest.importorskip("numpy")
    assert list(COCO_THRESHOLDS) == numpy.linspace(0.5, 0.95, 10).tolist()
    assert list(RECALL_POINTS) == numpy.linspace(0, 1, 101).tolist()


def test_a_detection_takes_the_object_it_overlaps_most_of_those_that_are_left():
    assert hits([[0.6, 0.9], [0.7, 0.8], [0.9, 0.9]], 0.5) == [True, True, False]
    assert hits([[0.4], [0.5]], 0.5) == [False, True]
    assert hits([[0.9], [0.8]], 0.5, shared={0}) == [True, True]


def test_a_detection_of_an_excused_object_does_not_count():
    image = Compared((0.9, 0.8, 0.7), ((0.9,), (0.8,), (0.1,)), 1, ((0.9,), (0.9,), (0.9,)))
    assert image.outcomes(0.5) == [(0.9, True), (0.7, False)]


def test_any_number_of_detections_may_find_a_crowd():
    image = Compared((0.9, 0.8, 0.7), ((), (), ()), 0, ((0.9,), (0.9,), (0.1,)), crowds={0})
    assert image.outcomes(0.5) == [(0.7, False)]


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.booleans()), max_size=20))
def test_equal_confidences_stay_in_the_order_of_the_images(detections):
    images = [(place, Compared((sure,), ((float(hit),),), 1)) for place, (sure, hit) in enumerate(detections)]
    ranked = ranking(images, 0.5)
    assert [(detections[place][1]) for place, _ in ranked] == [hit for _, hit in ranked]
    assert ranked == sorted(ranked, key=lambda each: (-detections[each[0]][0], each[0]))


@given(rankings, st.integers(1, 40))
def test_average_precision_lies_between_nothing_and_the_recall_and_a_later_miss_costs_nothing(ranked, more):
    true = sum(ranked) + more
    value = average_precision(ranked, true)
    assert 0 <= value <= (int(100 * sum(ranked) / true) + 1) / 101 + 1e-9
    assert average_precision([*ranked, False], true) == value
    assert average_precision([False, *ranked], true) <= value


def test_classes_without_a_true_object_have_no_figure():
    seen, there = Compared((0.9,), ((),), 0), Compared((0.9,), ((1.0,),), 1)
    assert mean_over_classes({"head": [(0, seen)]}, (0.5,)) is None
    assert mean_over_classes({"head": [(0, seen)], "hand": [(0, there)]}, (0.5,)) == pytest.approx(1)


def test_images_are_numbered_by_their_source_refs_and_those_without_truth_are_left_out():
    images = images_by_class(
        {"a": [("head", 1)], "elsewhere": [("head", 2)], "b": [("hand", 3)]}, [("b", [("head", 4)]), ("a", ())]
    )
    assert images == {"head": [(0, [1], []), (1, [], [4])], "hand": [(1, [3], [])]}


def test_two_truths_for_one_image_are_refused():
    with pytest.raises(InvalidInputError, match="source-ref"):
        images_by_class({}, [("a", ()), ("a", ())])
