"""Caps, beanies, headscarves, hoods, helmets and face masks: solids around the skull and jaw of heads.py."""

from __future__ import annotations

import numpy as np

from demo.scenes.canvas import Array, Colour, shaded
from demo.scenes.people import Look
from demo.scenes.solids import Solid, Texture


def mask_solid(look: Look) -> Solid:
    return Solid(
        (0, 0.12, 0.09), (0.285 * look.width, 0.40, 0.30), look.mask_colour, _folds(look.mask_colour), _over_mouth
    )


def headgear_solids(look: Look) -> list[Solid]:
    colour, wide = look.headgear_colour, look.width
    if look.headgear == "cap":
        return [_dome(look, 0.035, -0.21, -0.18), Solid((0, -0.24, 0.43), (0.27, 0.03, 0.27), shaded(colour, 0.7))]
    if look.headgear == "cap-backwards":
        return [_dome(look, 0.035, -0.25, -0.2), Solid((0, -0.16, -0.5), (0.26, 0.03, 0.24), shaded(colour, 0.7))]
    if look.headgear == "beanie":
        pompom = [Solid((0, -0.6, -0.06), (0.11, 0.11, 0.11), shaded(colour, 1.25))] if look.volume > 0.06 else []
        return [_dome(look, 0.07, -0.17, 0.1, knitted=True), *pompom]
    if look.headgear == "headscarf":
        drape = Solid((0, 0.6, -0.02), (0.46 * wide, 0.4, 0.36), colour, _folds(colour))
        return [Solid((0, 0.03, -0.03), (0.42 * wide, 0.6, 0.46), colour, _folds(colour), _around_face), drape]
    if look.headgear == "hood":
        return [Solid((0, 0.03, -0.09), (0.5 * wide, 0.66, 0.5), colour, _folds(colour), _around_hood)]
    if look.headgear == "helmet":
        return [Solid((0, -0.06, -0.02), (0.46 * wide, 0.56, 0.53), colour, None, _around_visor, gloss=0.5)]
    return []


def _dome(look: Look, thick: float, front: float, back: float, knitted: bool = False) -> Solid:
    """A bowl over the skull, its rim at y = front over the forehead and y = back behind."""
    slope = (back - front) / 0.8
    colour = look.headgear_colour
    return Solid(
        (0, -0.13, -0.05),
        (0.35 * look.width + thick, 0.38 + thick, 0.40 + thick),
        colour,
        _knit(colour) if knitted else None,
        lambda x, y, z: y < front + slope * (0.36 - z),
    )


def _knit(colour: Colour) -> Texture:
    base = np.asarray(colour, np.float32)

    def texture(x: Array, y: Array, z: Array) -> Array:
        ribs = 0.9 + 0.1 * np.sin(np.arctan2(x, z) * 40)
        return np.where(y > -0.27 + 0.3 * (0.36 - z), 0.75, ribs)[:, None] * base

    return texture


def _folds(colour: Colour) -> Texture:
    base = np.asarray(colour, np.float32)
    return lambda x, y, z: (0.92 + 0.08 * np.sin(y * 32 + np.abs(x) * 22))[:, None] * base


def _over_mouth(x: Array, y: Array, z: Array) -> Array:
    return (z > 0.04) & (y > 0.07 + 0.35 * np.square(x)) & (y < 0.5)


def _around_face(x: Array, y: Array, z: Array) -> Array:
    return ~((z > 0.0) & (np.square(x / 0.25) + np.square((y - 0.06) / 0.36) < 1))


def _around_hood(x: Array, y: Array, z: Array) -> Array:
    return ~((z > 0.0) & (np.square(x / 0.36) + np.square((y - 0.08) / 0.48) < 1)) & (y < 0.56)


def _around_visor(x: Array, y: Array, z: Array) -> Array:
    opening = (z > 0.0) & (np.abs(x) < 0.33) & (y > -0.22) & (y < 0.3)
    return ~opening & (y < 0.42)
