"""Chromium on the page of portal/, served by `portal`: every test has a browser session of its own.

`CHROMIUM` names the browser, else `chromium` is looked for on the PATH (Debian: apt-get install chromium). Without one
the tests are skipped, but never in CI.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from painter import Painter
from served_portal import KONVA, Portal

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
NO_BROWSER = "no Chromium: install it (Debian: apt-get install chromium) or put its path into CHROMIUM"
NO_KONVA = "no konva: run `npm install --no-package-lock --ignore-scripts` in portal/page/"
HARMLESS = ("Failed to load resource", "/favicon.ico")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = NO_BROWSER if not (CHROMIUM and Path(CHROMIUM).exists()) else NO_KONVA if not KONVA.exists() else ""
    if missing and not os.environ.get("CI"):
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skipif(True, reason=missing))


@pytest.fixture(scope="session")
def served() -> Iterator[Portal]:
    """The server under the page, tests take `portal`."""
    portal = Portal()
    yield portal
    portal.close()


@pytest.fixture
def portal(served: Portal) -> Iterator[Portal]:
    yield served
    served.clear()


# Not for longer: the loop that Playwright leaves running would be in the way of whoever calls asyncio.run() next.
@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    """What pages said on the console, of errors and warnings; emptied after every test."""
    return []


@pytest.fixture(scope="module")
def open_context(chromium, complaints: list[str]) -> Callable[..., object]:
    def heard(message) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in HARMLESS):
            complaints.append(message.text)

    def watch(page) -> None:
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())

    def opened(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(20_000)
        context.on("page", watch)
        return context

    return opened


@pytest.fixture(scope="module")
def shared_context(open_context):
    """One browser session, for its cache makes pages open fast; drafts do not meet, every task has its own name."""
    context = open_context()
    yield context
    context.close()


@pytest.fixture
def context(shared_context, portal: Portal, complaints: list[str]):
    """A logged-in session without pages; a complaint on the console fails the test."""
    shared_context.request.get(f"{portal.url}/?token={portal.token}")
    yield shared_context
    shared_context.set_offline(False)
    for page in shared_context.pages:
        page.close()
    told, complaints[:] = complaints[:], []
    assert told == []


@pytest.fixture
def new_context(open_context, context, portal: Portal) -> Iterator[Callable[..., object]]:
    """Opens logged-in sessions with options of their own."""
    contexts = []

    def opened(**options):
        contexts.append(open_context(**options))
        contexts[-1].request.get(f"{portal.url}/?token={portal.token}")
        return contexts[-1]

    yield opened
    for one in contexts:
        one.close()


@pytest.fixture
def open_task(context, portal: Portal) -> Callable[..., Painter]:
    """Opens a task's page and waits until its picture can be worked on."""

    def opened(task: str, within=context) -> Painter:
        page = within.new_page()
        page.goto(f"{portal.url}/tasks/{task}")
        return Painter(page).ready()

    return opened
