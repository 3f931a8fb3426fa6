"""Wrong labels of key points for honeypots: never the truth, in the image, and as wrong as they have to be."""

from dataclasses import replace
from math import dist
from random import Random

from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop import tasks
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import KeyPoint
from labelloop.tasks import disturbed_key_points
from labelloop.tasks.consolidation_key_points import same_place_tolerance

NAMES = ("nose", "left ear", "tail")
BOXES = annotation("a.jpg", role="judge", boxes=2)


places = st.floats(0, 400, width=16)
points = st.tuples(places, places, st.sampled_from(["visible", "occluded", "outside"]))


def pointed(*marks: KeyPoint) -> Annotation:
    return replace(BOXES, width=400, height=400, boxes=(), key_points=marks)


@st.composite
def labels(draw: st.DrawFn) -> Annotation:
    drawn = [(name, *draw(points)) for name in NAMES]
    return pointed(
        *(
            KeyPoint(name, None, None, seen) if seen == "outside" else KeyPoint(name, x, y, seen)
            for name, x, y, seen in drawn
        )
    )


@given(labels(), st.randoms(use_true_random=False))
def test_disturbed_and_spoiled_key_points_are_never_the_truth_and_lie_in_the_image(label, random) -> None:
    task, truth = tasks.of_label(label), label.key_points
    for wrong in (task.disturb(label, NAMES, random), task.spoil(label, NAMES, random)):
        assert {point.label for point in wrong} == set(NAMES)
        assert task.quality(wrong, truth, (label.width, label.height)) < 1
        assert all((point.x is None) == (point.visibility == "outside") for point in wrong)
        assert all(0 <= point.x <= 400 and 0 <= point.y <= 400 for point in wrong if point.x is not None)


def test_a_spoiled_label_of_key_points_differs_in_one_point() -> None:
    label = pointed(*(KeyPoint(name, 200.0, 200.0, "visible") for name in NAMES))
    for seed in range(50):
        wrong = tasks.of_label(label).spoil(label, NAMES, Random(seed))
        assert sum(one != other for one, other in zip(wrong, label.key_points or (), strict=True)) == 1


@given(labels(), st.randoms(use_true_random=False))
def test_a_disturbed_point_is_outside_or_a_little_off_and_a_spoiled_one_far_off(label, random) -> None:
    tolerance = same_place_tolerance(400, 400)
    truth = {point.label: point for point in label.key_points}
    if all(point.x is None for point in label.key_points):
        return
    for wrong, farthest in (
        (disturbed_key_points.disturbed(label, NAMES, random), disturbed_key_points.A_LITTLE_OFF[1]),
        (disturbed_key_points.spoiled(label, NAMES, random), disturbed_key_points.PLAINLY_WRONG[1]),
    ):
        assert [point.label for point in wrong] == list(truth)
        for point in wrong:
            known = truth[point.label]
            if point.x is not None:
                assert dist((point.x, point.y), (known.x, known.y)) <= farthest * tolerance + 1e-6
                assert point.visibility == known.visibility


@given(st.randoms(use_true_random=False))
def test_an_object_outside_the_view_gets_one_invented_point_and_stays_outside_with_the_others(random) -> None:
    label = pointed(*(KeyPoint(name, None, None, "outside") for name in NAMES))
    for wrong in (
        disturbed_key_points.disturbed(label, NAMES, random),
        disturbed_key_points.spoiled(label, NAMES, random),
    ):
        (invented,) = [point for point in wrong if point.visibility != "outside"]
        assert invented.visibility == "visible" and invented.label in NAMES
        assert sorted(point.label for point in wrong) == sorted(NAMES)


def test_what_is_disturbed_twice_from_one_seed_is_the_same() -> None:
    label = pointed(*(KeyPoint(name, 200.0, 200.0, "visible") for name in NAMES))
    for make in (disturbed_key_points.disturbed, disturbed_key_points.spoiled):
        assert make(label, NAMES, Random("one")) == make(label, NAMES, Random("one"))
        assert len({tuple(make(label, NAMES, Random(seed))) for seed in range(9)}) > 1
