import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import InventoryItem
from labelloop.trust.sampling import Shares, draw, draw_sample, role_of


def inventory(count, seed=7):
    return [
        InventoryItem(f"k{index:04d}", None, "e", 1, draw(seed, f"k{index:04d}", "e"), False, 0.0)
        for index in range(count)
    ]


@given(st.integers(), st.text(), st.text())
def test_a_draw_is_in_range_and_repeats(seed, key, etag):
    assert 0 <= draw(seed, key, etag) < 1
    assert draw(seed, key, etag) == draw(seed, key, etag)


def test_draws_are_pinned_for_ever():
    """A changed hash would redraw the sample of batches that are half done."""
    assert draw(7, "incoming/a.png", "e1") == 0.2332203788194258
    assert role_of("ab" * 32, True, Shares(), 7) == "judge"


@pytest.mark.fault("E04")
def test_draws_differ_by_every_part_and_parts_do_not_run_together():
    parts = [(1, "k", "e"), (2, "k", "e"), (1, "ke", ""), (1, "", "ke"), (12, "k", "e"), (1, "2k", "e")]
    assert len({draw(*part) for part in parts}) == len(parts)


def test_draws_are_uniform():
    draws = sorted(draw(1, str(index), "e") for index in range(2000))
    worst = max(abs(value - index / 2000) for index, value in enumerate(draws))
    assert worst < 1.63 / math.sqrt(2000)  # Kolmogorov-Smirnov at 1 %


@given(st.integers(0, 60), st.floats(0, 1), st.integers(0, 80), st.randoms())
def test_the_sample_is_the_smallest_draws_of_the_right_number(count, rate, minimum, random):
    items = inventory(count)
    sampled = draw_sample(items, rate, minimum)
    chosen = [item for item in sampled if item.sampled]
    assert len(chosen) == max(math.ceil(rate * count - 1e-9), min(minimum, count))
    rest = [item.draw for item in sampled if not item.sampled]
    assert max((item.draw for item in chosen), default=0) <= min(rest, default=1)
    assert all(item.inclusion_probability == len(chosen) / count for item in sampled)
    shuffled = random.sample(items, count)
    assert sorted(draw_sample(shuffled, rate, minimum), key=lambda item: item.key) == sampled
    assert draw_sample(sampled, rate, minimum) == sampled


def test_a_rate_does_not_gain_an_image_by_rounding():
    assert sum(item.sampled for item in draw_sample(inventory(30), 0.1, 0)) == 3


def test_every_image_is_as_likely_to_be_sampled_as_its_inclusion_probability_says():
    hits = sum(draw_sample(inventory(20, seed), 0.25, 0)[3].sampled for seed in range(800))
    assert abs(hits / 800 - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 800)


@pytest.mark.fault("E05")
@pytest.mark.parametrize(("rate", "minimum"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), (0.5, -1)])
def test_an_impossible_sample_is_refused(rate, minimum):
    with pytest.raises(ValueError, match="sample"):
        draw_sample(inventory(3), rate, minimum)


@given(st.text(), st.integers())
def test_what_was_not_sampled_only_trains(sha256, seed):
    assert role_of(sha256, False, Shares(0, 1), seed) == "train"


def test_roles_follow_their_shares_and_not_the_draw():
    roles = [role_of(f"{index:064x}", True, Shares(50, 50), 3) for index in range(4000)]
    for role, share in (("train", 0.5), ("judge", 0.5)):
        assert abs(roles.count(role) / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)
    assert {role_of(f"{index:064x}", True, Shares(0, 1), 3) for index in range(50)} == {"judge"}


@pytest.mark.parametrize("shares", [(0, 0), (-1, 1), (float("nan"), 1), (math.inf, 1)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        Shares(*shares)


def test_the_draw_in_the_item_is_what_decides():
    items = [replace(item, draw=position) for item, position in zip(inventory(3), (0.9, 0.1, 0.5), strict=True)]
    assert [item.sampled for item in draw_sample(items, 0.0, 1)] == [False, True, False]
