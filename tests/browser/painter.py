"""A person's hands on a task's page: image coordinates in, mouse and keys out."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


class Painter:
    def __init__(self, page: Any) -> None:
        self.page = page
        self.canvas = page.locator(".canvas")

    def ready(self) -> Painter:
        """Raises the browser's TimeoutError when the picture does not appear or the page stays locked."""
        self.page.wait_for_function(
            "document.querySelector('.canvas')?.dataset.scale && !document.querySelector('.panel')?.inert"
        )
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where an image point is in the window."""
        corner = self.canvas.bounding_box()
        view = self.canvas.evaluate("element => ({...element.dataset})")
        scale = float(view["scale"])
        return corner["x"] + float(view["x"]) + x * scale, corner["y"] + float(view["y"]) + y * scale

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


def picture(width: int = 640, height: int = 480, colour: tuple[int, int, int] = (90, 100, 110)) -> bytes:
    """A plain picture as PNG."""
    return png(Image.new("RGB", (width, height), colour))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
