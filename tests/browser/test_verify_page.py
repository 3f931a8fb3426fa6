"""Boxes accepted or rejected in Chromium."""

from __future__ import annotations

import pytest
from labelloop.tasks import people_labels
from painter import picture

BOXES = [{"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}]


@pytest.fixture
def task(portal) -> str:
    return portal.add_job("verify-boxes", [picture()], ["head"], BOXES, kind="verify", header="Is every box right?")[0]


@pytest.mark.parametrize(("key", "verdict"), [("1", "accept"), ("2", "reject")])
def test_a_key_gives_the_verdict(portal, open_task, task, key, verdict) -> None:
    painter = open_task(task)
    painter.press(key, "Enter")
    painter.page.wait_for_url(f"{portal.url}/")
    assert portal.answer(task) == {"verdict": {"label": verdict}, "note": ""}


def test_a_verdict_is_needed_and_can_be_clicked(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.submit()
    assert "accept (1) or reject (2)" in painter.message() and portal.posts == 0
    painter.page.get_by_role("button", name="reject").click()
    painter.page.get_by_label("What is wrong").fill("loose")
    painter.submit_and_leave()
    assert portal.answer(task) == {"verdict": {"label": "reject"}, "note": "loose"}


def test_the_boxes_can_be_looked_at_but_not_changed(open_task, task) -> None:
    painter = open_task(task)
    painter.click(130, 115)
    assert painter.selected() == "1: head, 60 × 70 at 100, 80"
    painter.drag((130, 115), (200, 200))
    painter.drag((300, 300), (400, 400))
    painter.press("Delete", "ArrowLeft", "n")
    assert painter.marks() == ["1: head, 60 × 70 at 100, 80"]


PEOPLE = [
    {"label": "nose", "x": 100, "y": 120},
    {"label": "left eye (occluded)", "x": 130, "y": 90},
    {"label": "top-left", "x": 60, "y": 60},
    {"label": "bottom-right", "x": 180, "y": 180},
    {"label": "nose #2", "x": 400, "y": 300},
]


def test_people_are_looked_at_one_by_one_and_judged(portal, open_task) -> None:
    labels = people_labels.offered(["nose", "left eye"], 2)
    task = portal.add_job("verify-key-points", [picture()], labels, PEOPLE, kind="verify")[0]
    painter = open_task(task)
    assert painter.people() == ["Person 1: 2 placed, box", "Person 2: 1 placed, 1 outside, no box"]
    painter.click(130, 90)
    assert painter.selected() == "2: left eye of person 1, occluded, at 130, 90"
    painter.press("p")
    assert painter.marks()[:2] == ["1: nose of person 2, visible, at 400, 300", "2: left eye of person 2, outside"]
    painter.drag((400, 300), (300, 200))
    painter.press("Delete", "a", "v", "ArrowLeft", "Shift+Delete")
    assert len(painter.people()) == 2 and "at 400, 300" in painter.marks()[0]
    painter.press("1")
    painter.submit_and_leave()
    assert portal.answer(task) == {"verdict": {"label": "accept"}, "note": ""}


def test_a_picture_without_people_is_judged(portal, open_task) -> None:
    labels = people_labels.offered(["nose", "left eye"], 2)
    task = portal.add_job("verify-key-points", [picture()], labels, [], kind="verify")[0]
    painter = open_task(task)
    assert painter.people() == [] and painter.marks() == []
    painter.press("Tab", "p", "2")
    painter.submit_and_leave()
    assert portal.answer(task)["verdict"] == {"label": "reject"}
