"""The car seen from the dashboard: windows and what is outside, lining, rear bench, front seats with headrests.

Scene coordinates: x from the middle of the cabin to the image's right, y down from the top edge, both in image heights
at zoom 1. `View` turns them into pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demo.scenes.canvas import Array, Canvas, Colour, pad, polygon, shaded, stroke, to_bytes
from demo.scenes.lighting import Lighting

UPHOLSTERY: tuple[Colour, ...] = (
    (38, 38, 42), (62, 62, 66), (96, 96, 98), (150, 130, 104), (182, 158, 126), (120, 74, 48), (84, 40, 36),
    (52, 58, 74), (198, 192, 182),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """`unit`: pixels per scene unit; `focus`: the scene point shown in the middle of the picture."""

    unit: float
    focus: tuple[float, float]
    middle: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.focus[0]) * self.unit + self.middle[0], (y - self.focus[1]) * self.unit + self.middle[1]


@dataclass(frozen=True)
class Seat:
    """`x`, `y`: where a head of an average occupant is; `head`: its height. Scene units."""

    name: str
    x: float
    y: float
    head: float

    @property
    def front(self) -> bool:
        return self.name in ("driver", "passenger")


@dataclass(frozen=True)
class Interior:
    upholstery: Colour
    lining: Colour
    headrest_shape: int
    headrest_size: tuple[float, float]
    seam: bool


SEATS = (
    Seat("rear-left", -0.215, 0.40, 0.21),
    Seat("rear-middle", 0.0, 0.41, 0.20),
    Seat("rear-right", 0.215, 0.40, 0.21),
    Seat("passenger", -0.42, 0.44, 0.31),
    Seat("driver", 0.42, 0.44, 0.31),
)


def draw_interior(rng: np.random.Generator) -> Interior:
    colour = shaded(UPHOLSTERY[int(rng.integers(len(UPHOLSTERY)))], float(rng.uniform(0.8, 1.15)))
    lining = shaded((170, 166, 158), float(rng.uniform(0.25, 1.1)))
    size = (float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.28, 0.42)))
    return Interior(colour, lining, int(rng.choice([2, 4, 4, 8])), size, bool(rng.random() < 0.5))


def paint_shell(canvas: Canvas, view: View, interior: Interior, lighting: Lighting, rng: np.random.Generator) -> None:
    """Lining, pillars and windows, the whole picture."""
    canvas.rgb[:] = to_bytes(np.asarray(canvas.light.flat(shaded(interior.upholstery, 0.5))))
    roof = [view.at(-1.2, -0.4), view.at(1.2, -0.4), view.at(1.2, 0.12), view.at(0, 0.17), view.at(-1.2, 0.12)]
    polygon(canvas, roof, interior.lining)
    outside = _outside(canvas, lighting, rng)
    drop = float(rng.uniform(-0.03, 0.03))
    panes = [[(-0.27, 0.17), (0.27, 0.17), (0.33, 0.36 + drop), (-0.33, 0.36 + drop)]]
    panes += [
        [(side * a, b) for a, b in ((0.36, 0.19), (0.95, 0.05), (1.1, 0.56), (0.44, 0.42 + drop))] for side in (-1, 1)
    ]
    glass = np.zeros(canvas.owner.shape, np.uint8)
    for pane in panes:
        corners = [view.at(x, y) for x, y in pane]
        stroke(canvas, [*corners, corners[0]], shaded(interior.lining, 0.35), 0.035 * view.unit)
        cv2.fillPoly(glass, [np.round(np.asarray(corners)).astype(np.int32)], 1)
    np.copyto(canvas.rgb, outside, where=glass[:, :, None] > 0)


def paint_bench(canvas: Canvas, view: View, interior: Interior) -> None:
    """The rear bench and its three headrests, which stay visible above empty places."""
    x, y = view.at(0.0, 0.86)
    pad(canvas, (x, y), (0.52 * view.unit, 0.34 * view.unit), interior.upholstery, power=4)
    for seat in SEATS[:3]:
        _headrest(canvas, view, interior, seat, seat.head * 1.1, lift=0.28)


def paint_front_seat(canvas: Canvas, view: View, interior: Interior, seat: Seat, cover: Colour | None) -> None:
    """Backrest and headrest of a front seat; `cover` is the colour of a garment hung over the backrest."""
    x, y = view.at(seat.x, seat.y)
    head = seat.head * view.unit
    for side in (-0.2, 0.2):
        stroke(canvas, [(x + side * head, y), (x + side * head, y + 0.9 * head)], (110, 110, 112), 0.05 * head)
    colour = cover or interior.upholstery
    pad(canvas, (x, y + 2.0 * head), (0.98 * head, 1.36 * head), colour, power=4)
    pad(canvas, (x, y + 2.1 * head), (0.62 * head, 1.25 * head), shaded(colour, 1.12), power=8)
    _headrest(canvas, view, interior, seat, seat.head, lift=0.0)


def _headrest(canvas: Canvas, view: View, interior: Interior, seat: Seat, head: float, lift: float) -> None:
    x, y = view.at(seat.x, seat.y + lift * head)
    size = (interior.headrest_size[0] * head * view.unit, interior.headrest_size[1] * head * view.unit)
    pad(canvas, (x, y), size, shaded(interior.upholstery, 1.05), power=interior.headrest_shape)
    if interior.seam:
        stroke(
            canvas, [(x - 0.8 * size[0], y), (x + 0.8 * size[0], y)], shaded(interior.upholstery, 0.4), 0.02 * size[0]
        )


def _outside(canvas: Canvas, lighting: Lighting, rng: np.random.Generator) -> Array:
    """A blurred street: sky over ground, trees, houses and cars; at night lamps in the dark."""
    small = np.empty((60, 80, 3), np.float32)
    sky = np.asarray(((150, 190, 235), (215, 220, 226), (240, 214, 180))[int(rng.integers(3))], np.float32)
    ground = np.asarray(((120, 118, 112), (96, 120, 72), (160, 150, 130))[int(rng.integers(3))], np.float32)
    horizon = int(rng.integers(14, 30))
    small[:horizon], small[horizon:] = sky, ground
    for _ in range(int(rng.integers(2, 14))):
        x, y = float(rng.uniform(0, 80)), horizon + float(rng.uniform(-8, 6))
        colour = np.asarray(((60, 84, 50), (130, 110, 96), (190, 186, 180), (60, 64, 74))[int(rng.integers(4))])
        cv2.ellipse(small, ((x, y), (rng.uniform(3, 16), rng.uniform(4, 18)), 0), colour.tolist(), -1)
    small *= np.float32(lighting.outside)
    if lighting.outside < 0.65:
        for _ in range(int(rng.integers(0, 9))):
            x, y = int(rng.uniform(0, 80)), int(rng.uniform(4, 40))
            cv2.circle(small, (x, y), int(rng.integers(1, 3)), (255, 236, float(rng.uniform(120, 230))), -1)
    return np.asarray(cv2.resize(to_bytes(cv2.GaussianBlur(small, (0, 0), 1.2)), (canvas.width, canvas.height)))
