"""Several workers' people become one label: clustered as boxes are, kept by about half of the weight."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.contracts.records import Person
from labelloop.people.answers import read_answer
from labelloop.tasks import people_labels
from labelloop.tasks.consolidation_people import fuse_people
from labelloop.tasks.people_quality import people_quality
from marked_people import NAMES, person

from demo.annotators import ImageTruth, Noise
from demo.annotators.drawing import seen_people
from tests.support import strategies

SIZE = (640, 480)
LEFT = person(100, 100, 100, 200, (120, 130), (140, 150, "occluded"), (160, 130))
RIGHT = person(400, 100, 100, 200, (420, 130), None, (460, 130))
marked = strategies.people(confidence=st.none(), max_size=4)
answers = st.dictionaries(st.sampled_from("abcd"), marked, min_size=1)


def fused(*images, reliability=None) -> list[list[Person]]:
    trust = {worker: 0.7 for image in images for worker in image} | (reliability or {})
    return [[each.person for each in listed] for listed in fuse_people(images, [SIZE] * len(images), NAMES, trust)]


def moved(one: Person, pixels: float) -> Person:
    points = tuple(each if each.x is None else replace(each, x=each.x + pixels) for each in one.points)
    return replace(one, box=replace(one.box, left=one.box.left + pixels), points=points)


@given(st.lists(answers, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_no_order_of_images_workers_or_people_changes_anything(images, shuffler) -> None:
    order = shuffler.sample(range(len(images)), len(images))
    shuffled = [
        {
            worker: shuffler.sample(images[n][worker], len(images[n][worker]))
            for worker in shuffler.sample(sorted(images[n]), len(images[n]))
        }
        for n in order
    ]
    first, second = fused(*images), fused(*shuffled)
    assert [first[n] for n in order] == second


@given(marked)
def test_one_workers_label_is_kept_exactly(people) -> None:
    (kept,) = fused({"a": people})
    bare = sorted(repr(replace(each, box=replace(each.box, confidence=1.0), area=None)) for each in people)
    sure = [tuple(replace(point, confidence=None) for point in each.points) for each in kept]
    assert sorted(repr(replace(each, points=points)) for each, points in zip(kept, sure, strict=True)) == bare


def test_a_person_is_kept_by_two_of_three_and_one_of_two_and_left_out_by_one_of_three() -> None:
    assert len(fused({"a": (LEFT,), "b": (LEFT, RIGHT), "c": (LEFT, RIGHT)})[0]) == 2
    assert len(fused({"a": (LEFT,), "b": (LEFT, RIGHT)})[0]) == 2
    assert len(fused({"a": (LEFT,), "b": (LEFT,), "c": (LEFT, RIGHT)})[0]) == 1
    assert fused({"a": (), "b": (), "c": (LEFT,)}) == [[]]


def test_people_keep_their_own_points_whichever_number_a_worker_gave_them() -> None:
    left, right = fused({"a": (LEFT, RIGHT), "b": (moved(RIGHT, 4), moved(LEFT, 4)), "c": (LEFT, moved(RIGHT, 2))})[0]
    assert 100 <= left.box.left <= 104 and 400 <= right.box.left <= 404
    assert [point.x is None for point in right.points] == [False, True, False]
    assert 120 <= left.points[0].x <= 124 and left.points[1].visibility == "occluded"


def test_a_box_that_somebody_drew_counts_more_than_a_derived_one() -> None:
    derived = replace(moved(LEFT, 10), derived=True)
    (mixed,) = fused({"a": (derived,), "b": (LEFT,), "c": (derived,)})[0]
    assert not mixed.derived and mixed.box.left == 100
    (alone,) = fused({"a": (derived,), "b": (derived,)})[0]
    assert alone.derived and alone.box.left == 110


def test_the_classes_of_boxes_do_not_part_people() -> None:
    driver = replace(LEFT, box=replace(LEFT.box, label="driver"))
    (kept,) = fused({"a": (LEFT,), "b": (driver,), "c": (driver,)})[0]
    assert kept.box.label == "driver"


SKELETON = skeletons.named(("nose", "left eye", "right eye"))
HEADS = skeletons.skeleton("head")


def drawn_truth(seed: int) -> ImageTruth:
    """One to three people whose points stand like those of a head."""
    draw = random.Random(seed)
    people = []
    for place in range(draw.randint(1, 3)):
        left, top, side = 20 + 200 * place, draw.uniform(20, 200), draw.uniform(90, 170)
        shares = {"nose": (0.5, 0.6), "left_eye": (0.65, 0.4), "right_eye": (0.35, 0.4), "left_ear": (0.85, 0.5)}
        shares["right_ear"] = (0.15, 0.5)
        whole = person(left, top, side, side)
        points = tuple(
            replace(
                whole.points[0],
                label=name,
                x=left + shares[name][0] * side,
                y=top + shares[name][1] * side,
                visibility=draw.choice(("visible", "visible", "occluded")),
            )
            for name in HEADS.names
        )
        people.append(Person(whole.box, points))
    return ImageTruth(*SIZE, (), tuple(people))


def answered(image: ImageTruth, noise: Noise, seed: str) -> tuple[Person, ...]:
    labels = people_labels.offered(HEADS.names, 6)
    marks = seen_people(image, labels, noise, random.Random(seed))
    form = {
        "x": {"keypoints": marks, "inputImageProperties": {"width": SIZE[0], "height": SIZE[1]}},
        "nothing-here": not marks,
    }
    return read_answer(form, (), HEADS).marks


def test_three_noisy_workers_together_err_at_most_four_fifths_of_the_best_alone() -> None:
    noise = Noise(jitter_px=4, miss_rate=0.06, wrong_visibility_rate=0.12, swap_rate=0.12)
    truths = [drawn_truth(seed) for seed in range(60)]
    images = [{w: answered(truth, noise, f"{w}/{n}") for w in "abc"} for n, truth in enumerate(truths)]
    trust = dict.fromkeys("abc", 0.7)
    together = fuse_people(images, [SIZE] * len(images), HEADS.names, trust)

    def error(labels) -> float:
        qualities = [people_quality(one, truth.people, HEADS) for one, truth in zip(labels, truths, strict=True)]
        return 1 - sum(qualities) / len(qualities)

    alone = [error([image[worker] for image in images]) for worker in "abc"]
    assert error([[each.person for each in listed] for listed in together]) <= 0.8 * min(alone)
