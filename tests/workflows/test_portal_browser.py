"""By hand, in a real browser, on the deployed stack: from the printed link to the merged manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from loop import Loop
from test_labeling_jobs import EVERY_FUNCTION
from test_portal_labeling import COUNT, begin, responses

from local import stack
from portal.server.desk import PERSON
from tests.browser.painter import Painter, near
from tests.support.pictures import KEY_POINTS

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
KONVA = stack.REPO_ROOT / "portal" / "page" / "node_modules" / "konva" / "konva.min.js"
SHARE = 2

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and KONVA.exists()) and not os.environ.get("CI"), reason="needs Chromium and, from make setup, Konva"
)


@pytest.fixture(autouse=True)
def person_labels(loop: Loop) -> Iterator[None]:
    loop.control("PUT", "people", {"person": True, "share": SHARE})
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield
    loop.control("PUT", "people", {})


@pytest.fixture
def page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None
        )
        yield page
        browser.close()
    assert complaints == []


def test_boxes_drawn_by_hand_are_labels_in_the_merged_manifest(loop: Loop, page: Any) -> None:
    first = begin_in_browser(loop, page, "boxes in a browser")
    first.drag((6, 8), (26, 38))
    first.press("Escape")
    first.drag((36, 10), (56, 22))
    first.submit_and_leave()
    leave_the_rest_to_others(page)
    run = loop.wait("boxes in a browser")
    loop.assert_sound(run)
    assert loop.summary(run.batch)["human"] == COUNT
    (given,) = [each for each in responses(loop, run) if each["workerId"] == PERSON]
    drawn = given["answerContent"]["annotatedResult"]["boundingBoxes"]
    assert near(drawn[0], 6, 8, 20, 30) and near(drawn[1], 36, 10, 20, 12)
    wanted = [{side: box[side] for side in ("left", "top", "width", "height")} for box in drawn]
    merged = {
        line["source-ref"]: [{side: box[side] for side in wanted[0]} for box in line["boxes"]["annotations"]]
        for line in loop.manifest(run.batch)
        if line["boxes-metadata"]["human-annotated"] == "yes"
    }
    assert sorted(wanted, key=lambda box: box["left"]) in merged.values()
    assert len(merged) == COUNT


def test_key_points_placed_by_hand_are_labels_with_their_visibility(loop: Loop, page: Any) -> None:
    with loop.settings(*EVERY_FUNCTION, TASK="key-points", KEY_POINTS=",".join(KEY_POINTS), RETRAIN_MINIMUM="1000"):
        first = begin_in_browser(loop, page, "points in a browser")
        first.click(10, 12)
        first.click(40, 20)
        first.press("v", "3", "v", "4", "v")
        first.submit_and_leave()
        leave_the_rest_to_others(page)
        run = loop.wait("points in a browser")
    loop.assert_sound(run)
    (given,) = [each for each in responses(loop, run) if each["workerId"] == PERSON]
    placed = given["answerContent"]["annotatedKeyPoints"]["keypoints"]
    assert [point["label"] for point in placed] == [KEY_POINTS[0], f"{KEY_POINTS[1]} (occluded)"]
    seen, hidden = ((point["x"], point["y"]) for point in placed)
    told = [("visible", *seen), ("occluded", *hidden), ("outside", None, None), ("outside", None, None)]
    merged = [
        [(point["visibility"], point.get("x"), point.get("y")) for point in line["key-points"]["annotations"]]
        for line in loop.manifest(run.batch)
        if line["key-points-metadata"]["human-annotated"] == "yes"
    ]
    assert told in merged and len(merged) == COUNT


def begin_in_browser(loop: Loop, page: Any, prefix: str) -> Painter:
    """The first task of the batch's first job, open in the browser that came in by the printed link."""
    begin(loop, prefix)
    page.goto(stack.portal_link(loop.server))
    page.get_by_role("button", name="Label", exact=True).click()
    page.wait_for_url("**/tasks/*")
    return Painter(page).ready()


def leave_the_rest_to_others(page: Any) -> None:
    Painter(page).ready()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_text(f"1 of {SHARE} pictures done").wait_for()
    page.get_by_role("button", name="Let the others do the rest").click()
    page.get_by_role("button", name="Let them").click()
