"""The policy `certified`: Student's bound as scipy has it, walked from the strictest threshold on; misses are rare."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_images import alike, drawn
from labelloop.trust.policies.bounded import Terms, eligible
from labelloop.trust.policies.certified import Certified, lower_bound
from scipy import stats


@given(st.integers(50, 300), st.integers(1, 100), st.integers(0, 2000), st.floats(0.01, 0.2))
def test_the_bound_is_scipys(count, seed, open_images, alpha):
    scored = drawn(count, seed)
    for step in eligible(scored):
        qualities = [quality for score, quality in scored if score >= step.score]
        t = stats.t.ppf(1 - alpha, len(qualities) - 1)
        error = max(np.std(qualities, ddof=1), 0.02) / math.sqrt(len(qualities))
        expected = np.mean(qualities) - t * error * math.sqrt(1 + count / max(open_images, 1))
        assert lower_bound(step, count, Terms(0.7, alpha, open_images)) == pytest.approx(expected, abs=1e-9)


@given(st.integers(50, 300), st.integers(1, 100), st.floats(0.4, 0.8))
def test_the_walk_ends_before_the_first_threshold_that_fails(count, seed, target):
    scored, terms = drawn(count, seed), Terms(target, 0.025, 400)
    reached = Certified().loosest(scored, terms)
    holds = [lower_bound(step, count, terms) >= target for step in eligible(scored)]
    passed = holds.index(False) if False in holds else len(holds)
    assert reached == (eligible(scored)[passed - 1] if passed else None)


def test_equal_qualities_do_not_make_it_sure():
    """Their spread is taken to be 0.02."""
    assert Certified().loosest(alike(50, 0.7), Terms(0.7, 0.025)) is None
    reached = Certified().loosest(alike(50, 0.72), Terms(0.7, 0.025))
    assert reached is not None and reached.images == 50


def test_the_fewer_images_are_open_the_further_their_mean_may_lie_away():
    bounds = [lower_bound(eligible(drawn(100))[0], 100, Terms(0.7, 0.025, count)) for count in (0, 10, 100, 10_000)]
    assert bounds == sorted(bounds)


def test_enough_judge_images_are_enough():
    """As many as are said to be needed, if they are like those that there are."""
    scored, terms = drawn(60, seed=3), Terms(0.7, 0.025, 10**9)
    step = eligible(scored)[0]
    needed = Certified().judges_needed(step, 60, terms)
    more = [pair for pair in scored for _ in range(math.ceil(needed / 60))]
    assert math.isfinite(needed) and Certified().loosest(more, terms) is not None
    assert Certified().judges_needed(step, 60, Terms(0.95, 0.025)) == math.inf


def test_the_promise_is_a_sentence_with_its_figures():
    scored, terms = drawn(200), Terms(0.6, 0.025, 400)
    reached = Certified().loosest(scored, terms)
    told = Certified().promise(reached, 200, terms)
    assert "at least 0.60" in told and "at 97.5 %" in told and f"{reached.images} of 200 judge images" in told
    assert "approximation" in told


@pytest.mark.parametrize("count", [50, 100, 200])
def test_misses_are_rare(count):
    """Made-up labels of which 58 % may be accepted: far below one in ten, and 200 draws cannot hide one in eight."""
    everything, missed, shares = drawn(20_000, seed=99), 0, []
    for seed in range(200):
        reached = Certified().loosest(drawn(count, seed + 1000), Terms(0.7, 0.025, 1000))
        accepted = [quality for score, quality in everything if reached and score >= reached.score]
        missed += bool(accepted) and float(np.mean(accepted)) < 0.7
        shares.append(len(accepted) / len(everything))
    assert missed <= 200 * 0.1
    assert np.mean(shares) > 0.05
