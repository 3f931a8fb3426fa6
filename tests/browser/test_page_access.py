"""Every action without a mouse, at 200 % zoom, with a screen reader, by touch (F32)."""

from __future__ import annotations

import pytest
from painter import Painter, near, picture

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
NAMES = ["nose", "nose (occluded)", "chin", "chin (occluded)"]
FOCUSABLE = {"button", "link", "checkbox", "textbox", "combobox", "spinbutton", "application", "dialog"}
MANY = 80


def tab_to(painter: Painter, name: str) -> None:
    """Moves the focus on with Tab until the control has it."""
    for _ in range(MANY):
        painter.press("Tab")
        text = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
        if painter.page.evaluate(text).strip() == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.fault("F32")
def test_boxes_with_the_keyboard_only(portal, open_task) -> None:
    task = portal.add_job("boxes", [picture()], ["head", "bag"])[0]
    painter = open_task(task)
    painter.press("b", "2", "Shift+ArrowLeft", "Control+ArrowRight", "b", "b", "Delete")
    tab_to(painter, "Submit and next")
    painter.press("Enter")
    painter.page.wait_for_url(f"{portal.url}/")
    first, second = portal.answer(task)["annotatedResult"]["boundingBoxes"]
    assert first["label"] == second["label"] == "bag"
    assert near(first, 246, 192, 129, 96) and near(second, 256, 192, 128, 96)


def test_key_points_with_the_keyboard_only(portal, open_task) -> None:
    task = portal.add_job("key-points", [picture()], NAMES)[0]
    painter = open_task(task)
    painter.press("b", "Shift+ArrowUp")
    tab_to(painter, "chin is not set: change to outside")
    painter.press("Enter")
    tab_to(painter, "Submit and next")
    painter.press("Enter")
    painter.page.wait_for_url(f"{portal.url}/")
    (point,) = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    assert point["label"] == "nose" and abs(point["x"] - 320) <= 1 and abs(point["y"] - 230) <= 1


def test_the_list_selects_what_has_the_focus(portal, open_task) -> None:
    bag = {**HEAD, "label": "bag", "left": 300}
    painter = open_task(portal.add_job("boxes", [picture()], ["head", "bag"], [HEAD, bag], kind="adjust")[0])
    tab_to(painter, "2: bag, 60 × 70 at 300, 80")
    painter.press("ArrowRight", "ArrowRight")
    assert painter.marks()[1] == "2: bag, 60 × 70 at 302, 80"
    focused = painter.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == painter.marks()[1], "the row keeps the focus while it changes"


@pytest.mark.parametrize("template", ["boxes", "key-points", "verify-boxes"])
def test_every_control_has_a_name_and_changes_are_announced(portal, context, open_task, template) -> None:
    labels, initial = (NAMES, []) if template == "key-points" else (["head"], [HEAD])
    painter = open_task(portal.add_job(template, [picture()], labels, initial)[0])
    painter.press("Tab" if initial else "b")
    nodes = context.new_cdp_session(painter.page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in FOCUSABLE]
    assert len(controls) > 8
    assert [node["role"]["value"] for node in controls if not node.get("name", {}).get("value", "").strip()] == []
    status = painter.page.locator(".strip [role=status]")
    assert ("head" if initial else "nose") in status.inner_text()
    assert painter.page.locator("[role=alert]").count() == 1


def test_the_focus_can_be_seen(portal, open_task) -> None:
    painter = open_task(portal.add_job("boxes", [picture()], ["head"], [HEAD])[0])
    tab_to(painter, "Zoom in")
    outline = painter.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_at_200_percent_nothing_is_cut_off(portal, new_context, open_task) -> None:
    enlarged = new_context(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    task = portal.add_job("boxes", [picture()], ["head", "bag"], seconds_left=300)[0]
    painter = open_task(task, enlarged)
    overflow = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    assert painter.page.evaluate(overflow) <= 0
    painter.drag((50, 60), (250, 260))
    assert near(painter.box(0), 50, 60, 200, 200, pixels=2)
    painter.page.get_by_label("Note").fill("seen")
    painter.submit_and_leave()
    assert portal.answer(task)["note"] == "seen"


def test_a_finger_draws_and_two_fingers_zoom(portal, new_context, open_task) -> None:
    tablet = new_context(has_touch=True)
    painter = open_task(portal.add_job("boxes", [picture()], ["head"])[0], tablet)
    session = tablet.new_cdp_session(painter.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    start, end = painter.at(100, 100), painter.at(200, 180)
    touch("touchStart", start)
    touch("touchMove", end)
    touch("touchEnd")
    assert near(painter.box(0), 100, 100, 100, 80, pixels=2)
    before = painter.view()["scale"]
    x, y = painter.at(320, 240)
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 80, y), (x + 80, y))
    touch("touchEnd")
    assert painter.view()["scale"] > 1.5 * before and len(painter.marks()) == 1
