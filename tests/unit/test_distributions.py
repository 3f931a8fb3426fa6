"""Student, beta and binomial as scipy has them, in both tails; quantiles undo distributions; nonsense is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.trust.distributions import (
    beta_cdf,
    beta_quantile,
    binomial_cdf,
    proportion_bounds,
    student_cdf,
    student_quantile,
)
from scipy import stats

freedoms = st.one_of(st.integers(1, 400), st.sampled_from([1000, 10_000, 100_000]))
chances = st.floats(1e-9, 1 - 1e-9)
sizes = st.floats(0.1, 1000)
CLOSE = {"rel": 1e-9, "abs": 1e-250}


@given(st.floats(-60, 60), freedoms)
def test_student_is_scipys(t, freedom):
    assert student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), **CLOSE)
    assert student_cdf(-t, freedom) == pytest.approx(1 - student_cdf(t, freedom), abs=1e-12)


@given(chances, freedoms)
def test_students_quantile_is_scipys_and_undoes_the_distribution(p, freedom):
    assert student_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9, abs=1e-12)
    assert student_cdf(student_quantile(p, freedom), freedom) == pytest.approx(p, rel=1e-9)


@given(st.floats(0, 1, allow_subnormal=False), sizes, sizes)
def test_beta_is_scipys(x, a, b):
    assert beta_cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), **CLOSE)
    assert 0 <= beta_cdf(x, a, b) <= 1


@given(chances, sizes, sizes)
def test_betas_quantile_is_scipys(p, a, b):
    assert beta_quantile(p, a, b) == pytest.approx(stats.beta.ppf(p, a, b), rel=1e-7, abs=1e-200)


@given(st.integers(0, 2000), st.integers(0, 2000), st.floats(0.001, 0.999))
def test_binomial_is_scipys(one, other, p):
    successes, trials = min(one, other), max(one, other)
    assert binomial_cdf(successes, trials, p) == pytest.approx(stats.binom.cdf(successes, trials, p), **CLOSE)
    assert binomial_cdf(-1, trials, p) == 0


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.001, 0.5))
def test_bounds_of_a_proportion_are_scipys_exact_ones(one, other, error):
    successes, trials = min(one, other), max(one, other)
    low, high = proportion_bounds(successes, trials, error)
    exact = stats.binomtest(successes, trials).proportion_ci(1 - 2 * error, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-9)


@pytest.mark.parametrize(("p", "freedom", "t"), [(0.95, 14, 1.761310), (0.975, 49, 2.009575), (0.5, 3, 0.0)])
def test_tables_of_student(p, freedom, t):
    assert student_quantile(p, freedom) == pytest.approx(t, abs=1e-6)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
def test_no_quantile_of_what_is_no_chance(p):
    with pytest.raises(ValueError, match="chance"):
        student_quantile(p, 5)


@pytest.mark.parametrize("broken", [(math.nan, 1, 1), (0.5, 0, 1), (0.5, 1, math.inf), (1.5, 1, 1)])
def test_no_beta_of_nonsense(broken):
    with pytest.raises(ValueError, match="beta"):
        beta_cdf(*broken)


def test_no_bounds_of_more_successes_than_trials_and_no_student_without_freedom():
    with pytest.raises(ValueError, match="successes"):
        proportion_bounds(3, 2, 0.05)
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_cdf(1.0, 0)
    with pytest.raises(ValueError, match="chance"):
        beta_quantile(1.2, 1, 1)
