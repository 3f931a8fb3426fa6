"""Boxes drawn, changed and submitted in Chromium; coordinates are pixels of the picture."""

from __future__ import annotations

import pytest
from painter import picture

HEADS = [
    {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70},
    {"label": "bag", "left": 300, "top": 200, "width": 90, "height": 50},
]


def boxes(answer: dict) -> list[dict]:
    return answer["annotatedResult"]["boundingBoxes"]


def near(box: dict, left: float, top: float, width: float, height: float, pixels: float = 1.0) -> bool:
    wanted = {"left": left, "top": top, "width": width, "height": height}
    return all(abs(box[side] - value) <= pixels for side, value in wanted.items())


@pytest.fixture
def task(portal) -> str:
    return portal.add_job("boxes", [picture()], ["head", "bag"])[0]


@pytest.fixture
def adjusted(portal) -> str:
    return portal.add_job("boxes", [picture()], ["head", "bag"], HEADS, kind="adjust")[0]


def test_a_box_is_drawn_and_submitted(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.drag((50, 60), (150, 140))
    painter.submit_and_leave()
    answer = portal.answer(task)
    (box,) = boxes(answer)
    assert box["label"] == "head" and near(box, 50, 60, 100, 80)
    assert all(isinstance(box[side], int) for side in ("left", "top", "width", "height"))
    assert answer["annotatedResult"]["inputImageProperties"] == {"height": 480, "width": 640}
    assert answer["cannot-judge"] == {"cannot-judge": False} and answer["note"] == ""
    assert "initialValueModified" not in answer["annotatedResult"]


def test_an_untouched_proposal_comes_back_as_it_was(portal, open_task, adjusted) -> None:
    open_task(adjusted).submit_and_leave()
    answer = portal.answer(adjusted)
    assert boxes(answer) == HEADS and answer["annotatedResult"]["initialValueModified"] is False


def test_a_box_is_moved_resized_and_relabelled(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.click(130, 115)
    painter.drag((130, 115), (150, 135))
    painter.drag((180, 170), (200, 190))
    painter.press("2")
    painter.submit_and_leave()
    moved, other = boxes(portal.answer(adjusted))
    assert moved["label"] == "bag" and near(moved, 120, 100, 80, 90)
    assert other == HEADS[1] and portal.answer(adjusted)["annotatedResult"]["initialValueModified"] is True


def test_a_box_is_deleted_and_undone(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.click(130, 115)
    painter.press("Delete")
    assert len(painter.marks()) == 1
    painter.press("u")
    assert len(painter.marks()) == 2
    painter.page.get_by_role("button", name="Delete bag, 90 × 50 at 300, 200").click()
    painter.submit_and_leave()
    assert boxes(portal.answer(adjusted)) == HEADS[:1]
