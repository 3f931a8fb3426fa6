"""The list of jobs in Chromium."""

from __future__ import annotations

import re

import pytest
from painter import picture
from served_portal import wait_until


@pytest.fixture
def page(portal, context):
    return context.new_page()


def test_jobs_are_listed_and_lead_to_a_picture(portal, page) -> None:
    first, second = portal.add_job("boxes", [picture()] * 2, ["head"], seconds_left=600)
    portal.submit_elsewhere(first, {})
    page.goto(portal.url)
    card = page.get_by_role("listitem")
    told = card.inner_text()
    assert "1 of 2 pictures done" in told and re.search("(10:00|9:5[0-9]) left", told) and "about 0:12 of work" in told
    card.get_by_role("button", name="Go on labelling").click()
    page.wait_for_url(f"{portal.url}/tasks/{second}")


def test_the_others_do_the_rest_only_when_asked_twice(portal, page) -> None:
    portal.add_job("boxes", [picture()] * 3, ["head"])
    page.goto(portal.url)
    page.get_by_role("button", name="Let the others do the rest").click()
    page.keyboard.press("Escape")
    assert portal.desk.counts()["job-1"]["open"] == 3
    page.get_by_role("button", name="Let the others do the rest").click()
    page.get_by_role("button", name="Let them").click()
    page.get_by_text("3 pictures of").wait_for()


def test_what_came_of_a_click_stays_while_the_page_keeps_looking(portal, page) -> None:
    portal.add_job("boxes", [picture()] * 3, ["head"], held=False)
    page.goto(portal.url)
    page.get_by_role("button", name="Let the others do the rest").click()
    page.get_by_role("button", name="Let them").click()
    told = page.get_by_text("3 pictures of")
    told.wait_for()
    look_again(page)
    assert told.is_visible() and "completed" in page.get_by_role("listitem").inner_text()


def test_a_refused_hand_over_is_told(portal, context, page) -> None:
    portal.add_job("boxes", [picture()], ["head"])
    page.goto(portal.url)
    page.get_by_role("button", name="Let the others do the rest").click()
    context.clear_cookies()
    page.get_by_role("button", name="Let them").click()
    page.locator("#outcome", has_text="Ask the test.").wait_for()
    assert portal.desk.counts()["job-1"]["open"] == 1


def test_that_no_picture_waits_stays_while_the_page_keeps_looking(portal, page) -> None:
    (task,) = portal.add_job("boxes", [picture()], ["head"], held=False)
    page.goto(portal.url)
    page.get_by_role("button", name="Label", exact=True).wait_for()
    assert portal.desk.next("job-1", "somebody else") == task
    page.get_by_role("button", name="Label", exact=True).click()
    told = page.get_by_text("No picture of this job waits for you now.")
    told.wait_for()
    look_again(page)
    assert told.is_visible()


def look_again(page) -> None:
    """Until the list was asked for once more and has been shown: the second look begins after that."""
    for _ in range(2):
        with page.expect_response("**/api/jobs"):
            pass


def test_no_job_and_no_connection_are_told(portal, context, page) -> None:
    page.goto(portal.url)
    page.get_by_text("No job is open").wait_for()
    (task,) = portal.add_job("boxes", [picture()], ["head"], held=False)
    label = page.get_by_role("button", name="Label", exact=True)
    label.wait_for()
    context.set_offline(True)
    page.get_by_text("cannot be reached").wait_for()
    context.set_offline(False)
    wait_until(lambda: not page.get_by_text("cannot be reached").is_visible(), "the list is there again")
    label.click()
    page.wait_for_url(f"{portal.url}/tasks/{task}")
