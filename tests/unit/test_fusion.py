"""Marks of several hands: one place, and how steady each hand is."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.tasks.fusion import FINEST_SPREAD_PIXELS, fuse, spreads

values = st.integers(0, 400).map(lambda quarter: quarter / 4)
samples = st.lists(st.dictionaries(st.sampled_from("abcd"), st.tuples(values, values), min_size=1), max_size=6)


def hands(spread_of, count=400, seed=1):
    random = Random(seed)
    return [{worker: (random.gauss(100, spread),) for worker, spread in spread_of.items()} for _ in range(count)]


@given(samples, st.randoms())
def test_no_order_changes_anything(marks, random) -> None:
    shuffled = [{w: sample[w] for w in random.sample(sorted(sample), len(sample))} for sample in marks]
    steadiness = spreads(marks)
    assert spreads(random.sample(shuffled, len(shuffled))) == steadiness
    trust = dict.fromkeys("abcd", 0.8)
    assert [fuse(s, steadiness, trust) for s in shuffled] == [fuse(s, steadiness, trust) for s in marks]


@given(samples)
def test_the_fused_place_lies_among_the_marks(marks) -> None:
    steadiness = spreads(marks)
    for sample in marks:
        for axis, value in enumerate(fuse(sample, steadiness, dict.fromkeys("abcd", 0.8))):
            listed = [position[axis] for position in sample.values()]
            assert min(listed) - 1e-9 <= value <= max(listed) + 1e-9


def test_shaky_hands_are_told_from_steady_ones() -> None:
    found = spreads(hands({"steady": 3, "as steady": 3, "shaky": 12}))
    assert found["steady"] == pytest.approx(3, rel=0.2) and found["as steady"] == pytest.approx(3, rel=0.2)
    assert found["shaky"] == pytest.approx(12, rel=0.2)


def test_two_hands_cannot_be_told_apart_and_one_alone_is_taken_for_a_steady_one() -> None:
    found = spreads(hands({"steady": 1, "shaky": 9}))
    assert found["steady"] == pytest.approx(found["shaky"])
    assert spreads([{"a": (1.0,)}]) == {"a": FINEST_SPREAD_PIXELS} and spreads([]) == {}


def test_steady_hands_weigh_more() -> None:
    place = fuse({"steady": (10.0,), "shaky": (20.0,)}, {"steady": 1.0, "shaky": 3.0}, {"steady": 0.8, "shaky": 0.8})
    assert place == pytest.approx((11.0,))


def test_one_far_off_is_left_out_and_one_known_to_be_unreliable_hardly_counts() -> None:
    equal, trust = dict.fromkeys("abcd", 2.0), dict.fromkeys("abcd", 0.8)
    marks = {"a": (10.0, 10.0), "b": (11.0, 10.0), "c": (12.0, 10.0), "d": (60.0, 10.0)}
    assert fuse(marks, equal, trust) == pytest.approx((11.0, 10.0))
    assert fuse({"a": (10.0,), "b": (60.0,)}, equal, {"a": 0.98, "b": 0.02}) == pytest.approx((11.0,))
