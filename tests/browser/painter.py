"""A person's hands on a task's page: image coordinates in, mouse and keys out."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import Image


class Painter:
    def __init__(self, page: Any) -> None:
        self.page = page
        self.canvas = page.locator(".canvas")

    def ready(self) -> Painter:
        """Raises the browser's TimeoutError when the picture does not appear or the page stays locked."""
        self.page.wait_for_selector(".canvas[data-scale]")
        self.page.wait_for_selector(".panel:not([inert])")
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where an image point is in the window."""
        view, corner = self.view(), self.canvas.bounding_box()
        return corner["x"] + view["x"] + x * view["scale"], corner["y"] + view["y"] + y * view["scale"]

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Image points."""
        self.drag_window(self.at(*start), self.at(*end))

    def drag_window(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mouse.move(*end)
        mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def marks(self) -> list[str]:
        """The names of the list's marks as a screen reader says them."""
        return self.page.locator(".marks li > button:first-child").evaluate_all(
            "buttons => buttons.map(button => button.getAttribute('aria-label'))"
        )

    def people(self) -> list[str]:
        """The people beside a picture with key points as a screen reader says them."""
        return self.page.locator(".people li > button:first-child").evaluate_all(
            "buttons => buttons.map(button => button.getAttribute('aria-label'))"
        )

    def person(self) -> str | None:
        """The one that is chosen."""
        return self.page.locator(".people li > button[aria-pressed=true]").get_attribute("aria-label")

    def selected(self) -> str | None:
        chosen = self.page.locator(".marks li > button[aria-pressed=true]")
        return chosen.get_attribute("aria-label") if chosen.count() else None

    def box(self, index: int) -> dict[str, int]:
        """The index-th box, as the list tells it."""
        found = re.search(r"(\d+) × (\d+) at (-?\d+), (-?\d+)", self.marks()[index])
        width, height, left, top = (int(number) for number in found.groups())
        return {"left": left, "top": top, "width": width, "height": height}

    def view(self) -> dict[str, float]:
        """scale, and where the picture's corner is on the canvas; after everything that happened was drawn."""
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return {name: float(value) for name, value in self.canvas.evaluate("e => ({...e.dataset})").items()}

    def submit(self) -> None:
        self.page.get_by_role("button", name="Submit and next").click()

    def message(self) -> str:
        return self.page.locator(".message").inner_text()

    def submit_and_leave(self) -> None:
        before = self.page.url
        self.submit()
        self.page.wait_for_url(lambda url: url != before)

    def screenshot(self) -> Image.Image:
        return Image.open(io.BytesIO(self.canvas.screenshot())).convert("RGB")


def near(box: dict[str, int], left: float, top: float, width: float, height: float, pixels: float = 1.0) -> bool:
    wanted = {"left": left, "top": top, "width": width, "height": height}
    return all(abs(box[side] - value) <= pixels for side, value in wanted.items())


def picture(width: int = 640, height: int = 480, colour: tuple[int, int, int] = (90, 100, 110)) -> bytes:
    """A plain picture as PNG."""
    return png(Image.new("RGB", (width, height), colour))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
