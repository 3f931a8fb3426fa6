"""Nothing is lost and nothing is stored twice: drafts, submits, tabs, connections, refusals (F26, F29, F34)."""

from __future__ import annotations

import pytest
from painter import Painter, picture
from served_portal import wait_until

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}

# A tenth of a second later, which a page without any pause has used to unlock itself.
CLICK_AS_SOON_AS_THE_PICTURE_IS_THERE = """
addEventListener("DOMContentLoaded", () => new MutationObserver((_, observer) => {
  if (!document.querySelector(".status")?.textContent.includes("pixels")) return;
  observer.disconnect();
  if (sessionStorage.clicked) return;
  setTimeout(() => {
    sessionStorage.clicked = "yes";
    document.querySelector("footer .primary").click();
    console.log("clicked again");
  }, 100);
}).observe(document.body, { subtree: true, childList: true }));
"""


@pytest.fixture
def tasks(portal) -> list[str]:
    return portal.add_job("boxes", [picture()] * 3, ["head", "bag"], [HEAD], kind="adjust")


def saved(portal, task: str) -> list[dict]:
    return portal.answer(task)["annotatedResult"]["boundingBoxes"]


def close(*painters: Painter) -> None:
    """One tab after the other, as a person closes them: the pages hear of it."""
    for painter in painters:
        with painter.page.expect_event("close"):
            painter.page.close(run_before_unload=True)


def until_told(painter: Painter, part: str) -> None:
    painter.page.locator(".message", has_text=part).wait_for()


