import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import InventoryItem
from labelloop.trust.sampling import Tally, draw, draw_sample, fewest, in_role_order, roles


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
    order = in_role_order(("ab" * 32, "cd" * 32, "ef" * 32), 7)
    assert [each[:2] for each in order] == ["ef", "ab", "cd"]


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


@given(st.integers(1, 60), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_of_n_answered_contents_the_wanted_ones_or_half_judge_however_they_come(wanted, parts):
    tally, judges = Tally(), 0
    for part in parts:
        found, tally = roles([f"{tally.answered + number:064x}" for number in range(part)], tally, wanted)
        judges += list(found.values()).count("judge")
        assert tally == Tally(tally.answered, judges)
        assert judges == min(tally.answered, max(wanted, tally.answered // 2))
    assert tally.answered == sum(parts)


def test_too_few_or_too_many_judges_of_an_older_version_stay_and_later_ones_make_up_for_it():
    few, after = roles([f"{number:064x}" for number in range(20)], Tally(100, 10), 50)
    assert set(few.values()) == {"judge"} and after == Tally(120, 30)
    many, after = roles([f"{number:064x}" for number in range(20)], Tally(100, 90), 50)
    assert set(many.values()) == {"train"} and after == Tally(120, 90)


def test_the_order_of_roles_says_nothing_about_the_draw_and_does_not_depend_on_the_order_given():
    contents = [f"{number:064x}" for number in range(300)]
    ordered = in_role_order(contents, 3)
    assert ordered == in_role_order(reversed(contents), 3) != in_role_order(contents, 4)
    assert sorted(ordered) == contents != ordered
    drawn = sorted(contents, key=lambda content: draw(3, content, ""))
    both = len(set(ordered[:150]) & set(drawn[:150]))
    assert abs(both - 75) < 4 * math.sqrt(300 / 16)


def test_a_later_batch_needs_a_smaller_sample_once_enough_images_judge():
    assert [fewest(110, judges, 50) for judges in (0, 49, 50)] == [110, 110, 30]
    assert fewest(10, 50, 50) == 10


def test_the_draw_in_the_item_is_what_decides():
    items = [replace(item, draw=position) for item, position in zip(inventory(3), (0.9, 0.1, 0.5), strict=True)]
    assert [item.sampled for item in draw_sample(items, 0.0, 1)] == [False, True, False]
