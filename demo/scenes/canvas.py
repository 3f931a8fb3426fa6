"""A picture being painted back to front, and the two shaded primitives everything in it is made of.

Camera coordinates: x right, y down, z towards the camera. Positions and radii given to `pad` are in pixels.
`Canvas.owner` says whose head a pixel shows (0: no head), so whatever is painted later hides what was there before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Colour = tuple[float, float, float]
Pattern = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Light:
    """One distant lamp plus ambient light; a surface facing the lamp gets `ambient + diffuse` of its colour."""

    direction: tuple[float, float, float]
    ambient: float
    diffuse: float

    def on(self, nx: Array, ny: Array, nz: Array, norm: Array) -> Array:
        """Brightness factor for normals of length `norm`; the lamp wraps around edges, as in a cabin of reflections."""
        lx, ly, lz = (np.float32(0.75 * self.diffuse * component) for component in self.direction)
        lit = (nx * lx + ny * ly + nz * lz) / norm + np.float32(0.25 * self.diffuse)
        return np.maximum(lit, 0) + np.float32(self.ambient)

    def flat(self, colour: Colour) -> tuple[float, float, float]:
        """A colour as things without shape of their own (strings, belts, frames) show it."""
        factor = self.ambient + 0.5 * self.diffuse
        red, green, blue = (float(min(255.0, channel * factor)) for channel in colour)
        return (red, green, blue)


@dataclass
class Canvas:
    """RGB picture (HxWx3 uint8) and the owner map (HxW int16)."""

    rgb: Array
    owner: Array
    light: Light

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def new_canvas(width: int, height: int, light: Light) -> Canvas:
    return Canvas(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.int16), light)


def to_bytes(values: Array) -> Array:
    """Saturate to 0..255; colours are never negative, sensor noise is."""
    return np.minimum(np.maximum(values, 0), 255).astype(np.uint8)


def shaded(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def polygon(canvas: Canvas, points: Array | list[tuple[float, float]], colour: Colour) -> None:
    """Fill a polygon with one colour; pixels it touches show no head any more."""
    corners = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    cv2.fillPoly(canvas.rgb, [corners], canvas.light.flat(colour), cv2.LINE_AA, 4)
    cv2.fillPoly(canvas.owner, [corners], 0, cv2.LINE_8, 4)


def stroke(canvas: Canvas, points: Array | list[tuple[float, float]], colour: Colour, width: float) -> None:
    """Draw a polyline `width` pixels thick."""
    corners = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    thickness = max(1, round(width))
    cv2.polylines(canvas.rgb, [corners], False, canvas.light.flat(colour), thickness, cv2.LINE_AA, 4)
    cv2.polylines(canvas.owner, [corners], False, 0, thickness, cv2.LINE_8, 4)


def pad(
    canvas: Canvas,
    centre: tuple[float, float],
    radii: tuple[float, float],
    colour: Colour,
    *,
    angle: float = 0.0,
    power: int = 4,
    pattern: Pattern | None = None,
) -> None:
    """Paint a cushion: the superellipse |u|^power + |v|^power <= 1 (power 2, 4 or 8), shaded as if it bulged.

    `angle` in radians turns it clockwise on screen; `pattern(u, v)` returns colour factors for points in -1..1.
    """
    reach = float(np.hypot(*radii)) if power > 2 else max(radii)
    window = _window(canvas, centre, reach, reach)
    if window is None:
        return
    rows, columns = window
    across = (np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5 - centre[0]))[None, :]
    down = (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5 - centre[1]))[:, None]
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    u, v = across, down
    if angle:
        u, v = (
            across * np.float32(cosine) + down * np.float32(sine),
            down * np.float32(cosine) - across * np.float32(sine),
        )
    u, v = u / np.float32(radii[0]), v / np.float32(radii[1])
    u_power, v_power = u * u, v * v
    for _ in range({2: 0, 4: 1, 8: 2}[power]):
        u_power, v_power = u_power * u_power, v_power * v_power
    slope_u = u_power / np.where(np.abs(u) < 1e-3, np.float32(1e-3), u)
    slope_v = v_power / np.where(np.abs(v) < 1e-3, np.float32(1e-3), v)
    total = u_power + v_power
    inside = total < 1
    rise = np.sqrt(np.maximum(1 - total, 0)) + np.float32(0.25)
    norm = np.sqrt(slope_u * slope_u + slope_v * slope_v + rise * rise)
    nx, ny = (slope_u, slope_v) if not angle else (slope_u * cosine - slope_v * sine, slope_u * sine + slope_v * cosine)
    factor = canvas.light.on(nx, ny, rise, norm)
    if pattern is not None:
        factor = factor * pattern(u, v)
    painted = to_bytes(factor[:, :, None] * np.asarray(colour, np.float32))
    np.copyto(canvas.rgb[rows, columns], painted, where=inside[:, :, None])
    canvas.owner[rows, columns][inside] = 0


def _window(canvas: Canvas, centre: tuple[float, float], reach_x: float, reach_y: float) -> tuple[slice, slice] | None:
    left, right = max(0, int(centre[0] - reach_x)), min(canvas.width, int(centre[0] + reach_x) + 2)
    top, bottom = max(0, int(centre[1] - reach_y)), min(canvas.height, int(centre[1] + reach_y) + 2)
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)
