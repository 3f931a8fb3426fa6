from dataclasses import replace
from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, Prediction
from labelloop.trust.audit import Audited, Estimate, _student, audited_images, chance_of_any, estimate, sentence
from labelloop.trust.policies import Rule

from tests.support.strategies import Seen

NAN = float("nan")
audits = st.lists(st.builds(Audited, st.floats(0, 1), st.floats(0.01, 1)), max_size=40)


@given(audits, st.randoms())
def test_an_estimate_is_bounded_ordered_and_independent_of_order(audited, random):
    result = estimate(audited)
    assert result.images == len(audited)
    assert (result.mean is None) == (not audited)
    assert (result.low is None) == (result.high is None) == (len(audited) < 10)
    if result.low is not None:
        assert 0 <= result.low <= result.mean <= result.high <= 1
    assert estimate(random.sample(audited, len(audited))) == result


def test_the_interval_covers_the_truth_also_when_failures_are_rare():
    random, population = Random(5), [0.0] * 50 + [0.9] * 950
    truth, trials = sum(population) / 1000, 1000
    results = [estimate([Audited(q, 0.05) for q in random.sample(population, 50)]) for _ in range(trials)]
    assert sum(result.low <= truth <= result.high for result in results) / trials >= 0.94


def test_weights_undo_unequal_chances():
    often, rarely = Audited(1.0, 0.5), Audited(0.0, 0.1)
    assert estimate([often] * 10 + [rarely] * 2).mean == pytest.approx(0.5)


def test_one_of_many_copies_stands_for_all_of_them_whichever_was_drawn():
    """60 contents with 5 images each are labelled wrongly, 300 with one image rightly: half of the images."""
    random, contents = Random(1), [(0.0, 5)] * 60 + [(1.0, 1)] * 300
    images = [content for content, (_, often) in enumerate(contents) for _ in range(often)]
    results = []
    for _ in range(500):
        drawn = {*random.sample(images, 120)}
        looked_at = [(*contents[content], chance_of_any(contents[content][1], 120, 600)) for content in sorted(drawn)]
        results.append(estimate([Audited(quality, chance, often) for quality, often, chance in looked_at]))
    assert sum(result.mean for result in results) / 500 == pytest.approx(0.5, abs=0.01)
    assert sum(result.low <= 0.5 <= result.high for result in results) / 500 >= 0.93


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_chance_that_one_of_several_is_drawn(images, sampled, more):
    everything = max(images, sampled) + more
    expected = 1 - comb(everything - images, sampled) / comb(everything, sampled)
    assert chance_of_any(images, sampled, everything) == pytest.approx(expected)


def test_students_quantiles():
    for freedom, quantile in ((9, 2.2622), (19, 2.0930), (119, 1.9801)):
        assert _student(freedom) == pytest.approx(quantile, abs=0.001)


def test_sentences():
    assert sentence(Estimate(120, 0.87, 0.84, 0.90)) == (
        "auto labels: mean IoU 0.87 [0.84, 0.90] at 95%, from 120 audited images"
    )
    assert "unknown" in sentence(estimate([]))
    assert "from only 1 audited image: too few" in sentence(estimate([Audited(0.5, 1)]))
    assert "at 95%" in sentence(estimate([Audited(0.5, 1)] * 10))


@pytest.mark.parametrize("wrong", [Audited(NAN, 1), Audited(0.5, 0), Audited(0.5, NAN), Audited(2, 1)])
def test_impossible_figures_are_refused(wrong):
    with pytest.raises(InvalidInputError, match="quality"):
        estimate([wrong])


def test_only_what_the_policy_would_accept_is_audited():
    box = Box("head", 0, 0, 10, 10, 0.9)
    sure = Prediction("sure", "ok", 640, 480, "v1", (box,))
    predictions = {
        "sure": sure,
        "unsure": replace(sure, source_ref="unsure", boxes=(replace(box, confidence=0.5),)),
        "refused": Prediction("refused", "rejected", None, None, "v1", (), "truncated"),
    }
    gold = [(Seen(ref, (replace(box, width=5),)), 0.2, 3) for ref in ("sure", "unsure", "refused", "unseen")]
    assert audited_images(gold, predictions, Rule(0.7, "p"), 0.4) == [Audited(0.5, 0.2, 3)]
    assert audited_images(gold, predictions, Rule(None, "p"), 0.4) == []
