"""Which points are visible: who is compared with whom, what is counted, and which thresholds are fitted on what."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from coco_people import NAMES, Peopled, person, predicted, seen
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_points import made_up
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import VISIBILITIES, Box, SeenPoint
from labelloop.contracts.visibility_rules import USUAL, VisibilityRule
from labelloop.tasks.visibility import (
    GRID,
    USUAL_POINTS,
    JudgedPoint,
    VisibilityFigures,
    cross_fitted,
    figures,
    fit,
    judged_points,
)

USUALLY = VisibilityRule()
KINDS = ("visible", "occluded", "outside", "unlabelled", "visible")
HERE, BESIDE, THERE = (0, 0, 100, 100), (20, 0, 100, 100), (300, 300, 100, 100)
PLACES = [(10.0 * place, 10.0, kind) for place, kind in enumerate(KINDS)]
AT = [(x, y) for x, y, _ in PLACES]

names = st.sampled_from(NAMES[:3])
# Also exactly on the grid, where > and >= part.
confidences = st.sampled_from([*GRID, 0.0, 0.33, 0.62, 1.0])


@st.composite
def judged_sets(draw, names=names, missed=True):
    def point():
        name, main, additional = draw(names), draw(confidences), draw(confidences)
        found = not missed or draw(st.booleans())
        return JudgedPoint(
            name, draw(st.sampled_from(VISIBILITIES)), SeenPoint(name, 0.0, 0.0, main, additional) if found else None
        )

    images = draw(st.integers(0, 6))
    return {f"s3://b/{number}": [point() for _ in range(draw(st.integers(0, 6)))] for number in range(images)}


def test_the_points_of_a_missed_person_are_said_to_be_outside_and_unlabelled_ones_are_left_out():
    truths = [Peopled("a", (person("person", HERE, PLACES), person("person", THERE, PLACES)))]
    sure = [(0.9, 0.9), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.9, 0.6)]
    found = predicted("a", [seen("person", 0.9, BESIDE, AT, sure)])
    judged = judged_points([found], truths)
    assert judged_points([found], [Peopled("a", (Box("person", *HERE),))]) == {"a": []}, "a label of another task"
    assert [point.label for point in judged["a"]] == [NAMES[0], NAMES[1], NAMES[2], NAMES[4]] * 2
    assert [point.seen is not None for point in judged["a"]] == [True] * 4 + [False] * 4
    # Found: visible, occluded, outside, and one visible said occluded; missed: all said outside.
    assert figures(judged, USUALLY).confusion == ((1, 1, 2), (0, 1, 1), (0, 0, 2))


def test_people_are_paired_best_first_whatever_their_order_and_only_where_boxes_overlap_by_half():
    truths = [Peopled("a", (person("person", HERE, PLACES), person("person", (25, 0, 100, 100), PLACES)))]
    near, nearer = seen("person", 0.9, BESIDE, AT), seen("person", 0.1, (24, 0, 100, 100), AT)
    for people in ([near, nearer], [nearer, near]):
        first, second = judged_points([predicted("a", people)], truths)["a"][:: len(KINDS) - 1]
        assert first.seen is near.points[0]
        assert second.seen is nearer.points[0]
    for left, overlaps in ((33, True), (34, False)):  # of 100 pixels: .504 and .493
        alone = [Peopled("a", (person("person", HERE, PLACES),))]
        judged = judged_points([predicted("a", [seen("person", 0.9, (left, 0, 100, 100), AT)])], alone)
        assert (judged["a"][0].seen is not None) == overlaps


def test_images_without_an_accepted_prediction_are_ones_where_everybody_was_missed():
    truths = [Peopled("a", (person("person", HERE, PLACES),)), Peopled("b", ()), Peopled("c", ())]
    refused = Prediction("a", "rejected", None, None, "v1", (), "truncated")
    for predictions in ([], [refused], {"a": Prediction("a", "ok", 640, 480, "v1")}):
        judged = judged_points(predictions, truths)
        assert figures(judged, USUALLY).confusion == ((0, 0, 2), (0, 0, 1), (0, 0, 1))
        assert judged["b"] == judged["c"] == []


def test_figures_of_a_known_confusion():
    found = VisibilityFigures(((6, 2, 0), (1, 3, 0), (0, 0, 0)))
    assert found.points == 12
    assert found.accuracy == pytest.approx(9 / 12)
    assert found.always_visible == pytest.approx(8 / 12)
    assert found.balanced == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert found.to_json()["visibility_confusion"]["occluded"] == {"visible": 1, "occluded": 3, "outside": 0}


def test_without_a_labelled_point_there_are_no_figures():
    found = figures({"a": []}, USUALLY)
    assert found.points == 0
    assert found.accuracy is found.balanced is found.always_visible is None
    assert fit({}) == USUALLY


@given(judged_sets(), judged_sets())
def test_the_confusion_counts_each_point_once_by_what_it_is_and_what_is_said(judged, others):
    rule = fit(others)
    points = [point for listed in judged.values() for point in listed]
    expected = Counter(
        (
            point.truth,
            "outside" if point.seen is None else rule.visibility(point.label, point.seen.main, point.seen.additional),
        )
        for point in points
    )
    confusion = figures(judged, rule).confusion
    assert {
        (true, said): confusion[row][column]
        for row, true in enumerate(VISIBILITIES)
        for column, said in enumerate(VISIBILITIES)
        if confusion[row][column]
    } == dict(expected)


@settings(deadline=None, max_examples=50)
@given(judged_sets(names=st.just("nose"), missed=False))
def test_the_best_thresholds_of_the_grid_are_drawn_towards_the_usual_ones(judged):
    points = sum(map(len, judged.values()))
    rule, best = fit(judged), VisibilityRule()
    if points:
        weight = points / (points + USUAL_POINTS)
        best = VisibilityRule(
            *({name: USUAL + (t - USUAL) / weight for name, t in of.items()} for of in (rule.t1, rule.t2))
        )
        on_grid = [min(GRID, key=lambda step, t=of["nose"]: abs(step - t)) for of in (best.t1, best.t2)]
        assert [best.t1["nose"], best.t2["nose"]] == pytest.approx(on_grid, abs=1e-3)
        best = VisibilityRule({"nose": on_grid[0]}, {"nose": on_grid[1]})
    others = (VisibilityRule({"nose": first}, {"nose": second}) for first, second in product(GRID, GRID))
    most = max((figures(judged, rule).accuracy or 0.0) for rule in others)
    assert (figures(judged, best).accuracy or 0.0) == most


def test_of_equally_good_thresholds_the_usual_ones_are_kept():
    judged = {"a": [JudgedPoint("nose", "visible", SeenPoint("nose", 0.0, 0.0, 0.9, 0.9))] * 500}
    assert fit(judged) == VisibilityRule({"nose": USUAL}, {"nose": USUAL})


def test_a_name_of_which_no_point_was_found_keeps_the_usual_thresholds():
    assert fit({"a": [JudgedPoint("nose", "visible", None)]}) == USUALLY


def test_few_points_move_thresholds_little_and_many_move_them_to_the_best():
    few, many = fit(made_up(1, 20, visible=0.4, occluded=0.1)), fit(made_up(1, 4000, visible=0.4, occluded=0.1))
    for name in NAMES:
        assert 0.55 < few.t2[name] < USUAL
        assert many.t2[name] == pytest.approx(0.25, abs=0.06)


def test_where_the_usual_thresholds_are_best_fitting_on_few_images_costs_little():
    fresh = made_up(0, 400, visible=0.75, occluded=0.45)
    usual = 1 - figures(fresh, USUALLY).accuracy
    errors = [1 - figures(fresh, fit(made_up(seed, 20, visible=0.75, occluded=0.45))).accuracy for seed in range(1, 11)]
    assert sum(errors) / len(errors) <= 1.02 * usual


def test_no_image_is_judged_by_thresholds_that_it_helped_to_fit():
    judged, asked = made_up(3, 40), []

    class Remembering:
        def __init__(self, fitted_on):
            self.fitted_on = set(fitted_on)

        def visibility(self, name, main, additional):
            asked.append((name, self.fitted_on))
            return "visible"

    # Each image's points are called by its source-ref, so that one sees which image is asked about.
    named = {
        ref: [replace(point, seen=replace(point.seen, label=ref)) for point in points] for ref, points in judged.items()
    }
    found = cross_fitted(named, Remembering)
    assert found.points == len(asked) == sum(map(len, named.values()))
    assert found.accuracy == found.always_visible
    assert all(ref not in fitted_on for ref, fitted_on in asked)
    assert {ref for ref, _ in asked} == set(named)
    assert all(len(fitted_on) > len(named) / 2 for _, fitted_on in asked)


@settings(deadline=None, max_examples=50)
@given(judged_sets(), st.randoms())
def test_the_folds_do_not_depend_on_the_order_of_the_images(judged, random):
    mixed = dict(random.sample(list(judged.items()), len(judged)))
    assert cross_fitted(mixed) == cross_fitted(judged)
    assert fit(mixed) == fit(judged)


def test_people_whom_the_model_invented_change_no_figure():
    truths = [Peopled("a", (person("person", HERE, PLACES),))]
    right, invented = seen("person", 0.9, BESIDE, AT), seen("person", 0.95, THERE, AT)
    assert judged_points([predicted("a", [right, invented])], truths) == judged_points(
        [predicted("a", [right])], truths
    )
