"""Scores of people, from what they answered, what came of it, and what was known beforehand."""

import json
from pathlib import Path

import pytest
from answer_forms import CLASSES, SKELETON, boxes, drawn, key_points, placed, verdict
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.people.answers import CannotJudge, Choice, Marked, read_answer
from labelloop.people.workers import (
    History,
    Known,
    WorkerScore,
    answer_quality,
    honeypot_quality,
    is_unreliable,
    reliability,
    score_workers,
)
from labelloop.tasks.dawid_skene import UNKNOWN_RELIABILITY
from marked_people import person

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
HEAD, HAND = Box("head", 10, 20, 30, 40), Box("hand", 100, 100, 50, 50)
histories = st.builds(History, st.integers(0, 1000), st.floats(-1, 1))


def response(*answers, seconds=10.0):
    entries = [
        {
            "acceptanceTime": "2026-11-20T10:00:00.000Z",
            "answerContent": form,
            "submissionTime": "2026-11-20T10:00:40.500Z",
            "timeSpentInSeconds": seconds,
            "workerId": worker,
        }
        for worker, form in answers
    ]
    return {"answers": entries}


def score(responses, labels=None, truths=None):
    known = {image: Known(truth) for image, truth in (truths or {}).items()}
    return score_workers(responses, labels or {}, known, CLASSES, SKELETON)


def quality(form, label):
    return answer_quality(read_answer(form, CLASSES, SKELETON), label)


def test_a_job_is_scored_per_worker() -> None:
    responses = {
        "s3://b/1": response(("b", boxes(drawn())), ("a", boxes(drawn(), drawn("hand", 100, 100, 50, 50))), seconds=4),
        "s3://b/2": response(("b", boxes(cannot_judge=True)), ("a", {"annotatedResult": 7}), seconds=8),
        "s3://b/3": response(("b", boxes()), ("a", boxes(drawn())), seconds=6),
    }
    labels_of = {"s3://b/1": (HEAD,), "s3://b/2": (HEAD,)}
    truths = {"s3://b/1": (HEAD, HAND), "s3://b/3": ()}
    assert score(responses, labels_of, truths) == [
        WorkerScore("a", 3, 1, 0, 6.0, agreement=0.25, honeypots=2, honeypot_quality=0.5),
        WorkerScore("b", 3, 0, 1, 6.0, agreement=1.0, honeypots=2, honeypot_quality=0.75),
    ]
    assert score(dict(reversed(responses.items())), labels_of, truths) == score(responses, labels_of, truths)


def test_who_cannot_judge_a_honeypot_has_missed_it() -> None:
    blind = response(("a", boxes(cannot_judge=True)))
    for truth in ((HEAD,), "accept"):
        (one,) = score({"s3://b/1": blind, "s3://b/2": blind}, {"s3://b/1": truth}, {"s3://b/1": truth})
        assert (one.cannot_judge, one.agreement, one.honeypots, one.honeypot_quality) == (2, None, 1, 0)


def test_nothing_to_compare_with_is_no_score() -> None:
    (one,) = score({"s3://b/1": response(("a", boxes()))})
    assert (one.agreement, one.honeypots, one.honeypot_quality) == (None, 0, None)
    assert one.to_json() == {
        "worker": "a", "answers": 1, "refused": 0, "cannot-judge": 0, "seconds": 10.0,
        "agreement": None, "honeypots": 0, "honeypot-quality": None,
    }  # fmt: skip


def test_the_time_spent_is_measured_or_computed_or_unknown() -> None:
    document = response(("a", boxes()), ("b", boxes()), ("c", boxes()), ("d", boxes()))
    _, b, c, d = document["answers"]
    del b["timeSpentInSeconds"]
    del c["timeSpentInSeconds"], c["acceptanceTime"]
    d["timeSpentInSeconds"] = "long"
    assert [one.seconds for one in score({"i": document})] == [10.0, 40.5, None, None]


def test_boxes_are_measured_by_their_one_to_one_overlap() -> None:
    assert quality(boxes(drawn()), (HEAD,)) == 1
    assert quality(boxes(drawn()), (HEAD, HAND)) == 0.5
    assert quality(boxes(drawn("hand")), (HEAD,)) == 0
    assert quality(boxes(), ()) == 1 and quality(boxes(drawn()), ()) == 0


