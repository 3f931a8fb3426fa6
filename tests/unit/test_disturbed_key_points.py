"""Wrong labels of people for honeypots: never the truth, in the image, and as wrong as they have to be."""

from dataclasses import replace
from math import dist
from random import Random

from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop import tasks
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.tasks import disturbed_key_points
from labelloop.tasks.consolidation_key_points import same_place_tolerance
from marked_people import NAMES, person

BOXES = annotation("a.jpg", role="judge", boxes=2)
ONE = person(100, 100, 200, 200, (200, 200), (200, 200), (200, 200))
places = st.floats(0, 400, width=16)
points = st.tuples(places, places, st.sampled_from(["visible", "occluded", "outside"]))


def marked(*people: Person) -> Annotation:
    return replace(BOXES, width=400, height=400, task="key-points", marks=people)


@st.composite
def people(draw: st.DrawFn) -> Person:
    drawn = [(name, *draw(points)) for name in NAMES]
    return Person(
        Box("person", *(draw(st.integers(0, 200)) for _ in range(2)), *(draw(st.integers(50, 200)) for _ in range(2))),
        tuple(
            KeyPoint(name, None, None, seen) if seen == "outside" else KeyPoint(name, x, y, seen)
            for name, x, y, seen in drawn
        ),
    )


labels = st.lists(people(), max_size=3).map(lambda listed: marked(*listed))


@given(labels, st.randoms(use_true_random=False))
def test_disturbed_and_spoiled_people_are_never_the_truth_and_lie_in_the_image(label, random) -> None:
    task, truth = tasks.of(label.task), label.people
    for wrong in (task.disturb(label, NAMES, random), task.spoil(label, NAMES, random)):
        assert task.quality(wrong, truth) < 1
        for each in wrong:
            assert [point.label for point in each.points] == list(NAMES)
            assert all((point.x is None) == (point.visibility == "outside") for point in each.points)
            assert all(0 <= p.x <= 400 and 0 <= p.y <= 400 for p in each.points if p.x is not None)


def test_a_spoiled_label_differs_in_one_point_of_one_person() -> None:
    label = marked(ONE, replace(ONE, box=Box("person", 0, 0, 50, 50)))
    for seed in range(50):
        wrong = tasks.of(label.task).spoil(label, NAMES, Random(seed))
        before, after = ([point for each in listed for point in each.points] for listed in (label.people, wrong))
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
        assert [each.box for each in wrong] == [each.box for each in label.people]


@given(people(), st.randoms(use_true_random=False))
def test_a_disturbed_point_is_outside_or_a_little_off_and_a_spoiled_one_far_off(one, random) -> None:
    tolerance, truth = same_place_tolerance(400, 400), {point.label: point for point in one.points}
    if all(point.x is None for point in one.points):
        return
    for make, farthest in (
        (disturbed_key_points.disturbed, disturbed_key_points.A_LITTLE_OFF[1]),
        (disturbed_key_points.spoiled, disturbed_key_points.PLAINLY_WRONG[1]),
    ):
        (wrong,) = make(marked(one), NAMES, random)
        assert wrong.box == one.box
        for point in wrong.points:
            known = truth[point.label]
            if point.x is not None:
                assert dist((point.x, point.y), (known.x, known.y)) <= farthest * tolerance + 1e-6
                assert point.visibility == known.visibility


@given(st.randoms(use_true_random=False), st.booleans())
def test_where_nobody_has_a_point_in_view_there_is_a_person_too_many_of_one_point(random, empty) -> None:
    label = marked() if empty else marked(person(10, 10, 90, 90))
    for make in (disturbed_key_points.disturbed, disturbed_key_points.spoiled):
        *others, phantom = make(label, NAMES, random)
        assert others == list(label.people)
        (seen,) = [point for point in phantom.points if point.visibility != "outside"]
        assert seen.visibility == "visible" and [point.label for point in phantom.points] == list(NAMES)


def test_of_several_people_some_are_overlooked_and_one_alone_never_is() -> None:
    several, alone = marked(*[ONE] * 4), marked(ONE)
    counts = [len(disturbed_key_points.disturbed(several, NAMES, Random(seed))) for seed in range(40)]
    assert min(counts) < max(counts) == 4
    assert {len(disturbed_key_points.disturbed(alone, NAMES, Random(seed))) for seed in range(40)} == {1}


def test_what_is_disturbed_twice_from_one_seed_is_the_same() -> None:
    for make in (disturbed_key_points.disturbed, disturbed_key_points.spoiled):
        assert make(marked(ONE), NAMES, Random("one")) == make(marked(ONE), NAMES, Random("one"))
        assert len({tuple(make(marked(ONE), NAMES, Random(seed))) for seed in range(9)}) > 1
