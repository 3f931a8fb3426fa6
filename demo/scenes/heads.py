"""A head as a list of ellipsoids with painted faces, and where its five key points are.

Proportions in head units (crown to chin = 1, see solids.py). The box of a head is the tight box of all its solids:
skull, ears, nose, hair, headgear and mask, also where something hides them; hair and scarf ends hanging below the chin,
neck and collar do not belong to it. Left and right are the person's own, as in COCO.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demo.scenes.canvas import Array, Canvas, Colour
from demo.scenes.headgear import headgear_solids, mask_solid
from demo.scenes.people import Look
from demo.scenes.solids import Region, Relief, Solid, Texture

SKULL_CENTRE, SKULL = (0.0, -0.12, -0.05), (0.335, 0.38, 0.40)
JAW_CENTRE, JAW = (0.0, 0.12, 0.07), (0.27, 0.38, 0.28)
KEYPOINTS: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, 0.09, 0.415),
    "left_eye": (0.13, -0.02, 0.305),
    "right_eye": (-0.13, -0.02, 0.305),
    "left_ear": (0.36, 0.03, -0.02),
    "right_ear": (-0.36, 0.03, -0.02),
}
HIDDEN_DEPTH = 0.07
"""A key point this much (head units) behind the nearest surface of its own head is occluded."""


def solids_of(look: Look) -> list[Solid]:
    skin, face = look.skin, _face(look)
    wide = look.width
    solids = [
        Solid(SKULL_CENTRE, (SKULL[0] * wide, SKULL[1], SKULL[2]), skin, face),
        Solid(JAW_CENTRE, (JAW[0] * wide, JAW[1], JAW[2]), skin, face),
        Solid((0, 0.08, 0.33), (0.055, 0.10, 0.085), skin),
        Solid((0.335 * wide, 0.03, -0.03), (0.035, 0.10, 0.065), skin),
        Solid((-0.335 * wide, 0.03, -0.03), (0.035, 0.10, 0.065), skin),
    ]
    if look.headgear not in ("headscarf", "hood", "helmet"):
        solids += _hair(look)
    if look.face_mask:
        solids.append(mask_solid(look))
    return solids + headgear_solids(look)


def keypoints(canvas: Canvas, relief: Relief, pose: Array, owner: int, look: Look) -> list[dict[str, Any]]:
    """The five points of one head in the finished picture: pixels, and whether each can be seen there."""
    points: list[dict[str, Any]] = []
    for name, place in KEYPOINTS.items():
        x, y, z = pose @ np.asarray(place)
        x, y = x * relief.scale + relief.centre[0], y * relief.scale + relief.centre[1]
        if not (0 <= x < canvas.width and 0 <= y < canvas.height):
            visibility = "outside"
        elif (
            canvas.owner[int(y), int(x)] != owner
            or z < _surface(relief, x, y) - HIDDEN_DEPTH
            or (look.eyewear == "sunglasses" and name.endswith("eye"))
        ):
            visibility = "occluded"
        else:
            visibility = "visible"
        points.append({"name": name, "x": round(float(x), 2), "y": round(float(y), 2), "visibility": visibility})
    return points


def _surface(relief: Relief, x: float, y: float) -> float:
    row, column = int(np.floor(y)) - relief.top, int(np.floor(x)) - relief.left
    height, width = relief.depth.shape
    return float(relief.depth[row, column]) if 0 <= row < height and 0 <= column < width else -np.inf


def _face(look: Look) -> Texture:
    """Features are painted by their x, y on the front half: they foreshorten and disappear with the pose."""
    skin = np.asarray(look.skin, np.float32)
    lips = skin * np.asarray((0.82, 0.55, 0.55), np.float32)
    beard_share = {"none": 0.0, "stubble": 0.35, "full": 0.85, "moustache": 0.8}[look.beard]
    beard = skin * (1 - beard_share) + np.asarray(look.hair, np.float32) * beard_share

    def texture(x: Array, y: Array, z: Array) -> Array:
        rgb = np.empty((x.size, 3), np.float32)
        rgb[:] = skin
        front = np.nonzero(z > 0.04)
        x, y, z = x[front], y[front], z[front]
        side = np.abs(x)
        face = rgb[front]
        sockets = np.square((side - 0.13) / 0.09) + np.square((y + 0.03) / 0.06)
        under_nose = np.square(x / 0.09) + np.square((y - 0.18) / 0.03)
        face *= (1 - 0.28 * np.exp(-sockets) - 0.3 * np.exp(-under_nose))[:, None]
        if look.beard in ("stubble", "full"):
            face[(y > 0.2) | ((y > 0.0) & (side > 0.235))] = beard
        if look.beard in ("full", "moustache"):
            face[(np.abs(y - 0.215) < 0.03) & (side < 0.12)] = beard
        mouth = np.square(x / 0.1) + np.square((y - 0.285) / (0.02 + 0.02 * look.mouth_open))
        face[mouth < 1] = lips
        if look.mouth_open > 0.5:
            face[mouth < 0.4] = (60, 22, 24)
        face[(np.abs(y + 0.115 - 0.8 * np.square(side - 0.13)) < 0.016) & (np.abs(side - 0.13) < 0.075)] = look.hair
        _eyes(face, x, side, y, look)
        _eyewear(face, side, y, z, look)
        rgb[front] = face
        return rgb

    return texture


def _eyes(face: Array, x: Array, side: Array, y: Array, look: Look) -> None:
    if not look.eyes_open:
        face[(np.abs(y + 0.012) < 0.008) & (np.abs(side - 0.13) < 0.055)] = (50, 30, 26)
        return
    eye = np.square((side - 0.13) / 0.056) + np.square((y + 0.02) / 0.027)
    face[eye < 1] = (228, 224, 220)
    face[(eye < 1) & (np.square(side - 0.13) + np.square(y + 0.02) < 0.027**2)] = (40, 28, 22)
    face[(eye < 1.4) & (y < -0.036)] = (48, 32, 28)


def _eyewear(face: Array, side: Array, y: Array, z: Array, look: Look) -> None:
    if look.eyewear == "none":
        return
    lens = np.square((side - 0.135) / 0.105) + np.square((y + 0.015) / 0.078)
    frame: Colour = (24, 22, 24)
    if look.eyewear == "sunglasses":
        face[lens < 1] = (26, 26, 32)
    face[(lens > 0.68) & (lens < 1)] = frame
    face[((side < 0.035) | ((z < 0.24) & (side > 0.22))) & (np.abs(y + 0.03) < 0.012)] = frame


def _hair(look: Look) -> list[Solid]:
    if look.haircut == "bald":
        return []
    covered = look.headgear != "none"
    thick = look.volume * (0.5 if covered else 3.2 if look.haircut == "afro" else 1.0)
    colour, texture = look.hair, _strands(look.hair)
    hairline = {"receding": -0.43, "fringe": -0.17, "afro": -0.3}.get(look.haircut, -0.29)
    radii = (SKULL[0] * look.width + thick, SKULL[1] + thick, SKULL[2] + thick)
    hair = [Solid(SKULL_CENTRE, radii, colour, texture, _cap_region(hairline, nape=0.2))]
    if look.haircut == "bob":
        hair.append(Solid((0, 0.03, -0.1), (0.42 * look.width, 0.5, 0.38), colour, texture, lambda x, y, z: z < 0.1))
    elif look.haircut == "long":
        hair.append(Solid((0, 0.25, -0.13), (0.43 * look.width, 0.75, 0.3), colour, texture, lambda x, y, z: z < 0.1))
    elif look.haircut == "bun" and not covered:
        hair.append(Solid((0, -0.46, -0.27), (0.16, 0.16, 0.16), colour, texture))
    elif look.haircut == "ponytail":
        hair.append(Solid((0, 0.1, -0.47), (0.11, 0.42, 0.12), colour, texture))
    return hair


def _cap_region(front: float, nape: float) -> Region:
    """The part of a skull-like ellipsoid above the plane through the hairline (y = front) and the nape."""
    slope = (nape - front) / 0.75
    return lambda x, y, z: y < front + slope * (0.34 - z) + 0.012 * np.sin(x * 70)


def _strands(colour: Colour) -> Texture:
    base = np.asarray(colour, np.float32)
    return lambda x, y, z: (0.94 + 0.06 * np.sin(x * 75 + z * 50 + np.sin(y * 9)))[:, None] * base
