"""A new box inside of a box, the box below a box, and boxes that are there twice (K08)."""

from __future__ import annotations

import pytest
from hands import Hands
from painter import near, picture

OUTER = {"label": "head", "left": 100, "top": 80, "width": 400, "height": 300}
INNER = {"label": "bag", "left": 200, "top": 150, "width": 100, "height": 80}
INMOST = {"label": "head", "left": 230, "top": 170, "width": 30, "height": 30}


@pytest.fixture
def empty(portal, open_task):
    return open_task(portal.add_job("boxes", [picture()] * 2, ["head", "bag"])[0])


@pytest.fixture
def painter(portal, open_task):
    boxes = [OUTER, INNER, INMOST]
    return open_task(portal.add_job("boxes", [picture()] * 2, ["head", "bag"], boxes, kind="adjust")[0])


def drag_mouse(painter, start, end) -> None:
    painter.drag(start, end)


def drag_pen(painter, start, end) -> None:
    Hands(painter).pen_drag(start, end)


def drag_finger(painter, start, end) -> None:
    Hands(painter).finger(start, end)


DEVICES = pytest.mark.parametrize("drag", [drag_mouse, drag_pen, drag_finger], ids=["mouse", "pen", "finger"])


@pytest.mark.fault("K08")
@DEVICES
def test_a_box_is_drawn_inside_of_the_one_that_was_drawn_before(portal, empty, drag) -> None:
    drag(empty, (100, 80), (500, 380))
    drag(empty, (200, 150), (300, 230))
    drag(empty, (230, 170), (270, 210))
    boxes = [empty.box(index) for index in range(len(empty.marks()))]
    assert len(boxes) == 3
    assert near(boxes[0], 100, 80, 400, 300, 2) and near(boxes[1], 200, 150, 100, 80, 2)


@pytest.mark.fault("K08")
@DEVICES
def test_a_box_is_drawn_over_the_selected_one_while_draw_is_on(painter, drag) -> None:
    painter.click(120, 350)
    assert painter.selected() == painter.marks()[0]
    painter.page.get_by_role("button", name="Draw", exact=True).click()
    drag(painter, (350, 150), (400, 250))
    assert len(painter.marks()) == 4 and near(painter.box(0), 100, 80, 400, 300)
    painter.press("d")
    painter.click(120, 350)
    drag(painter, (420, 300), (430, 310))
    assert len(painter.marks()) == 4 and near(painter.box(0), 110, 90, 400, 300, 2)


@pytest.mark.fault("K08")
def test_a_finger_that_rests_draws_inside_of_the_selected_box(painter) -> None:
    hands = Hands(painter)
    hands.tap(120, 350)
    hands.finger((350, 150), (420, 250), rest_ms=700)
    assert len(painter.marks()) == 4 and near(painter.box(3), 350, 150, 70, 100, 2)
    assert near(painter.box(0), 100, 80, 400, 300)


def test_shift_draws_one_box_over_the_selected_one(painter) -> None:
    painter.click(120, 350)
    painter.page.keyboard.down("Shift")
    painter.drag((350, 150), (400, 250))
    painter.page.keyboard.up("Shift")
    assert len(painter.marks()) == 4


def test_a_box_that_was_clicked_is_moved_and_one_just_drawn_is_resized_at_its_handles(empty) -> None:
    empty.drag((100, 80), (300, 280))
    empty.drag((300, 280), (340, 320))
    assert near(empty.box(0), 100, 80, 240, 240) and len(empty.marks()) == 1
    empty.click(150, 150)
    empty.drag((150, 150), (170, 160))
    assert near(empty.box(0), 120, 90, 240, 240) and len(empty.marks()) == 1


@pytest.mark.fault("K08")
def test_a_box_may_begin_on_the_side_of_the_one_drawn_before(empty) -> None:
    empty.drag((100, 80), (500, 380))
    empty.drag((180, 80), (260, 180))
    assert len(empty.marks()) == 2 and near(empty.box(1), 180, 80, 80, 100)


@pytest.mark.fault("K08")
@pytest.mark.parametrize("device", ["mouse", "finger"])
def test_the_smallest_box_is_selected_first_and_the_ones_below_by_clicking_again(painter, device) -> None:
    click = painter.click if device == "mouse" else Hands(painter).tap
    chosen = []
    for _ in range(4):
        click(245, 185)
        chosen.append(painter.marks().index(painter.selected()))
    assert chosen == [2, 1, 0, 2]
    painter.press("Delete")
    assert len(painter.marks()) == 2


@pytest.mark.fault("K08")
def test_boxes_exactly_on_each_other_are_both_reached(portal, open_task) -> None:
    twins = [INNER, {**INNER, "label": "head"}]
    painter = open_task(portal.add_job("boxes", [picture()], ["head", "bag"], twins, kind="adjust")[0])
    chosen = set()
    for _ in range(2):
        painter.click(250, 190)
        chosen.add(painter.selected())
    assert chosen == set(painter.marks())


