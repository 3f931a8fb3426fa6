"""Two tabs, two clicks, two people at the same moment: one of them is first, and the other is told so."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from portal_visitor import Place, boxes

from portal.server.desk import HANDED_OVER, AnsweredAlready, TaskGone

ROUNDS, AT_ONCE = 40, 8


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def together(*works):
    """What each of them came to, a value or its exception; they start at the same moment."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_one_link_makes_one_session_however_many_open_it_at_once(place) -> None:
    for _ in range(ROUNDS):
        sessions = together(*[partial(place.access.redeem, place.token())] * AT_ONCE)
        assert sum(session is not None for session in sessions) == 1


def test_a_free_task_is_held_by_one_person(place) -> None:
    for number in range(ROUNDS):
        tasks = place.job(f"job-{number}", count=3)
        got = together(*(partial(place.desk.next, f"job-{number}", f"worker-{each}") for each in range(AT_ONCE)))
        assert sorted(task for task in got if task) == sorted(tasks) and got.count(None) == 5


def test_of_two_answers_the_first_counts_and_the_other_sees_it(place) -> None:
    for number in range(ROUNDS):
        (task,) = place.job(f"job-{number}", count=1)
        place.desk.next(f"job-{number}", "me")
        came_to = together(
            *(partial(place.desk.submit, task, "me", {"answer": each}, f"draft-{each}", 1.0) for each in range(AT_ONCE))
        )
        lost = [each for each in came_to if isinstance(each, AnsweredAlready)]
        assert came_to.count(None) == 1 and len(lost) == AT_ONCE - 1
        stored = place.desk.look(task, "me")["answer"]
        assert all(each.content == stored for each in lost)


def test_the_same_submission_twice_is_one_answer(place) -> None:
    for number in range(ROUNDS):
        (task,) = place.job(f"job-{number}", count=1)
        place.desk.next(f"job-{number}", "me")
        submit = partial(place.desk.submit, task, "me", {"answer": 1}, "draft", 1.0)
        assert together(*[submit] * AT_ONCE) == [None] * AT_ONCE


def test_an_answer_and_the_hand_over_of_its_job_leave_one_of_both(place) -> None:
    for number in range(ROUNDS):
        name = f"job-{number}"
        (task,) = place.job(name, count=1)
        place.desk.next(name, "me")
        answered, closed = together(
            partial(place.desk.submit, task, "me", {"answer": 1}, "draft", 1.0),
            partial(place.desk.close, name, HANDED_OVER),
        )
        counts = place.desk.counts()[name]
        assert (counts["answered"], counts["handed_over"]) in ((1, 0), (0, 1))
        assert (answered is None) == (counts["answered"] == 1) == (closed == 0)
        assert answered is None or isinstance(answered, TaskGone)


def test_two_requests_with_one_answer_are_told_the_same(place) -> None:
    for number in range(10):
        (task, other) = place.job(f"job-{number}")
        visitor = place.visitor()
        visitor.post(f"/api/jobs/job-{number}/next")
        document = {"answer": boxes(("head", 1, 2, 30, 40)), "submission": "draft", "seconds": 1}
        answers = together(*[partial(visitor.post, f"/api/tasks/{task}/answer", document)] * 4)
        assert {(each.status, each.json["next"]) for each in answers} == {(200, other)}
