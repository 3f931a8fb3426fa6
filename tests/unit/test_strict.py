"""The policy `strict`: its walk is MAPIE's fixed sequence, its bets are fair, and nothing depends on the order."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_images import alike, drawn
from labelloop.trust.policies.bounded import Terms
from labelloop.trust.policies.strict import STAKES, Strict, Wager, logarithm_of_capital, sequence, split
from mapie.risk_control.fwer_control import control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

from tests.support import strategies


@given(st.integers(50, 400), st.integers(1, 100), st.floats(0.4, 0.8), st.floats(0.01, 0.2))
def test_the_walk_is_mapies_split_fixed_sequence(count, seed, target, alpha):
    scored = drawn(count, seed)
    pilot, others = split(scored)
    tests = sequence(pilot, target)
    rejected = control_fwer(np.array([test.p_value(others, target) for test in tests]), alpha, "split_fixed_sequence")
    reached = Strict().loosest(scored, Terms(target, alpha))
    expected = min((tests[index].score for index in rejected), default=None)
    accepted = None if expected is None else [score for score, _ in scored if score >= expected]
    assert (reached and (reached.score, reached.images)) == (accepted and (min(accepted), len(accepted)))


def test_the_bet_is_about_as_strong_as_mapies_hoeffding_bentkus_where_that_is_at_its_best():
    """Of qualities 0 and 1, for which Bentkus' bound was made."""
    qualities = [1.0] * 95 + [0.0] * 5
    own = -max(logarithm_of_capital(qualities, 0.8, stake) for stake in STAKES)
    (theirs,) = np.ravel(compute_hoeffding_bentkus_p_value(np.array([0.05]), 100, np.array([0.2])))
    assert 0.2 < own / math.log(theirs) < 3


@given(st.sampled_from(STAKES), st.floats(0.05, 0.95), st.lists(strategies.confidences, max_size=50))
def test_nothing_turns_the_capital_into_debts_and_the_order_does_not_matter(stake, target, qualities):
    grown = logarithm_of_capital(qualities, target, stake)
    assert math.isfinite(grown) and grown == logarithm_of_capital(qualities[::-1], target, stake)
    expected = np.prod([1 + stake * (quality - target) / target for quality in qualities])
    assert math.exp(grown) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("spread", ["two values", "one in ten fails", "any"])
def test_where_labels_are_just_as_good_as_the_target_bets_seldom_win(spread):
    """The null at its edge, mean 0.7: of 2,000 samples at most 5 % (+ 2 sigma) seem better at that level."""
    chance, target, won = random.Random(7), 0.7, 0
    for _ in range(2000):
        if spread == "two values":
            qualities = [float(chance.random() < 0.7) for _ in range(60)]
        elif spread == "one in ten fails":
            qualities = [0.0 if chance.random() < 0.1 else 0.7 / 0.9 for _ in range(60)]
        else:
            qualities = [chance.betavariate(7, 3) for _ in range(60)]
        won += Wager(0.0, 0.8).p_value([(0.5, quality) for quality in qualities], target) <= 0.05
    assert won <= 2000 * (0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000))


@given(st.integers(0, 300), st.integers(1, 50), st.randoms())
def test_the_pilot_is_a_quarter_by_chance_and_always_the_same(count, seed, shuffle):
    scored = drawn(count, seed)
    pilot, others = split(scored)
    assert len(pilot) == round(count / 4) and sorted(pilot + others) == sorted(scored)
    assert split(shuffle.sample(scored, len(scored))) == (pilot, others)


def test_without_a_pilot_nothing_is_tested():
    assert sequence([], 0.7) == []


@pytest.mark.parametrize("count", [400, 800])
def test_misses_are_rarer_than_alpha(count):
    everything, missed, shares = drawn(20_000, seed=99), 0, []
    for seed in range(100):
        reached = Strict().loosest(drawn(count, seed + 1000), Terms(0.7, 0.025))
        accepted = [quality for score, quality in everything if reached and score >= reached.score]
        missed += bool(accepted) and float(np.mean(accepted)) < 0.7
        shares.append(len(accepted) / len(everything))
    assert missed <= 5
    assert np.mean(shares) > 0.2


def test_how_many_judge_images_a_bet_needs():
    needed = [Strict().judges_needed(step, 500, Terms(0.7, 0.025)) for step in _steps(alike(500, 0.75))]
    assert needed == sorted(needed, reverse=True), "the larger the share, the fewer"
    assert 60 < needed[-1] < 200
    assert Strict().judges_needed(_steps(alike(500, 0.7))[-1], 500, Terms(0.7, 0.025)) == math.inf


def test_the_promise_assumes_nothing():
    scored, terms = alike(400, 0.9), Terms(0.7, 0.025)
    told = Strict().promise(Strict().loosest(scored, terms), 400, terms)
    assert "whatever the distribution" in told and "97.5 %" in told and "at least 0.70" in told


def _steps(scored):
    from labelloop.trust.policies import evidence

    return list(evidence.walk(scored))
