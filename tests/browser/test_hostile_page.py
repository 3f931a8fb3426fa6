"""Labels, keys and instructions that try to break out of the page stay text (F16, F17)."""

from __future__ import annotations

import pytest
from painter import picture

SCRIPT = "Head'><script>alert(1)</script>"
BREAKOUT = 's3://bucket/x" onerror="alert(1).png'


@pytest.mark.fault("F16")
def test_a_label_with_a_script_is_shown_as_text_and_kept_exactly(portal, open_task) -> None:
    initial = [{"label": SCRIPT, "left": 10, "top": 20, "width": 30, "height": 40}]
    task = portal.add_job("boxes", [picture()], [SCRIPT, '"><img src=x onerror=alert(1)>'], initial, kind="adjust")[0]
    painter = open_task(task)
    assert painter.page.locator(".chip .name").first.inner_text() == SCRIPT
    assert SCRIPT in painter.marks()[0]
    assert painter.page.locator(".panel img, .panel script, .bar script").count() == 0
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == initial


def test_a_key_point_name_with_a_script_is_text(portal, open_task) -> None:
    task = portal.add_job("key-points", [picture()], [SCRIPT, f"{SCRIPT} (occluded)"])[0]
    painter = open_task(task)
    painter.click(100, 100)
    painter.press("v")
    painter.submit_and_leave()
    (point,) = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    assert point["label"] == f"{SCRIPT} (occluded)"


@pytest.mark.fault("F17")
def test_an_object_key_header_or_instruction_breaks_no_attribute(portal, open_task) -> None:
    evil = '"><script>alert(1)</script>\nSecond line {{ 7 | times: 7 }}'
    task = portal.add_job("boxes", [picture()], ["head"], key=BREAKOUT, header=evil, instructions=evil)[0]
    painter = open_task(task)
    assert painter.page.locator("[onerror]").count() == 0
    assert painter.page.locator("h1").inner_text().startswith('"><script>')
    assert painter.page.locator(".panel .task-instructions").inner_text() == evil
    painter.page.get_by_role("button", name="Instructions").click()
    assert evil.splitlines()[0] in painter.page.get_by_role("dialog").inner_text()


def test_no_instructions_leave_no_empty_paragraph(portal, open_task) -> None:
    painter = open_task(portal.add_job("boxes", [picture()], ["head"])[0])
    assert painter.page.locator(".task-instructions").count() == 0


def test_a_job_title_with_markup_is_text(portal, context) -> None:
    portal.add_job("boxes", [picture()], ["head"], header=SCRIPT)
    page = context.new_page()
    page.goto(portal.url)
    assert page.get_by_role("heading", name=SCRIPT).inner_text() == SCRIPT