def test_people_are_measured_by_where_their_points_are_and_how_they_are_seen() -> None:
    truth, corners = (
        [person(5, 5, 60, 60, (10, 20), (50, 50, "occluded"))],
        (placed("top-left", 5, 5), placed("bottom-right", 65, 65)),
    )
    assert quality(key_points(*corners, placed(), placed("left eye (occluded)", 50, 50)), truth) == 1
    assert quality(key_points(*corners, placed(x=12), placed("left eye (occluded)", 50, 50)), truth) > 0.95
    assert quality(key_points(*corners, placed(), placed("left eye", 50, 50)), truth) == pytest.approx(2 / 3)
    assert quality(key_points(*corners, placed()), truth) == pytest.approx(2 / 3)
    assert quality(key_points(nothing_here=True), truth) == 0


def test_a_verdict_is_right_or_wrong_and_an_answer_to_another_task_is_wrong() -> None:
    assert quality(verdict(), "accept") == 1 and quality(verdict(), "reject") == 0
    assert quality(verdict(), (HEAD,)) == 0 and quality(boxes(drawn()), "accept") == 0
    assert quality(boxes(), [person(1, 1, 5, 5, (2, 2))]) == 0 and quality(key_points(), (HEAD,)) == 0
    assert answer_quality(None, (HEAD,)) == 0


def test_a_honeypot_measures_what_goes_beyond_an_answer_without_looking() -> None:
    assert [honeypot_quality(Choice(said), Known("accept")) for said in ("accept", "reject")] == [1, -1]
    assert honeypot_quality(None, Known("accept")) == honeypot_quality(CannotJudge(), Known("accept")) == 0
    shown = Marked("boxes", (Box("head", 10, 20, 15, 40),), 640, 480)
    known = Known((HEAD,), untouched=shown.marks)
    better, worse = (Marked("boxes", (Box("head", 10, 20, width, 40),), 640, 480) for width in (24, 6))
    assert [honeypot_quality(each, known) for each in (shown, better, worse)] == [0, pytest.approx(0.6), 0]
    assert honeypot_quality(Marked("boxes", (HEAD,), 640, 480), known) == 1
    assert honeypot_quality(shown, Known((HEAD,))) == 0.5, "nothing was shown"
    right = Marked("boxes", (HEAD,), 640, 480)
    assert [honeypot_quality(each, Known((HEAD,), untouched=right.marks)) for each in (right, shown)] == [1, 0.5]


@pytest.mark.parametrize("document", [{}, {"answers": 1}, {"answers": [1]}, {"answers": [{"answerContent": {}}]}])
def test_a_document_that_is_no_worker_response_is_refused(document) -> None:
    with pytest.raises(InvalidInputError, match="worker response for s3://b/1"):
        score({"s3://b/1": document})


@given(histories)
def test_reliability_is_a_weight_and_more_honeypots_move_it_further_from_a_strangers(history) -> None:
    assert 0 < reliability(history) <= 1
    assert reliability(History()) == UNKNOWN_RELIABILITY
    more = History(history.honeypots * 2 + 1, history.quality)
    assert abs(reliability(more) - history.quality) <= abs(reliability(history) - history.quality) + 1e-9


def test_f22_unreliable_is_who_fell_below_the_bound_often_enough() -> None:
    assert is_unreliable(History(5, 0.4), bound=0.5, minimum=5)
    assert not is_unreliable(History(4, 0.4), bound=0.5, minimum=5)
    assert not is_unreliable(History(50, 0.5), bound=0.5, minimum=5)
    assert not is_unreliable(History(), bound=0.5, minimum=1)
    assert reliability(History(20, 0.05)) < 0.2 < 0.7 < reliability(History(20, 0.75))


def test_recorded_worker_responses_are_scored() -> None:
    """Files of 2019: no times but that of the submission, and answers of another task, which all are refused."""
    folder = GROUND_TRUTH / "ic-birds-worker-responses/worker-response"
    if not folder.exists():
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    documents = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/*/*.json")}
    scores = score(documents)
    assert len(scores) == 97 and sum(one.answers for one in scores) == 5 * 302
    assert all(one.seconds is None and one.refused == one.answers for one in scores)
