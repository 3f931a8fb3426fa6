"""Key points placed, seen, hidden and left out in Chromium; coordinates are pixels of the picture."""

from __future__ import annotations

import pytest
from painter import picture

NAMES = ["nose", "left eye", "right eye"]
LABELS = [label for name in NAMES for label in (name, f"{name} (occluded)")]
PROPOSED = [{"label": "nose", "x": 200, "y": 150}, {"label": "left eye (occluded)", "x": 260, "y": 120}]


def points(answer: dict) -> dict[str, tuple[int, int]]:
    return {point["label"]: (point["x"], point["y"]) for point in answer["annotatedKeyPoints"]["keypoints"]}


@pytest.fixture
def task(portal) -> str:
    return portal.add_job("key-points", [picture()], LABELS, header="Place the points")[0]


@pytest.fixture
def adjusted(portal) -> str:
    return portal.add_job("key-points", [picture()], LABELS, PROPOSED, kind="adjust")[0]


def test_points_are_placed_one_after_the_other(portal, open_task, task) -> None:
    painter = open_task(task)
    for x, y in ((100, 120), (140, 100), (105, 90)):
        painter.click(x, y)
    painter.submit_and_leave()
    answer = portal.answer(task)
    assert points(answer) == {"nose": (100, 120), "left eye": (140, 100), "right eye": (105, 90)}
    assert answer["annotatedKeyPoints"]["inputImageProperties"] == {"height": 480, "width": 640}
    assert answer["nothing-here"] == {"nothing-here": False} and answer["note"] == ""


def test_an_untouched_proposal_comes_back_as_it_was(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    assert painter.marks()[2] == "3: right eye, outside"
    painter.submit_and_leave()
    assert portal.answer(adjusted)["annotatedKeyPoints"]["keypoints"] == PROPOSED


def test_v_goes_through_visible_occluded_and_outside(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.click(100, 120)
    assert "visible" in painter.marks()[0]
    painter.press("v")
    assert "occluded" in painter.marks()[0]
    painter.press("2", "v", "3", "v")
    assert [mark.split(", ")[1] for mark in painter.marks()] == ["occluded", "outside", "outside"]
    painter.submit_and_leave()
    assert points(portal.answer(task)) == {"nose (occluded)": (100, 120)}


def test_a_point_set_outside_by_mistake_returns_to_its_place(open_task, task) -> None:
    painter = open_task(task)
    painter.click(100, 120)
    painter.press("v", "v")
    assert painter.marks()[0] == "1: nose, outside"
    painter.press("v")
    assert painter.marks()[0] == "1: nose, visible, at 100, 120"


def test_the_list_button_changes_visibility(open_task, task) -> None:
    painter = open_task(task)
    painter.page.get_by_role("button", name="left eye is not set: change to outside").click()
    assert painter.marks()[1] == "2: left eye, outside"


def test_points_are_dragged_nudged_and_deleted(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.drag((200, 150), (220, 170))
    painter.press("ArrowLeft", "Shift+ArrowDown")
    painter.press("2", "Delete")
    assert painter.marks()[:2] == ["1: nose, visible, at 219, 180", "2: left eye, not set"]
    painter.submit()
    assert "left eye" in painter.message() and portal.posts == 0
    painter.click(50, 60)
    painter.submit_and_leave()
    assert points(portal.answer(adjusted)) == {"nose": (219, 180), "left eye": (50, 60)}


def test_undecided_points_must_be_decided(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.click(100, 120)
    painter.submit()
    assert "left eye, right eye" in painter.message() and portal.posts == 0


def test_all_points_outside_must_be_said_to_mean_nothing(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.press("v", "2", "v", "3", "v")
    painter.submit()
    assert "Nothing here" in painter.message() and portal.posts == 0
    painter.page.get_by_role("checkbox", name="Nothing here").check()
    painter.submit_and_leave()
    answer = portal.answer(task)
    assert points(answer) == {} and answer["nothing-here"] == {"nothing-here": True}


def test_nothing_here_and_points_exclude_each_other(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    nothing = painter.page.get_by_role("checkbox", name="Nothing here")
    painter.press("n")
    assert nothing.is_checked() and all("outside" in mark for mark in painter.marks())
    painter.press("1", "v")
    assert not nothing.is_checked() and "visible" in painter.marks()[0]


def test_a_chosen_point_is_placed_however_close_another_one_is(open_task, task) -> None:
    painter = open_task(task)
    painter.click(100, 120)
    painter.press("3")
    painter.click(103, 120)
    assert painter.marks()[0::2] == ["1: nose, visible, at 100, 120", "3: right eye, visible, at 103, 120"]


def test_points_stay_inside_the_picture(open_task, task) -> None:
    painter = open_task(task)
    painter.click(645, 485)
    assert painter.marks()[0] == "1: nose, visible, at 640, 480"
    painter.press("ArrowRight", "ArrowDown")
    assert painter.marks()[0] == "1: nose, visible, at 640, 480"


def test_a_point_proposed_on_the_edge_stays_there_when_it_changes_its_visibility(portal, open_task) -> None:
    at_the_edge = [{"label": "nose", "x": 640, "y": 480}, PROPOSED[1]]
    task = portal.add_job("key-points", [picture()], LABELS, at_the_edge, kind="adjust")[0]
    painter = open_task(task)
    painter.press("1", "v")
    painter.submit_and_leave()
    assert points(portal.answer(task)) == {"nose (occluded)": (640, 480), "left eye (occluded)": (260, 120)}
