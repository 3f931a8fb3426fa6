"""Whatever a user's own judgement function answers, every image that it was asked about gets exactly one verdict."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, Decision
from labelloop.trust import own_verdicts
from labelloop.trust.judgement import Candidate, judge
from labelloop.trust.own_verdicts import Question, Verdict
from labelloop.trust.policies import Rule

from tests.support import strategies

FIXED = Rule(0.7, "fixed/0.7@v1")
OWN = "own-judge/mine, fixed/0.7@v1"
ASKED = ["s3://b/1", "s3://b/2", "s3://b/3"]


def body(*answers, **more) -> bytes:
    return json.dumps({"version": 1, "answers": list(answers), **more}).encode()


def said(reference, answer, **more):
    return {"source-ref": reference, "answer": answer, **more}


def read(content: bytes):
    verdicts, ignored = own_verdicts.read(content, ASKED)
    return {reference: (each.answer, each.reason) for reference, each in verdicts.items()}, ignored


def test_each_of_the_three_answers_is_read_with_its_reason() -> None:
    one, two, three = ASKED
    given = body(said(one, "accept"), said(two, "ask", reason="too dark"), said(three, "defer", reason=None))
    assert read(given) == (
        {
            one: ("accept", "own-judge-accepted"),
            two: ("ask", "own-judge-asked: too dark"),
            three: ("defer", "own-judge-deferred"),
        },
        0,
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "own-judge-junk", id="nothing"),
        pytest.param(b"null", "own-judge-junk", id="null, what a handler without return answers"),
        pytest.param(b"[]", "own-judge-junk", id="a list"),
        pytest.param(b"\xff\xfe", "own-judge-junk", id="not UTF-8"),
        pytest.param(b'{"version": 1, "answers": NaN}', "own-judge-junk", id="NaN"),
        pytest.param(b"[" * 100_000, "own-judge-junk", id="nested too deeply"),
        pytest.param(b'{"version": 1}', "own-judge-junk", id="no answers"),
        pytest.param(b'{"version": 1, "answers": {}}', "own-judge-junk", id="answers as an object"),
        pytest.param(b'{"answers": []}', "own-judge-wrong-version", id="no version"),
        pytest.param(b'{"version": 2, "answers": []}', "own-judge-wrong-version", id="another version"),
        pytest.param(b'{"version": true, "answers": []}', "own-judge-wrong-version", id="true is no version"),
        pytest.param(b'{"version": "1", "answers": []}', "own-judge-wrong-version", id="a text is no version"),
        pytest.param(b'{"version": 1, "answers": []}', "own-judge-missing", id="no image"),
    ],
)
def test_an_answer_that_cannot_be_read_sends_all_its_images_to_people(content: bytes, reason: str) -> None:
    assert read(content) == (dict.fromkeys(ASKED, ("ask", reason)), 0)


@pytest.mark.parametrize(
    "entry",
    [
        {"answer": "Accept"},
        {"answer": True},
        {"answer": ["accept"]},
        {"answer": None},
        {},
        {"answer": "accept", "reason": 3},
        {"answer": "accept", "reason": "x" * 201},
        {"answer": "accept", "reason": "two\nlines"},
        {"answer": "accept", "reason": "half \ud800"},
    ],
    ids=repr,
)
def test_an_entry_that_cannot_be_used_sends_its_image_to_people_and_no_other(entry) -> None:
    verdicts, ignored = read(body({"source-ref": ASKED[0], **entry}, *(said(each, "accept") for each in ASKED[1:])))
    assert verdicts[ASKED[0]] == ("ask", "own-judge-junk") and ignored == 0
    assert [verdicts[each][0] for each in ASKED[1:]] == ["accept", "accept"]


def test_an_image_that_is_answered_twice_goes_to_people_also_where_both_agree() -> None:
    verdicts, ignored = read(body(*(said(each, "accept") for each in (ASKED[0], ASKED[1], ASKED[0]))))
    assert verdicts[ASKED[0]] == ("ask", "own-judge-duplicate") and verdicts[ASKED[1]][0] == "accept"
    assert verdicts[ASKED[2]] == ("ask", "own-judge-missing") and ignored == 0


def test_what_nobody_asked_about_is_ignored_and_counted() -> None:
    verdicts, ignored = read(body(said("s3://b/other", "accept"), 7, {"answer": "accept"}, said(["s3://b/1"], "ask")))
    assert set(verdicts) == set(ASKED) and ignored == 4


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from([*ASKED, "accept", "ask", "defer"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
entries = junk | st.fixed_dictionaries(
    {"source-ref": st.sampled_from(ASKED) | junk, "answer": st.sampled_from(own_verdicts.ANSWERS) | junk},
    optional={"reason": st.text(max_size=5) | junk},
)
answers = (
    st.binary(max_size=20)
    | junk.map(lambda each: json.dumps(each).encode())
    | st.lists(entries, max_size=6).map(lambda each: body(*each))
)


@given(answers, st.lists(strategies.predictions(), min_size=3, max_size=3), st.booleans(), st.integers(0, 4))
def test_whatever_it_answers_no_image_is_lost_and_the_random_sample_stays_with_people(
    content, predictions, uncalibrated, budget
) -> None:
    policy = replace(FIXED, threshold=None) if uncalibrated else FIXED
    verdicts, _ = own_verdicts.read(content, ASKED)
    assert set(verdicts) == set(ASKED)
    candidates = [
        Candidate(ref, 0.5, number == 0, 0.1, replace(seen, source_ref=ref), own=verdicts[ref])
        for number, (ref, seen) in enumerate(zip(ASKED, predictions, strict=True))
    ]
    decisions = judge(candidates, policy, budget, 1, LabelRule(0.4))
    assert [each.source_ref for each in decisions] == ASKED
    alone = judge([replace(each, own=None) for each in candidates], policy, budget, 1, LabelRule(0.4))
    assert decisions[0] == alone[0] and decisions[0].decision == "human"
    assert all(Decision.from_json(json.loads(json.dumps(each.to_json()))) == each for each in decisions)


SURE = Prediction("s3://b/1", "ok", 64, 48, "v1", (Box("head", 1, 2, 3, 4, 0.99),))
UNSURE = replace(SURE, marks=(Box("head", 1, 2, 3, 4, 0.41),))


def decided(answer, seen, sampled=False, budget=1, **more):
    own = Verdict(answer, f"own-judge-{answer}", policy=OWN)
    (decision,) = judge(
        [Candidate("s3://b/1", 0.5, sampled, 0.1, seen, own=own, **more)], FIXED, budget, 1, LabelRule(0.4)
    )
    return decision.decision, decision.reasons, decision.policy


@pytest.mark.parametrize("seen", [SURE, UNSURE], ids=["above the threshold", "below it"])
def test_an_own_function_may_be_stricter_and_laxer_than_the_policy(seen) -> None:
    assert decided("accept", seen) == ("auto", ("own-judge-accept",), OWN)
    assert decided("ask", seen) == ("human", ("own-judge-ask",), OWN)
    assert decided("ask", seen, budget=0) == ("deferred", ("own-judge-ask", "over-budget"), OWN)
    assert decided("defer", seen) == ("deferred", ("own-judge-defer",), OWN)


@pytest.mark.parametrize("answer", own_verdicts.ANSWERS)
def test_its_answer_counts_only_where_the_policy_would_decide(answer) -> None:
    assert decided(answer, SURE, sampled=True) == ("human", ("random-sample",), FIXED.version)
    assert decided(answer, None) == ("human", ("no-prediction",), FIXED.version)
    assert decided(answer, SURE, changed=True)[0] == "deferred"
    rejected = Prediction("s3://b/1", "rejected", None, None, "v1", (), "empty")
    assert decided(answer, rejected) == ("rejected", ("empty",), FIXED.version)


def question(number: int, boxes: int = 1) -> Question:
    box = Box("head" * 16, 1000.25, 1000.25, 1000.25, 1000.25, 0.1234)
    ref = f"s3://b/{number}"
    seen = Prediction(ref, "ok", 64, 48, "v1", (box,) * boxes)
    return Question(seen, Decision(ref, "auto", 0.9, ("score-reaches-threshold",), 0.1, "p", 0))


def test_pages_are_bounded_by_images_and_by_bytes_and_hold_every_image_once() -> None:
    many = [question(number) for number in range(1201)]
    assert [len(page) for page in own_verdicts.pages(many)] == [500, 500, 201]
    large = [question(number, boxes=9000) for number in range(7)]
    found = list(own_verdicts.pages(large))
    assert [each for page in found for each in page] == large and len(found) > 1
    for page in found:
        assert len(json.dumps([each.to_json() for each in page])) < 5_000_000 and not own_verdicts.is_too_large(page)
    alone = list(own_verdicts.pages([question(1), question(2, boxes=30_000), question(3)]))
    assert [own_verdicts.is_too_large(page) for page in alone] == [False, True, False]
    assert list(own_verdicts.pages([])) == []


def test_the_report_says_which_function_judged_and_how_often_it_failed() -> None:
    def made(decision, reason, policy=OWN):
        return Decision("s3://b/1", decision, 0.5, (reason,), 0.1, policy, 1)

    judged = [
        made("auto", "own-judge-accepted: fine"),
        made("human", "own-judge-timeout"),
        made("auto", "same-content"),
    ]
    assert own_verdicts.told([*judged, made("human", "random-sample", "fixed/0.7@v1")]) == (
        "the function mine judged 3 images: 1 own-judge-accepted, 1 own-judge-timeout"
    )
    assert own_verdicts.told([made("human", "random-sample", "fixed/0.7@v1")]) == ""
    assert own_verdicts.policy_name("arn:x:lambda:r:1:function:mine:live", "fixed/0.7@v1") == (
        "own-judge/mine:live, fixed/0.7@v1"
    )
