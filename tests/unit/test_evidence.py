"""What judge images say of accepting from a score on: counts, means and spreads as numpy has them, whole ties only."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.trust.policies import evidence
from labelloop.trust.policies.evidence import TARGETS, Accepted

from tests.support import strategies

scored = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.9]) | strategies.confidences, strategies.confidences))


@given(scored, st.randoms())
def test_each_score_that_occurs_is_a_threshold_and_says_what_its_labels_are_like(pairs, random):
    steps = list(evidence.walk(pairs))
    assert [step.score for step in steps] == sorted({score for score, _ in pairs}, reverse=True)
    for step in steps:
        qualities = [quality for score, quality in pairs if score >= step.score]
        spread = np.std(qualities, ddof=1) if len(qualities) > 1 else 0.0
        assert (step.images, step.share) == (len(qualities), len(qualities) / len(pairs))
        assert (step.mean, step.spread) == pytest.approx((np.mean(qualities), spread), abs=1e-9)
    assert list(evidence.walk(random.sample(pairs, len(pairs)))) == steps


def test_labels_that_are_all_alike_do_not_spread():
    assert list(evidence.walk([(0.5, 0.7)] * 1000)) == [Accepted(0.5, 1000, 1.0, 0.7, 0.0)]


@pytest.mark.parametrize("pair", [(math.nan, 1), (0.5, math.nan), (0.5, 1.2), (-0.1, 1)])
def test_an_impossible_figure_is_refused_and_a_record_with_one_is_of_no_use(pair):
    with pytest.raises(InvalidInputError, match="judge images: fields 'score' and 'quality'"):
        evidence.check([(0.5, 0.5), pair])
    assert evidence.of_record({"scored": [[0.5, 0.5], list(pair)]}) is None


@pytest.mark.parametrize(
    "record", [{}, {"scored": None}, {"scored": [[0.5]]}, {"scored": [["x", 0.5]]}, {"scored": [3]}]
)
def test_a_record_without_usable_figures_has_none(record):
    assert evidence.of_record(record) is None


def test_figures_of_a_record_are_read_as_they_were_written():
    assert evidence.of_record({"scored": [[0.25, 1], [0.5, 0.75]]}) == [(0.25, 1.0), (0.5, 0.75)]
    assert evidence.of_record({"scored": []}) == []


def test_a_curve_has_a_share_for_each_target():
    step = Accepted(0.5, 1, 0.123456, 0.8, 0.0)
    assert evidence.curve(lambda target: step if target < 0.5 else None) == [
        [target, 0.1235 if target < 0.5 else 0.0] for target in TARGETS
    ]
    assert TARGETS[0] == 0.3 and TARGETS[-1] == 0.95
