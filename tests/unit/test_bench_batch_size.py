"""The arithmetic of `make bench NAME=batch_size`."""

import pytest

from bench import batch_size
from bench.batch_size import Line, Room, Step


def step(function: str = "judge_batch", images: int = 100, mib: float = 0.0, seconds: float = 0.0) -> Step:
    return Step(function, images, mib, 0.0, 0.0, seconds, {})


def test_what_a_function_takes_is_extrapolated_from_the_two_largest_sizes() -> None:
    line = batch_size.line_through([(100, 60.0), (1, 55.0), (300, 100.0)])
    assert line == Line(fixed=40.0, each=0.2) and line.images_within(240.0) == 1000


def test_the_worst_round_of_a_function_counts_at_each_size() -> None:
    steps = [step(mib=60), step(mib=70), step(mib=65), step(images=300, mib=100), step("begin_round", mib=900)]
    assert batch_size.worst(steps, "judge_batch", "mib") == [(100, 70), (300, 100)]


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, 4_300), (60.0, 1_350)])
def test_the_largest_batch_is_what_fits_into_memory_and_into_time(seconds, expected) -> None:
    """1,000 MiB and 900 s, of which nine tenths are used; an image takes 0.2 MiB, or 0.6 s in the second case."""
    steps = [step(mib=60, seconds=seconds), step(images=300, mib=100, seconds=3 * seconds)]
    assert batch_size.largest(steps, "judge_batch", Room(1_000, 900))["images"] == expected


def test_seconds_in_lambda_hold_the_slower_core_its_share_and_every_call() -> None:
    """A full core for 1,769 MB and more, half of one for half of that."""
    assert batch_size.seconds_in_lambda(10.0, {}, 3_008) == 20.0
    assert batch_size.seconds_in_lambda(10.0, {}, 1_769) == 2 * batch_size.seconds_in_lambda(5.0, {}, 1_769)
    assert batch_size.seconds_in_lambda(10.0, {}, 1_769 // 2) == pytest.approx(40.0, rel=0.01)
    calls = {"get": 10, "put": 5, "head": 1, "list": 2, "dynamodb": 100, "bytes": 70_000_000}
    assert batch_size.seconds_in_lambda(0.0, calls, 3_008) == pytest.approx(1.6 + 0.6 + 1.0 + 1.0)
    assert batch_size.seconds_in_lambda(0.0, {"get": 160}, 3_008, at_once=16) == pytest.approx(1.0)
