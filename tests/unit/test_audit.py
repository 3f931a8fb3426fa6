from dataclasses import replace
from math import comb
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.trust import audit
from labelloop.trust.audit import (
    Audited,
    Estimate,
    Finding,
    Looked,
    _student,
    audited_images,
    chance_of_any,
    estimate,
    find,
    sentence,
    told,
)
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
    for freedom, quantile in ((9, 1.8331), (19, 1.7291), (119, 1.6578)):
        assert _student(freedom, audit.Z_ONE_SIDED) == pytest.approx(quantile, abs=0.001)


# --- the audit of accepted labels

places = st.dictionaries(st.text(min_size=1, max_size=8), st.text("0123456789abcdef", min_size=32, max_size=32))


@given(places, st.floats(0, 1), st.integers(0, 30), st.integers(0, 30), st.randoms())
def test_the_audit_is_drawn_by_place_alone_and_has_its_size(places, rate, minimum, before, random):
    drawn = audit.draw(places, rate, minimum, before)
    assert drawn <= set(places)
    assert len(drawn) == min(len(places), max(minimum - before, -int(-(rate * len(places) - 1e-9) // 1)))
    shuffled = dict(random.sample(list(places.items()), len(places)))
    assert audit.draw(shuffled, rate, minimum, before) == drawn
    last = max(((places[each], each) for each in drawn), default=("", ""))
    assert all((places[each], each) > last for each in set(places) - drawn)


def test_a_place_depends_on_seed_and_object_and_is_not_that_of_another_draw():
    found = {audit.place(seed, key, tag) for seed in (1, 2) for key in ("a", "b") for tag in ("x", "y")}
    assert len(found) == 8 and all(len(each) == 32 for each in found)


def test_most_of_a_small_round_is_audited_and_of_a_large_one_a_share():
    def sizes(images, before=0):
        return len(audit.draw({str(n): audit.place(7, str(n), "e") for n in range(images)}, 0.02, 20, before))

    assert [sizes(images) for images in (0, 5, 20, 100, 1000, 5000)] == [0, 5, 20, 20, 20, 100]
    assert [sizes(images, before=20) for images in (5, 100, 5000)] == [1, 2, 100]


scores = st.floats(0, 1)
judged_images = st.lists(st.tuples(scores, scores), max_size=40)
looked_at = st.lists(st.builds(Looked, scores, scores, st.booleans()), max_size=40)


@given(st.lists(scores, max_size=60), looked_at, judged_images, st.none() | scores, st.randoms())
def test_a_finding_is_bounded_ordered_and_independent_of_order(more, looked, judged, target, random):
    accepted = [*more, *(one.score for one in looked)]
    found = find(accepted, looked, judged, target)
    assert (found.accepted, found.audited, found.judged) == (len(accepted), len(looked), len(judged))
    assert (found.mean is None) == (not looked)
    sure = len(looked) >= 10 or (looked and not more)
    assert (found.low is None) == (found.high is None) == (found.upper is None) == (not sure)
    if sure:
        assert 0 <= found.low <= found.mean <= found.high <= 1 and found.mean <= found.upper <= found.high
    assert not found.contradicted or (target is not None and found.upper < target)
    again = find(
        random.sample(accepted, len(accepted)),
        random.sample(looked, len(looked)),
        random.sample(judged, len(judged)),
        target,
    )
    assert again.contradicted == found.contradicted and again.mean == pytest.approx(found.mean)
    assert Finding.from_json(found.to_json()) == found


def world(random, accepted, level):
    """(score, quality) of accepted labels: better with the score, and some bad throughout."""
    found = []
    for _ in range(accepted):
        score = random.uniform(0.5, 1)
        quality = 0.05 if random.random() < 0.04 else level + 0.3 * (score - 0.75) + random.gauss(0, 0.09)
        found.append((score, min(max(quality, 0), 1)))
    return found


def audits_of(population, judges, audited, random, target=None):
    drawn = random.sample(population, audited)
    looked = [Looked(score, quality, False) for score, quality in drawn]
    return find([score for score, _ in population], looked, judges, target)


@pytest.mark.parametrize("audited", [20, 60])
@pytest.mark.parametrize("judges", ["none", "good", "far too good"])
def test_the_interval_covers_the_accepted_labels_whatever_the_judge_images_say(audited, judges):
    random = Random(f"{audited}{judges}")
    covered, means, trials = 0, [], 600
    for _ in range(trials):
        population = world(random, 300, 0.76)
        judging = {"none": [], "good": world(random, 50, 0.76), "far too good": world(random, 50, 0.9)}[judges]
        truth = fmean(quality for _, quality in population)
        found = audits_of(population, judging, audited, random)
        covered += found.low <= truth <= found.high
        means.append(found.mean - truth)
    assert covered / trials >= 0.93
    assert fmean(means) == pytest.approx(0, abs=0.006)


def test_judge_images_narrow_the_interval_where_the_score_tells_something():
    random, widths = Random(3), {True: [], False: []}
    for _ in range(200):
        population = [(score, 0.4 + 0.5 * score) for score in (random.random() for _ in range(300))]
        judging = [(score, 0.4 + 0.5 * score) for score in (random.random() for _ in range(50))]
        for known in widths:
            found = audits_of(population, judging if known else [], 40, random)
            widths[known].append(found.high - found.low)
    assert fmean(widths[True]) < 0.4 * fmean(widths[False])


@pytest.mark.parametrize("audited", [12, 20, 100])
@pytest.mark.parametrize("kind", ["spread", "all or nothing", "nearly all alike"])
def test_a_promise_that_is_kept_is_contradicted_in_at_most_one_of_twenty(audited, kind):
    random, trials, wrong = Random(f"{audited}{kind}"), 800, 0
    for _ in range(trials):
        population = [(0.9, _quality(kind, random)) for _ in range(400)]
        truth = fmean(quality for _, quality in population)
        wrong += audits_of(population, [], audited, random, target=truth).contradicted
    assert wrong / trials <= 0.05 + 2 * (0.05 * 0.95 / trials) ** 0.5


def _quality(kind, random):
    if kind == "all or nothing":
        return float(random.random() < 0.85)
    if kind == "nearly all alike":
        return 0.1 if random.random() < 0.03 else 0.8
    return min(max(random.gauss(0.7, 0.15), 0), 1)


def test_a_promise_that_is_far_from_kept_is_contradicted():
    random = Random(11)
    found = [audits_of(world(random, 200, 0.55), world(random, 40, 0.75), 20, random, 0.7) for _ in range(300)]
    assert sum(each.contradicted for each in found) >= 285


def test_labels_that_people_left_as_they_are_count_as_the_judge_images_and_contradict_nothing():
    """Who accepts a label has not drawn one: it may be worth 0.8 as well as 1."""
    judges = [(0.8, 0.74), (0.9, 0.78)] * 10
    left = [Looked(0.85, 0.96, True)] * 20
    found = find([0.85] * 200, left, judges, 0.9)
    assert found.untouched == 20 and found.mean == pytest.approx(0.76) and found.high == 1.0
    assert not found.contradicted
    assert find([0.85] * 200, left, [], 0.9).mean == 1.0, "nothing else is known of them"
    mixed = [*left[:10], *[Looked(0.85, 0.5, False)] * 10]
    assert find([0.85] * 200, mixed, judges, None).mean == pytest.approx((0.76 + 0.5) / 2)


def test_where_people_looked_at_all_labels_nothing_is_left_to_chance():
    found = find([0.9] * 4, [Looked(0.9, quality, False) for quality in (0.6, 0.7, 0.7, 0.8)], [], 0.71)
    assert (found.low, found.high, found.upper) == (pytest.approx(0.7),) * 3 and found.contradicted
    assert not find([0.9] * 5, [Looked(0.9, 0.6, False)] * 4, [], 0.71).contradicted, "too few to say"


def test_qualities_that_are_all_alike_leave_room_for_what_the_sample_may_have_missed():
    found = find([0.9] * 10_000, [Looked(0.9, 1.0, False)] * 20, [], None)
    assert found.low == pytest.approx(0.05 ** (1 / 20), abs=0.001) and found.high == 1.0
    nothing = find([0.9] * 1000, [Looked(0.9, 0.0, False)] * 20, [], 0.5)
    assert nothing.low == 0 and nothing.high == pytest.approx(1 - 0.05 ** (1 / 20), abs=0.003) and nothing.contradicted


def test_a_finding_as_people_read_it():
    found = Finding(100, 20, 0, 54, 0.76, 0.71, 0.81, 0.80, 0.7)
    assert told(found, 0.88) == (
        "promised mean quality 0.70, audited 0.76 [0.71, 0.81] at 95 % from 20 accepted and 54 judge images; "
        "people agree with one another at 0.88"
    )
    assert told(Finding(9, 0, 0, 54, target=0.7)) == (
        "promised mean quality 0.70, audited by nobody: people answered about none of these 9 accepted labels"
    )
    assert told(Finding(90, 3, 0, 0, 0.8)) == "audited 0.80 from 3 accepted, too few to say how sure that is"
    assert told(replace(found, upper=0.69)).endswith("; contradicted: nothing of this round was accepted")


@pytest.mark.parametrize("wrong", [Looked(NAN, 1, False), Looked(0.5, 2, False), Looked(0.5, NAN, True)])
def test_impossible_audits_are_refused(wrong):
    with pytest.raises(InvalidInputError, match="quality"):
        find([0.5] * 3, [wrong], [], 0.7)
    with pytest.raises(InvalidInputError, match="quality"):
        find([0.5, 2.0], [], [], 0.7)


def test_sentences():
    assert sentence(Estimate(120, 0.87, 0.84, 0.90)) == (
        "auto labels: mean quality 0.87 [0.84, 0.90] at 95%, from 120 audited images"
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
        "unsure": replace(sure, source_ref="unsure", marks=(replace(box, confidence=0.5),)),
        "refused": Prediction("refused", "rejected", None, None, "v1", (), "truncated"),
    }
    judges = [(Seen(ref, (replace(box, width=5),)), 0.2, 3) for ref in ("sure", "unsure", "refused", "unseen")]
    assert audited_images(judges, predictions, Rule(0.7, "p"), LabelRule(0.4)) == [Audited(0.5, 0.2, 3)]
    assert audited_images(judges, predictions, Rule(None, "p"), LabelRule(0.4)) == []
