"""Boxes accepted or rejected in Chromium."""

from __future__ import annotations

import pytest
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
