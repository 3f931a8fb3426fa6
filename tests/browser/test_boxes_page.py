"""Boxes drawn, changed and submitted in Chromium; coordinates are pixels of the picture."""

from __future__ import annotations

import pytest
from painter import near, picture
from served_portal import wait_until

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
BAG = {"label": "bag", "left": 300, "top": 200, "width": 90, "height": 50}


def boxes(answer: dict) -> list[dict]:
    return answer["annotatedResult"]["boundingBoxes"]


@pytest.fixture
def task(portal) -> str:
    return portal.add_job("boxes", [picture()], ["head", "bag"])[0]


@pytest.fixture
def adjusted(portal) -> str:
    return portal.add_job("boxes", [picture()], ["head", "bag"], [HEAD, BAG], kind="adjust")[0]


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
    assert boxes(answer) == [HEAD, BAG] and answer["annotatedResult"]["initialValueModified"] is False


def test_a_proposal_outside_the_picture_is_not_silently_changed_but_refused_by_name(portal, open_task) -> None:
    odd = {"label": "head", "left": -1, "top": 470, "width": 700, "height": 11}
    task = portal.add_job("boxes", [picture()], ["head"], [odd], kind="adjust")[0]
    painter = open_task(task)
    painter.submit()
    painter.page.locator(".message:not(:empty)").wait_for()
    assert "boundingBoxes[0]" in painter.message() and "inside the image" in painter.message()
    assert portal.answer(task) is None and len(painter.marks()) == 1


def test_a_box_is_moved_resized_and_relabelled(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.click(130, 115)
    painter.drag((130, 115), (150, 135))
    painter.drag((180, 170), (200, 190))
    painter.press("2")
    painter.submit_and_leave()
    moved, other = boxes(portal.answer(adjusted))
    assert moved["label"] == "bag" and near(moved, 120, 100, 80, 90)
    assert other == BAG and portal.answer(adjusted)["annotatedResult"]["initialValueModified"] is True


@pytest.mark.parametrize(
    ("grip", "to", "left", "top", "width", "height"),
    [
        ((100, 80), (80, 60), 80, 60, 80, 90),
        ((130, 80), (130, 60), 100, 60, 60, 90),
        ((160, 115), (190, 115), 100, 80, 90, 70),
        ((100, 150), (90, 170), 90, 80, 70, 90),
        ((160, 115), (60, 115), 60, 80, 40, 70),  # pulled over the opposite side
    ],
)
def test_a_box_is_resized_at_every_kind_of_grip(open_task, adjusted, grip, to, left, top, width, height) -> None:
    painter = open_task(adjusted)
    painter.click(130, 115)
    painter.drag(grip, to)
    assert near(painter.box(0), left, top, width, height)


def test_a_box_is_deleted_and_undone(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.click(130, 115)
    painter.press("Delete")
    assert len(painter.marks()) == 1
    painter.press("u")
    assert len(painter.marks()) == 2
    painter.page.get_by_role("button", name="Delete bag, 90 × 50 at 300, 200").click()
    painter.submit_and_leave()
    assert boxes(portal.answer(adjusted)) == [HEAD]


def test_boxes_stay_inside_the_picture(open_task, task) -> None:
    painter = open_task(task)
    painter.drag((600, 440), (660, 500))
    assert near(painter.box(0), 600, 440, 40, 40)
    painter.click(620, 460)
    painter.drag((620, 460), (700, 520))
    assert near(painter.box(0), 600, 440, 40, 40)
    painter.drag((620, 460), (300, 200))
    painter.drag((300, 200), (-200, -200))
    assert near(painter.box(0), 0, 0, 40, 40)


def test_a_box_is_where_it_was_drawn_while_the_page_is_scrolled(portal, new_context, open_task, task) -> None:
    painter = open_task(task, new_context(viewport={"width": 640, "height": 400}))
    painter.page.get_by_label("Note").focus()
    painter.page.evaluate("scrollTo(0, 150)")
    top = painter.page.evaluate("scrollY")
    painter.drag((300, 300), (400, 380))
    assert top > 100 and painter.page.evaluate("scrollY") == top
    assert near(painter.box(0), 300, 300, 100, 80)


def test_a_click_makes_no_box(open_task, task) -> None:
    painter = open_task(task)
    painter.click(200, 200)
    assert painter.marks() == []
    painter.drag((200, 200), (201, 260))
    painter.drag((-20, 100), (-10, 200))
    assert all("0 ×" not in mark and "× 0" not in mark for mark in painter.marks()) and len(painter.marks()) <= 1


def test_a_box_is_drawn_inside_another(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.drag((110, 90), (130, 110))
    assert len(painter.marks()) == 3
    painter.press("Escape")
    painter.click(120, 100)
    assert painter.selected() == painter.marks()[2]
    painter.press("Escape")
    painter.click(150, 140)
    assert painter.selected() == painter.marks()[0]


def test_no_box_must_be_said_to_mean_nothing(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.submit()
    assert "Nothing here" in painter.message() and portal.posts == 0
    painter.page.get_by_role("checkbox", name="Nothing here").check()
    painter.submit_and_leave()
    assert boxes(portal.answer(task)) == []


def test_nothing_here_takes_the_boxes_away_and_undo_brings_them_back(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    nothing = painter.page.get_by_role("checkbox", name="Nothing here")
    painter.press("n")
    assert painter.marks() == [] and nothing.is_checked()
    painter.press("u")
    assert len(painter.marks()) == 2 and not nothing.is_checked()
    painter.press("n")
    painter.drag((400, 300), (450, 350))
    assert not nothing.is_checked(), "a box ends 'nothing here'"


def test_who_cannot_judge_may_submit_anything(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.page.get_by_role("checkbox", name="Cannot judge").check()
    painter.page.get_by_label("Note").fill('too dark "here"\nreally')
    painter.submit_and_leave()
    answer = portal.answer(task)
    assert answer["cannot-judge"] == {"cannot-judge": True} and answer["note"] == 'too dark "here"\nreally'


def test_the_time_spent_is_sent(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.page.wait_for_timeout(1500)
    painter.submit_and_leave()
    assert 1 <= portal.seconds(adjusted) < 60, "the desk would say an hour, for which the task was held"


def test_the_wheel_zooms_where_the_pointer_is_and_space_pans(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    before = painter.at(130, 115)
    painter.page.mouse.move(*before)
    painter.page.mouse.wheel(0, -400)
    wait_until(lambda: painter.view()["scale"] > 2, "zoomed in")
    assert all(abs(a - b) < 1 for a, b in zip(painter.at(130, 115), before, strict=True))
    painter.page.keyboard.down(" ")
    painter.drag_window(before, (before[0] + 50, before[1] + 30))
    painter.page.keyboard.up(" ")
    assert all(abs(a - b - by) < 1 for a, b, by in zip(painter.at(130, 115), before, (50, 30), strict=True))
    middle = painter.at(130, 115)
    painter.page.mouse.move(*middle)
    painter.page.mouse.down(button="middle")
    painter.page.mouse.move(middle[0] - 40, middle[1])
    painter.page.mouse.up(button="middle")
    assert abs(painter.at(130, 115)[0] - (middle[0] - 40)) < 1
    assert len(painter.marks()) == 2, "zooming and panning draw nothing"
