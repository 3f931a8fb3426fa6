"""Writes docs/labelling-*.png: `PYTHONPATH=.:functions python tests/browser/take_screenshots.py [folder]`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from labelloop.contracts.skeletons import PRESETS
from labelloop.tasks import people_labels
from painter import Painter, png
from PIL import Image, ImageFilter, ImageOps
from playwright.sync_api import Page, sync_playwright
from served_portal import ROOT, Portal

from demo.scenes import Scene, render

SEED, SIZE = 7, (960, 720)
HEADS, POINTS, PEOPLE = 3, 15, 48
HEAD = PRESETS["head"]


def main(folder: Path) -> None:
    portal = Portal()
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.request.get(f"{portal.url}/?token={portal.token}")
        page = context.new_page()
        boxes, points, people = (render(SEED, number, SIZE) for number in (HEADS, POINTS, PEOPLE))
        box_tasks, point_tasks = _boxes_job(portal, boxes), _points_job(portal, points)
        _verify_job(portal, boxes)
        for done in (*box_tasks[:4], *point_tasks[:2]):
            portal.submit_elsewhere(done, {})
        page.goto(portal.url)
        page.get_by_role("listitem").nth(2).wait_for()
        _shoot(page, folder / "labelling-jobs.png")
        page.goto(f"{portal.url}/tasks/{box_tasks[4]}")
        painter = Painter(page).ready()
        painter.press("Tab")
        page.mouse.move(*painter.at(600, 560))
        _shoot(page, folder / "labelling-boxes.png")
        page.goto(f"{portal.url}/tasks/{point_tasks[2]}")
        _place(Painter(page).ready(), points.keypoints[0])
        _shoot(page, folder / "labelling-key-points.png")
        page.goto(f"{portal.url}/tasks/{_people_job(portal, people)}")
        painter = Painter(page).ready()
        painter.press("d")
        page.mouse.move(*painter.at(40, 160))
        _shoot(page, folder / "labelling-people.png")
        browser.close()
    portal.close()


def _boxes_job(portal: Portal, scene: Scene) -> list[str]:
    return portal.add_job(
        "boxes",
        [_picture(scene)] * 12,
        ["head", "bag", "phone"],
        _boxes(scene),
        kind="adjust",
        header="Draw a tight box around every head, bag and phone",
        instructions="A head reaches from the chin to the top of the hair; a hat belongs to it.",
        seconds_left=2520,
    )


def _points_job(portal: Portal, scene: Scene) -> list[str]:
    labels, pictures = people_labels.offered(HEAD.names, 6), [_picture(scene)] * 9
    header = "Place the points of the face"
    return portal.add_job("key-points", pictures, labels, header=header, seconds_left=5400, skeleton=HEAD.to_json())


def _people_job(portal: Portal, scene: Scene) -> str:
    """A model found three people, and the box of one of them it left to the points."""
    people = zip(scene.keypoints, scene.boxes, strict=True)
    marks = [mark for number, (points, box) in enumerate(people, 1) for mark in _marks(number, points, box)]
    shown = [mark for mark in marks if mark["label"] not in ("top-left #2", "bottom-right #2")]
    labels, header = people_labels.offered(HEAD.names, 6), "Correct the points of every face"
    pictures = [_picture(scene)]
    return portal.add_job("key-points", pictures, labels, shown, "adjust", header, skeleton=HEAD.to_json())[0]


def _marks(number: int, points: list[dict[str, Any]], box: dict[str, Any]) -> list[dict[str, Any]]:
    """What crowd-keypoint takes."""
    left, top, width, height = (int(box[side]) for side in ("left", "top", "width", "height"))
    corners = (("top-left", left, top), ("bottom-right", left + width, top + height))
    placed = [
        (people_labels.label(point["name"], number, point["visibility"]), round(point["x"]), round(point["y"]))
        for point in points
        if point["visibility"] != "outside"
    ]
    named = [*placed, *((people_labels.label(corner, number), x, y) for corner, x, y in corners)]
    return [{"label": label, "x": x, "y": y} for label, x, y in named]


def _verify_job(portal: Portal, scene: Scene) -> list[str]:
    pictures = [_picture(scene)] * 20
    return portal.add_job("verify-boxes", pictures, ["head"], _boxes(scene), "verify", header="Is every box right?")


def _picture(scene: Scene) -> bytes:
    """Without the camera's noise, which makes a screenshot three times as large."""
    return png(ImageOps.posterize(Image.fromarray(scene.image).filter(ImageFilter.GaussianBlur(2.5)), 6))


def _boxes(scene: Scene) -> list[dict[str, Any]]:
    return [
        {"label": "head", **{side: int(box[side]) for side in ("left", "top", "width", "height")}}
        for box in scene.boxes
    ]


def _place(painter: Painter, points: list[dict[str, Any]]) -> None:
    """All but the last, which is the next one at the pointer."""
    for number, point in enumerate(points[:-1], start=1):
        painter.press(str(number))
        painter.click(point["x"], point["y"])
        if point["visibility"] == "occluded":
            painter.press("v")
    painter.page.mouse.move(*painter.at(points[-1]["x"], points[-1]["y"]))


def _shoot(page: Page, path: Path) -> None:
    page.evaluate("() => new Promise(requestAnimationFrame)")
    page.screenshot(path=path)
    Image.open(path).convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
