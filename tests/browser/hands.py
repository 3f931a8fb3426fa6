"""Fingers, pens and keyboards of other countries: image coordinates in, events of Chromium's own devices out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from painter import Painter

Point = tuple[float, float]
SHIFT, CTRL = 8, 2


class Hands:
    """One person's hands on a painter's page."""

    def __init__(self, painter: Painter) -> None:
        self.painter, self.page = painter, painter.page
        self.devices = self.page.context.new_cdp_session(self.page)

    # --- fingers

    def touch(self, kind: str, *places: Point) -> None:
        """`kind`: start, move, end or cancel; all fingers that are on the picture now, image points."""
        self._touch(kind, [self.painter.at(*place) for place in places])

    def _touch(self, kind: str, places: Sequence[Point]) -> None:
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        self.devices.send("Input.dispatchTouchEvent", {"type": f"touch{kind.capitalize()}", "touchPoints": points})

    def tap(self, x: float, y: float) -> None:
        self.touch("start", (x, y))
        self.touch("end")

    def finger(self, start: Point, end: Point, rest_ms: float = 0) -> None:
        """One finger from point to point; `rest_ms`: how long it lies still before it moves."""
        self.touch("start", start)
        self.page.wait_for_timeout(rest_ms)
        self.touch("move", ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        self.touch("move", end)
        self.touch("end")

    def two_fingers(self, start: tuple[Point, Point], end: tuple[Point, Point]) -> None:
        """Window points, for what two fingers do changes where image points are."""
        self._touch("start", start[:1])
        self._touch("start", start)
        for step in (0.5, 1.0):
            places = [
                (a[0] + (b[0] - a[0]) * step, a[1] + (b[1] - a[1]) * step) for a, b in zip(start, end, strict=True)
            ]
            self._touch("move", places)
        self._touch("end", end[:1])
        self._touch("end", [])

    # --- a pen

    def pen(self, kind: str, x: float, y: float, device: str = "pen") -> None:
        """`kind`: mousePressed, mouseMoved or mouseReleased, as Chromium calls it for pens, too."""
        held = {"buttons": 0 if kind == "mouseReleased" else 1, "button": "left", "force": 0.5, "clickCount": 1}
        self._stylus({"type": kind, "pointerType": device} | held, x, y)

    def hover(self, x: float, y: float, device: str = "pen") -> None:
        """Moves with nothing pressed."""
        self._stylus({"type": "mouseMoved", "pointerType": device, "buttons": 0, "button": "none"}, x, y)

    def _stylus(self, event: dict[str, Any], x: float, y: float) -> None:
        at = self.painter.at(x, y)
        self.devices.send("Input.dispatchMouseEvent", event | {"x": at[0], "y": at[1]})

    def pen_drag(self, start: Point, end: Point) -> None:
        self.pen("mousePressed", *start)
        self.pen("mouseMoved", (start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        self.pen("mouseMoved", *end)
        self.pen("mouseReleased", *end)

    # --- a keyboard

    def key(self, key: str, code: str, modifiers: int = 0, **more: Any) -> None:
        """The key at the place `code` types `key`, as on some country's keyboard."""
        event = {"key": key, "code": code, "modifiers": modifiers, "windowsVirtualKeyCode": 0} | more
        self.devices.send("Input.dispatchKeyEvent", {"type": "rawKeyDown"} | event)
        self.devices.send("Input.dispatchKeyEvent", {"type": "keyUp"} | event)
