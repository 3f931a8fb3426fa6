"""A picture that the browser cannot show traps nobody."""

from __future__ import annotations

import pytest
from painter import picture
from served_portal import wait_until

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
NO_PICTURE = b"neither PNG nor JPEG"


@pytest.fixture
def tasks(portal) -> list[str]:
    """Nobody holds them; the first picture cannot be shown."""
    return portal.add_job("boxes", [NO_PICTURE, picture()], ["head"], [HEAD], kind="adjust", held=False)


@pytest.fixture
def page(portal, context, tasks):
    page = context.new_page()
    page.goto(portal.url)
    page.get_by_role("button", name="Label", exact=True).click()
    page.wait_for_url(f"{portal.url}/tasks/{tasks[0]}")
    return page


def test_it_is_given_back_and_the_next_one_follows(portal, page, tasks) -> None:
    page.get_by_role("button", name="Give back").click()
    page.wait_for_url(f"{portal.url}/")
    page.get_by_role("button", name="Label", exact=True).click()
    page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert portal.released == [tasks[0]]


def test_cannot_judge_can_be_said_of_it_and_nothing_else(portal, page, tasks) -> None:
    page.locator(".message", has_text="The picture cannot be shown").wait_for()
    page.keyboard.press("n")
    page.get_by_role("button", name="Submit and next").click()
    page.locator(".message", has_text="Only “Cannot judge” can be submitted").wait_for()
    assert portal.posts == 0 and page.locator(".marks li").count() == 1, "marks on an unseen picture stay as they were"
    page.get_by_role("checkbox", name="Cannot judge").check()
    page.get_by_label("Note").fill("broken file")
    page.get_by_role("button", name="Submit and next").click()
    page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    answer = portal.answer(tasks[0])
    assert answer == {"cannot-judge": {"cannot-judge": True}, "note": "broken file"}


def test_it_can_be_labelled_as_soon_as_it_appears(portal, context, open_task) -> None:
    (task,) = portal.add_job("boxes", [picture()], ["head"])
    page = context.new_page()
    page.route("**/images/*", lambda route: route.fulfill(status=502))
    page.goto(f"{portal.url}/tasks/{task}")
    message = page.locator(".message", has_text="The picture cannot be shown")
    message.wait_for()
    page.unroute("**/images/*")
    page.wait_for_selector(".canvas[data-scale]")
    wait_until(lambda: not message.is_visible(), "the message is taken back")
    page.keyboard.press("b")
    wait_until(lambda: page.locator(".marks li").count() == 1, "a box is drawn")
    page.get_by_role("button", name="Submit and next").click()
    page.wait_for_url(f"{portal.url}/")
    assert len(portal.answer(task)["annotatedResult"]["boundingBoxes"]) == 1


def test_a_verdict_needs_the_picture(portal, context) -> None:
    (task,) = portal.add_job("verify-boxes", [NO_PICTURE], ["head"], [HEAD], kind="verify")
    page = context.new_page()
    page.goto(f"{portal.url}/tasks/{task}")
    page.locator(".message", has_text="Give it back").wait_for()
    page.keyboard.press("1")
    page.get_by_role("button", name="Submit and next").click()
    assert "Give it back" in page.locator(".message").inner_text() and portal.posts == 0
    page.get_by_role("button", name="Give back").click()
    page.wait_for_url(f"{portal.url}/")
    assert portal.released == [task]
