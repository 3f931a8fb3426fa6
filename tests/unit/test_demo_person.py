"""HUMAN=1: the person is told what waits and where, once per job, and nobody is waited for for ever."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from demo import person as module
from demo.follow import View
from demo.person import Person, Waiting
from demo.progress import Story
from demo.screen import panel
from local import stack

NONE = {"asked": 0, "answered": 0, "open": 0, "handed_over": 0, "expired": 0, "stopped": 0, "seconds_left": 0.0}


def job(**counts):
    return {**NONE, **counts}


@pytest.fixture
def aws(monkeypatch):
    """An embedded AWS whose desk a test lays out; `asked` of it so far."""
    desk, asked = {}, []

    def control(server, method, name, document=None):
        asked.append((method, name, document))
        return {"desk": desk}

    links = iter(f"http://127.0.0.1:5000/?token={number}" for number in range(9))
    monkeypatch.setattr(stack, "control", control)
    monkeypatch.setattr(module.stack, "portal_link", lambda server: next(links))
    return desk, asked


@pytest.fixture
def server(tmp_path):
    return stack.Server("http://127.0.0.1:1", 1, tmp_path)


def test_a_person_arrives_with_a_share_of_every_job(aws, server):
    Person(server, 5).arrive()
    assert aws[1] == [("PUT", "people", {"person": True, "share": 5})]


def test_every_job_that_waits_is_told_once_with_its_link(aws, server):
    desk, _ = aws
    person = Person(server)
    assert person.look() == (None, [])
    desk["one"] = job(asked=12, open=12, seconds_left=900.0)
    waiting, told = person.look()
    assert waiting == Waiting("one", 12, 12, 900.0, "http://127.0.0.1:5000/?token=0")
    assert "12 images of one wait for you, for 15 minutes at most" in told[0]
    assert told[1] == "http://127.0.0.1:5000/?token=0"
    desk["one"] = job(asked=12, answered=4, open=8, seconds_left=500.0)
    waiting, told = person.look()
    assert (waiting.open, waiting.link, told) == (8, "http://127.0.0.1:5000/?token=0", [])
    desk["one"], desk["two"] = job(asked=12, answered=12), job(asked=3, open=3)
    assert person.look()[0].link == "http://127.0.0.1:5000/?token=1"
    desk["two"] = job(asked=3, handed_over=3)
    assert person.look() == (None, [])
    assert person.work() == {"asked": 15, "answered": 12, "handed_over": 3, "expired": 0, "stopped": 0}


@pytest.mark.parametrize("late", ["expired", "stopped"])
def test_when_nobody_came_to_the_first_job_nobody_is_waited_for_again(aws, server, late):
    desk, asked = aws
    person = Person(server)
    desk |= {"one": job(asked=12, **{late: 12}), "two": job(asked=12, open=12, seconds_left=900.0)}
    waiting, told = person.look()
    assert waiting is None and told == ["nobody came to the labelling portal: the simulated annotators do the rest"]
    assert ("PUT", "people", {}) in asked
    assert person.look() == (None, [])


def test_a_person_who_was_only_slow_is_waited_for(aws, server):
    desk, asked = aws
    desk |= {"one": job(asked=12, answered=1, stopped=11), "two": job(asked=11, open=11, seconds_left=900.0)}
    waiting, _ = Person(server).look()
    assert waiting.job == "two" and ("PUT", "people", {}) not in asked


def test_the_live_screen_shows_what_waits_and_the_whole_address():
    link = "http://127.0.0.1:5000/?token=" + "x" * 70
    view = View("RUNNING", Story(batch_id="b"), waiting=Waiting("one", 12, 8, 500.0, link))
    console = Console(file=io.StringIO(), width=80)
    console.print(panel(view, datetime.now(UTC)))
    shown = console.file.getvalue()
    assert "8 of 12 images wait for you, 500 s left:" in shown
    assert link in shown.replace("\n", "").replace(" ", "")
