"""Pictures of the deployed portal for docs/, as a desktop and a tablet show it.

PYTHONPATH=.:functions python tests/workflows/take_portal_screenshots.py
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import boto3
import portal_stack
from playwright.sync_api import sync_playwright

from cli import people
from local import stack

DOCS = stack.REPO_ROOT / "docs"
SIZES = {"desktop": (1280, 720), "tablet": (820, 1080)}


def main() -> None:
    with stack.running_server() as server, tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # The command line's clients find the server as they find AWS.
        os.environ.update(stack.aws_environment(server))
        boto3.setup_default_session()
        found = portal_stack.deploy(server, Path(folder))
        portal = people.Portal(found["PortalUrl"], found["PortalUsersId"], found["PortalTableName"])
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, size in SIZES.items():
            _take(browser, portal, name, size)
        browser.close()


def _take(browser: Any, portal: people.Portal, name: str, size: tuple[int, int]) -> None:
    email, own = f"ann.{name}@example.com", "A-password-of-their-own-1"
    first = people.invite(portal, email, lead=True, show_password=True)
    page = browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
    page.goto(portal.url)
    page.screenshot(path=DOCS / f"portal-sign-in-{name}.png")
    page.click("a.primary")
    page.fill("#username", email)
    page.fill("#password", str(first))
    page.click("button[type=submit]")
    page.fill("#new_password", own)
    page.fill("#confirm_password", own)
    page.click("button[type=submit]")
    page.wait_for_selector("#out")
    page.wait_for_selector("#state:not([hidden])")
    page.screenshot(path=DOCS / f"portal-jobs-{name}.png")


if __name__ == "__main__":
    main()