def test_a_draft_survives_a_reload(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    painter.page.get_by_label("Note").fill("half done")
    painter.page.get_by_role("checkbox", name="Cannot judge").check()
    marks = painter.marks()
    painter.page.reload()
    painter.ready()
    assert painter.marks() == marks and len(marks) == 2
    assert painter.page.get_by_label("Note").input_value() == "half done"
    painter.submit_and_leave()
    answer = portal.answer(tasks[0])
    assert len(saved(portal, tasks[0])) == 2 and answer["cannot-judge"] == {"cannot-judge": True}


def test_outside_points_of_a_draft_survive_a_reload(portal, open_task) -> None:
    task = portal.add_job("key-points", [picture()], ["nose", "nose (occluded)", "chin", "chin (occluded)"])[0]
    painter = open_task(task)
    painter.press("2", "v")
    painter.page.reload()
    painter.ready()
    assert painter.marks() == ["1: nose, not set", "2: chin, outside"]


@pytest.mark.parametrize("damaged", ["{", "[]", '{"fields": {"annotatedResult": 7, "note": 3}}'])
def test_a_damaged_draft_is_left_aside(new_context, open_task, tasks, damaged) -> None:
    context = new_context()
    painter = open_task(tasks[0], context)
    context.add_init_script(f"Object.keys(localStorage).forEach(key => localStorage.setItem(key, {damaged!r}))")
    painter.page.reload()
    painter.ready()
    assert painter.marks() == ["1: head, 60 × 70 at 100, 80"]


@pytest.mark.fault("F29")
def test_a_double_click_on_submit_gives_one_answer(portal, open_task, tasks) -> None:
    """Whether the second click still meets the old page or the new one, as soon as its picture is there."""
    painter = open_task(tasks[0])
    painter.page.add_init_script(CLICK_AS_SOON_AS_THE_PICTURE_IS_THERE)
    with painter.page.expect_console_message(lambda message: message.text == "clicked again"):
        painter.page.get_by_role("button", name="Submit and next").dblclick()
        painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    painter.ready()
    assert portal.posts == 1 and portal.answer(tasks[1]) is None


def test_back_shows_what_was_stored(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    painter.submit_and_leave()
    painter.ready()
    painter.page.go_back()
    until_told(painter, "is done")
    assert len(painter.marks()) == 2
    painter.press("Enter", "n", "b")
    assert len(painter.marks()) == 2 and portal.posts == 1
    painter.page.get_by_role("button", name="Next picture").click()
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")


@pytest.mark.fault("F29")
def test_the_second_of_two_tabs_is_told_and_shows_what_was_stored(portal, open_task, tasks) -> None:
    first, second = open_task(tasks[0]), open_task(tasks[0])
    second.drag((300, 200), (380, 260))
    first.submit_and_leave()
    second.submit()
    until_told(second, "answered already")
    assert second.marks() == ["1: head, 60 × 70 at 100, 80"] and saved(portal, tasks[0]) == [HEAD]
    second.page.get_by_role("button", name="Next picture").click()
    second.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")


def test_a_tab_that_changed_nothing_leaves_the_draft_of_another_one(open_task, tasks) -> None:
    drawing, idle = open_task(tasks[0]), open_task(tasks[0])
    drawing.drag((300, 200), (380, 260))
    marks = drawing.marks()
    close(drawing, idle)
    assert len(marks) == 2 and open_task(tasks[0]).marks() == marks


def test_a_tab_leaves_the_answer_that_another_one_is_sending(portal, open_task, tasks) -> None:
    sending, other = open_task(tasks[0]), open_task(tasks[0])
    sending.page.route("**/answer", lambda route: route.abort())
    sending.drag((300, 200), (380, 260))
    sending.submit()
    until_told(sending, "Not saved yet")
    other.press("n")
    assert other.marks() == [] and "another tab" in other.page.locator(".saved").inner_text()
    close(sending, other)
    reopened = sending.page.context.new_page()
    reopened.goto(f"{portal.url}/tasks/{tasks[0]}")
    reopened.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert len(saved(portal, tasks[0])) == 2


def test_the_work_since_the_last_change_counts_after_a_reload(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.page.wait_for_timeout(2500)
    painter.page.reload()
    painter.ready()
    painter.submit_and_leave()
    assert 2 <= portal.seconds(tasks[0]) < 60


def test_an_answer_given_offline_is_sent_when_the_connection_is_back(portal, context, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    context.set_offline(True)
    painter.submit()
    until_told(painter, "Not saved yet")
    assert "Not saved yet" in painter.page.locator(".saved").inner_text() and portal.answer(tasks[0]) is None
    painter.press("n")
    context.set_offline(False)
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert len(saved(portal, tasks[0])) == 2 and portal.posts == 1


def test_an_unsent_answer_survives_a_reload_and_is_sent_by_itself(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    painter.page.route("**/answer", lambda route: route.abort())
    painter.submit()
    until_told(painter, "Not saved yet")
    painter.page.reload()
    until_told(painter, "Not saved yet")
    assert len(painter.marks()) == 2
    painter.page.unroute("**/answer")
    painter.page.get_by_role("button", name="Try now").click()
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert len(saved(portal, tasks[0])) == 2


@pytest.mark.fault("F34")
def test_a_lost_reply_is_asked_for_again_and_the_answer_stored_once(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    portal.lose_next_reply()
    painter.submit()
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert portal.posts == 2 and saved(portal, tasks[0]) == [HEAD]


def test_a_server_in_trouble_is_asked_again(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    portal.refuse_next(503)
    painter.submit()
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")
    assert saved(portal, tasks[0]) == [HEAD]


def test_a_refused_answer_can_be_corrected(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    portal.refuse_next(422, "boundingBoxes[0].width: <b>must</b> be at least 1")
    painter.submit()
    until_told(painter, "boundingBoxes[0].width: <b>must</b> be at least 1")
    painter.drag((300, 200), (380, 260))
    painter.submit_and_leave()
    assert len(saved(portal, tasks[0])) == 2


def test_an_expired_task_is_explained(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    portal.expire(tasks[0])
    painter.submit()
    until_told(painter, "time for this picture is over")
    painter.page.get_by_role("button", name="Next picture").click()
    painter.page.wait_for_url(f"{portal.url}/tasks/{tasks[1]}")


def test_an_answer_that_came_too_late_is_not_sent_again_unseen(portal, open_task) -> None:
    (task,) = portal.add_job("boxes", [picture()], ["head"])
    painter = open_task(task)
    painter.drag((300, 200), (380, 260))
    marks = painter.marks()
    portal.expire(task)
    painter.submit()
    until_told(painter, "Your marks are kept")
    with painter.page.expect_navigation(url=f"{portal.url}/tasks/{task}"):
        painter.page.get_by_role("button", name="Next picture").click()
    painter.ready()
    assert painter.marks() == marks and portal.answer(task) is None and portal.posts == 1
    painter.submit_and_leave()
    assert len(saved(portal, task)) == 1


def test_an_answer_changed_after_an_unheard_one_does_not_pass_for_it(portal, context, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    answers: list[str] = []

    def store_and_say_that_the_session_has_ended(route) -> None:
        answers.append(route.fetch().text())
        route.fulfill(status=403, json={})

    painter.page.route("**/answer", store_and_say_that_the_session_has_ended, times=1)
    painter.submit()
    until_told(painter, "session has ended")
    painter.drag((300, 200), (380, 260))
    painter.submit()
    until_told(painter, "answered already")
    assert "stored" in answers[0] and saved(portal, tasks[0]) == [HEAD] and len(painter.marks()) == 1


def test_an_ended_session_keeps_the_marks(portal, context, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    context.clear_cookies()
    painter.submit()
    until_told(painter, "session has ended")
    context.request.get(f"{portal.url}/?token={portal.token}")
    painter.page.reload()
    painter.ready()
    assert len(painter.marks()) == 2


def test_a_session_that_ends_while_the_page_opens_keeps_nobody_there(portal, context, tasks) -> None:
    page = context.new_page()
    page.route("**/api/tasks/*", lambda route: route.fulfill(status=403, json={}))
    page.goto(f"{portal.url}/tasks/{tasks[0]}")
    page.locator(".message", has_text="session has ended").wait_for()
    page.get_by_role("button", name="Give back").click()
    page.wait_for_url(f"{portal.url}/")
    assert portal.released == [tasks[0]]


@pytest.mark.fault("F26")
def test_an_expired_image_address_is_renewed_and_the_draft_kept(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.drag((300, 200), (380, 260))
    expired: list[str] = []

    def expire_the_first(route) -> None:
        if expired:
            return route.continue_()
        expired.append(route.request.url)
        return route.fulfill(status=410)

    painter.page.route("**/images/*", expire_the_first)
    painter.page.reload()
    painter.ready()
    assert expired and len(painter.marks()) == 2
    painter.submit_and_leave()
    assert len(saved(portal, tasks[0])) == 2


def test_the_time_left_counts_down(portal, open_task) -> None:
    task = portal.add_job("boxes", [picture()], ["head"], seconds_left=3700)[0]
    painter = open_task(task)
    shown = painter.page.locator(".time")
    assert shown.inner_text().startswith("1:01:")
    before = shown.inner_text()
    wait_until(lambda: shown.inner_text() < before, "the clock moves")
    assert painter.page.locator(".progress").inner_text() == "1 of 1"


def test_a_picture_is_given_back(portal, open_task, tasks) -> None:
    painter = open_task(tasks[0])
    painter.page.get_by_role("button", name="Give back").click()
    painter.page.wait_for_url(f"{portal.url}/")
    assert portal.released == [tasks[0]] and portal.answer(tasks[0]) is None