@pytest.mark.fault("K08")
@pytest.mark.parametrize("off", [(0, 0, 0, 0), (1, -1, 1, 1), (3, 2, -2, 1)], ids=["identical", "a pixel", "a tenth"])
def test_the_same_box_twice_is_told_before_it_is_submitted(portal, open_task, off) -> None:
    sides = ("left", "top", "width", "height")
    twin = {"label": "bag", **{side: INNER[side] + by for side, by in zip(sides, off, strict=True)}}
    task = portal.add_job("boxes", [picture()], ["head", "bag"], [INNER, OUTER, twin], kind="adjust")[0]
    painter = open_task(task)
    assert "3 is like 1" in painter.page.locator(".panel").inner_text()
    painter.submit()
    painter.page.wait_for_timeout(400)
    assert portal.posts == 0 and "3 like 1 (bag)" in painter.message()
    painter.page.locator(".message").get_by_role("button", name="Delete box 3").click()
    assert len(painter.marks()) == 2 and "is like" not in painter.page.locator(".panel").inner_text()
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == [INNER, OUTER]


@pytest.mark.fault("K08")
def test_one_place_with_two_labels_is_told_and_nothing_is_deleted_for_it(portal, open_task) -> None:
    other = {**INNER, "label": "head"}
    task = portal.add_job("boxes", [picture()], ["head", "bag"], [INNER, other], kind="adjust")[0]
    painter = open_task(task)
    painter.submit()
    painter.page.wait_for_timeout(400)
    assert portal.posts == 0 and "2 like 1 (head, not bag)" in painter.message()
    assert painter.page.locator(".message").get_by_role("button", name="Delete").count() == 0
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == [INNER, other]


@pytest.mark.fault("K08")
def test_of_a_row_of_boxes_that_overlap_each_other_only_twins_of_one_that_stays_are_deleted(portal, open_task) -> None:
    row = [{**INNER, "left": INNER["left"] + 5 * place, "width": 100} for place in range(3)]
    small = [{**INNER, "left": 20 + place, "top": 20, "width": 3, "height": 3} for place in range(5)]
    task = portal.add_job("boxes", [picture()], ["bag"], [*row, *small], kind="adjust")[0]
    painter = open_task(task)
    painter.submit()
    painter.page.wait_for_timeout(400)
    painter.page.locator(".message").get_by_role("button", name="Delete box 2").click()
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == [row[0], row[2], *small]


@pytest.mark.fault("K08")
def test_who_means_the_same_box_twice_submits_once_more(portal, open_task) -> None:
    task = portal.add_job("boxes", [picture()], ["bag"], [INNER, INNER], kind="adjust")[0]
    painter = open_task(task)
    painter.press("Enter", "Enter")
    painter.page.wait_for_timeout(400)
    assert portal.posts == 0, "a double press is one"
    painter.press("Enter")
    painter.page.wait_for_url(f"{portal.url}/")
    assert len(portal.answer(task)["annotatedResult"]["boundingBoxes"]) == 2


@pytest.mark.parametrize(
    "other",
    [{**INNER, "label": "head", "left": INNER["left"] + 3}, {**INNER, "left": 215}, {**INNER, "width": 80}, INMOST],
    ids=["other label nearby", "beside", "narrower", "inside"],
)
def test_boxes_that_differ_are_submitted_at_once(portal, open_task, other) -> None:
    task = portal.add_job("boxes", [picture()], ["head", "bag"], [INNER, other], kind="adjust")[0]
    open_task(task).submit_and_leave()
    assert portal.posts == 1


@pytest.mark.fault("K08")
def test_the_list_shows_and_deletes_a_twin_and_undo_brings_it_back(portal, open_task) -> None:
    task = portal.add_job("boxes", [picture()], ["bag"], [INNER, INNER, INNER], kind="adjust")[0]
    painter = open_task(task)
    notice = painter.page.locator(".notice")
    assert notice.locator("p").count() == 2
    notice.get_by_role("button", name="Show box 3").click()
    assert painter.selected() == painter.marks()[2]
    notice.get_by_role("button", name="Delete 3").click()
    assert notice.locator("p").count() == 1
    painter.press("u")
    assert notice.locator("p").count() == 2


def test_thousands_of_boxes_are_looked_through_at_once(portal, open_task) -> None:
    many = [
        {"label": "bag", "left": x * 8, "top": y * 8, "width": 7, "height": 7} for x in range(60) for y in range(50)
    ]
    task = portal.add_job("boxes", [picture()], ["bag"], [*many, many[0]], kind="adjust")[0]
    painter = open_task(task)
    took = painter.page.evaluate(
        "async () => { const { twinsIn } = await import('/static/twins.js');"
        " const { marks } = document.querySelector('crowd-bounding-box').state;"
        " const start = performance.now(); const found = twinsIn(marks).length;"
        " return [found, performance.now() - start]; }"
    )
    assert took[0] == 1 and took[1] < 500
