"""The promise of `make bench NAME=consolidation_people`, on one seed that is not among those it reports."""

from labelloop.tasks.people_quality import people_quality

from bench.consolidation_people import SEEDS, SKELETON, answered, consolidated, draw_truth, of_seed
from demo.annotators import Noise

SEED, IMAGES = 204, 60


def test_several_people_are_better_than_the_best_of_them() -> None:
    found = of_seed(SEED, IMAGES)
    assert SEED not in SEEDS and found["consolidated"] <= 0.8 * found["best_worker"]


def test_of_those_who_make_no_mistake_the_label_is_the_truth_but_for_whole_pixels() -> None:
    truth = draw_truth(SEED, 20)
    labels = consolidated(answered(truth, Noise()))
    for image, real in truth.images.items():
        assert people_quality(labels[image], real.people, SKELETON) > 0.99
