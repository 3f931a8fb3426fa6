"""Both promises of `make bench NAME=consolidation`, on one seed that is not among those it reports."""

from bench.consolidation import SEEDS, with_an_adversary, with_honest_workers

SEED, IMAGES = 204, 100


def test_several_people_are_better_than_the_best_of_them() -> None:
    found = with_honest_workers(SEED, IMAGES)
    assert SEED not in SEEDS and found["consolidated"] <= 0.8 * found["best_worker"]


def test_f22_a_worker_who_draws_at_random_hurts_less_than_in_a_plain_average() -> None:
    found = with_an_adversary(SEED, IMAGES)
    assert found["consolidated"] <= 0.7 * found["plain_average"] <= 0.7 * found["keep_all"]
    assert found["consolidated"] < found["best_worker"]
