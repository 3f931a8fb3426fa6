"""Ellipsoids seen by a parallel-projection camera: the parts of a head, hidden-surface removal included.

A head has its own coordinates, in units of the distance from crown to chin: x to the head's left (image right when it
faces the camera), y down, z out of the face, origin in the middle. A rotation matrix takes them to camera directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from demo.scenes.canvas import Array, Canvas, Colour, Light, to_bytes

Vector = tuple[float, float, float]
Texture = Callable[[Array, Array, Array], Array]
Region = Callable[[Array, Array, Array], Array]
CHIN_LINE = 0.56
"""Hair and scarf ends below this y hang on the shoulders: they are painted but are not part of the head."""


@dataclass(frozen=True)
class Solid:
    """An ellipsoid with axes along the head's; `keep` cuts parts of its surface away, `texture` colours it."""

    centre: Vector
    radii: Vector
    colour: Colour
    texture: Texture | None = None
    keep: Region | None = None
    gloss: float = 0.0


@dataclass
class Relief:
    """What the camera sees of one head on its own pixel grid, which may reach beyond the picture.

    `left`, `top`: picture coordinates of the grid's first pixel; `depth` is -inf where the head is not.
    """

    left: int
    top: int
    scale: float
    centre: tuple[float, float]
    rgb: Array
    depth: Array
    silhouette: Array


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Head to camera; radians: yaw > 0 looks to the image's right, pitch > 0 down, roll > 0 tilts clockwise."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod)


def cast(solids: list[Solid], pose: Array, centre: tuple[float, float], scale: float, light: Light) -> Relief:
    """Render the solids `scale` pixels per head unit around `centre` (pixels)."""
    spans = [_span(solid, pose) for solid in solids]
    low = np.min([span[0] for span in spans], axis=0) * scale + centre
    high = np.max([span[1] for span in spans], axis=0) * scale + centre
    left, top = (int(v) for v in np.floor(low))
    width, height = (int(v) + 1 for v in np.ceil(high) - np.floor(low))
    relief = Relief(
        left,
        top,
        scale,
        centre,
        np.zeros((height, width, 3), np.float32),
        np.full((height, width), -np.inf, np.float32),
        np.zeros((height, width), bool),
    )
    for solid, span in zip(solids, spans, strict=True):
        _cast_one(relief, solid, span, pose.astype(np.float32), light)
    return relief


def paste(canvas: Canvas, relief: Relief, owner: int) -> None:
    """Put a head into the picture; its silhouette becomes the owner's."""
    height, width = relief.depth.shape
    top, left = max(0, relief.top), max(0, relief.left)
    bottom, right = min(canvas.height, relief.top + height), min(canvas.width, relief.left + width)
    if top >= bottom or left >= right:
        return
    inner = (slice(top - relief.top, bottom - relief.top), slice(left - relief.left, right - relief.left))
    outer = (slice(top, bottom), slice(left, right))
    painted = relief.depth[inner] > -np.inf
    np.copyto(canvas.rgb[outer], to_bytes(relief.rgb[inner]), where=painted[:, :, None])
    np.copyto(canvas.owner[outer], np.where(relief.silhouette[inner], np.int16(owner), np.int16(0)), where=painted)


def _span(solid: Solid, pose: Array) -> tuple[Array, Array]:
    """Exact bounds of the projected ellipsoid, head units around the head's origin."""
    middle = (pose @ np.asarray(solid.centre))[:2]
    half = np.sqrt(np.square(pose[:2] * np.asarray(solid.radii)).sum(axis=1))
    return middle - half, middle + half


def _cast_one(relief: Relief, solid: Solid, span: tuple[Array, Array], pose: Array, light: Light) -> None:
    """Intersect every pixel's ray with the ellipsoid (a quadratic in z) and keep what is nearer than before."""
    height, width = relief.depth.shape
    origin = np.array([relief.centre[0] - relief.left, relief.centre[1] - relief.top])
    low = np.maximum(np.floor(span[0] * relief.scale + origin), 0).astype(int)
    high = np.minimum(np.ceil(span[1] * relief.scale + origin), (width, height)).astype(int)
    if low[0] >= high[0] or low[1] >= high[1]:
        return
    middle = (pose @ np.asarray(solid.centre, np.float32)).astype(np.float32)
    to_unit = (pose / np.asarray(solid.radii, np.float32)).T
    shape = to_unit.T @ to_unit
    scale = np.float32(relief.scale)
    x = ((np.arange(low[0], high[0], dtype=np.float32) + 0.5 - np.float32(origin[0])) / scale - middle[0])[None, :]
    y = ((np.arange(low[1], high[1], dtype=np.float32) + 0.5 - np.float32(origin[1])) / scale - middle[1])[:, None]
    slope = shape[0, 2] * x + shape[1, 2] * y
    rest = shape[0, 0] * x * x + 2 * shape[0, 1] * x * y + shape[1, 1] * y * y - 1
    discriminant = slope * slope - shape[2, 2] * rest
    rows, columns = np.nonzero(discriminant > 0)
    x, y = x[0, columns], y[rows, 0]
    z = (np.sqrt(discriminant[rows, columns]) - slope[rows, columns]) / shape[2, 2]
    at = (rows + low[1], columns + low[0])
    nearer = z + middle[2] > relief.depth[at]
    px, py, pz = _to_head(pose, x + middle[0], y + middle[1], z + middle[2])
    if solid.keep is not None:
        nearer &= solid.keep(px, py, pz)
    x, y, z, px, py, pz = x[nearer], y[nearer], z[nearer], px[nearer], py[nearer], pz[nearer]
    at = (at[0][nearer], at[1][nearer])
    normal = [shape[row, 0] * x + shape[row, 1] * y + shape[row, 2] * z for row in range(3)]
    norm = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    albedo = np.asarray(solid.colour, np.float32) if solid.texture is None else solid.texture(px, py, pz)
    relief.rgb[at] = light.on(normal[0], normal[1], normal[2], norm)[:, None] * albedo
    if solid.gloss:
        relief.rgb[at] += (solid.gloss * 255 * light.diffuse * np.maximum(normal[2] / norm, 0) ** 24)[:, None]
    relief.depth[at] = z + middle[2]
    relief.silhouette[at] = py < CHIN_LINE


def _to_head(pose: Array, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    inverse = pose.T
    px, py, pz = (inverse[row, 0] * x + inverse[row, 1] * y + inverse[row, 2] * z for row in range(3))
    return px, py, pz
