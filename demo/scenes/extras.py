"""Things that look like heads but are not, and things in front of heads. `size` is a head's height in pixels."""

from __future__ import annotations

import cv2
import numpy as np

from demo.scenes.canvas import Array, Canvas, Colour, Light, pad, polygon, shaded, stroke
from demo.scenes.heads import solids_of
from demo.scenes.people import CLOTH, HAIR, SKIN, draw_look, draw_pose
from demo.scenes.solids import Solid, cast, paste, rotation

DISTRACTORS = ("bag", "balloon", "toy", "ball", "face-picture", "hat")
Point = tuple[float, float]


def paint_distractor(canvas: Canvas, kind: str, centre: Point, size: float, rng: np.random.Generator) -> None:
    {
        "bag": _bag,
        "balloon": _balloon,
        "toy": _toy,
        "ball": _ball,
        "face-picture": _face_picture,
        "hat": _hat,
    }[kind](canvas, centre, size, rng)


def paint_hand(canvas: Canvas, target: Point, size: float, rng: np.random.Generator) -> str:
    """A forearm from below with a hand at `target`, now and then holding a phone or a cup."""
    x, y = target
    skin = shaded(_pick(rng, SKIN), float(rng.uniform(0.8, 1.1)))
    sleeve = _pick(rng, CLOTH)
    elbow = (x + rng.uniform(-0.9, 0.9) * size, y + 1.9 * size)
    wrist = (x + 0.25 * (elbow[0] - x), y + 0.25 * (elbow[1] - y))
    stroke(canvas, [elbow, wrist], sleeve, 0.34 * size)
    stroke(canvas, [wrist, target], shaded(skin, 0.9), 0.2 * size)
    held = str(rng.choice(["nothing", "phone", "cup"], p=[0.6, 0.25, 0.15]))
    if held == "phone":
        pad(
            canvas,
            (x, y - 0.1 * size),
            (0.14 * size, 0.3 * size),
            (30, 30, 34),
            power=8,
            angle=float(rng.uniform(-0.5, 0.5)),
        )
    elif held == "cup":
        pad(canvas, (x, y - 0.12 * size), (0.16 * size, 0.24 * size), (232, 230, 224), power=8)
    pad(canvas, target, (0.2 * size, 0.22 * size), skin, power=2)
    spread = float(rng.uniform(-0.4, 0.4))
    for finger in range(4):
        direction = -np.pi / 2 + spread + (finger - 1.5) * 0.3
        tip = (x + 0.36 * size * np.cos(direction), y + 0.36 * size * np.sin(direction))
        stroke(canvas, [target, tip], shaded(skin, 0.85 + 0.05 * finger), 0.085 * size)
    return held


def paint_wheel(canvas: Canvas, centre: Point, radius: float, rng: np.random.Generator) -> None:
    """The steering wheel's rim and a hand or two on it."""
    angles = np.linspace(0, 2 * np.pi, 49)
    rim = np.stack([centre[0] + radius * np.cos(angles), centre[1] + 0.85 * radius * np.sin(angles)], axis=1)
    stroke(canvas, rim, (40, 40, 44), 0.13 * radius)
    stroke(canvas, rim - (0, 0.02 * radius), (86, 86, 90), 0.04 * radius)
    skin = _pick(rng, SKIN)
    for angle in (-2.4, -0.75):
        if rng.random() < 0.6:
            at = (centre[0] + radius * np.cos(angle), centre[1] + 0.85 * radius * np.sin(angle))
            pad(canvas, at, (0.15 * radius, 0.13 * radius), skin, power=2)


def paint_visor(canvas: Canvas, centre: Point, size: float) -> None:
    """A folded-down sun visor or, smaller, the rear-view mirror's back."""
    pad(canvas, centre, (0.75 * size, 0.2 * size), (120, 116, 108), power=8)


def _bag(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    colour = shaded(_pick(rng, (*CLOTH, *HAIR)), float(rng.uniform(0.7, 1.2)))
    x, y = centre
    wide, high = float(rng.uniform(0.35, 0.6)) * size, float(rng.uniform(0.35, 0.55)) * size
    handle = [
        (x - 0.5 * wide, y - high),
        (x - 0.3 * wide, y - 1.5 * high),
        (x + 0.3 * wide, y - 1.5 * high),
        (x + 0.5 * wide, y - high),
    ]
    stroke(canvas, handle, shaded(colour, 0.5), 0.08 * size)
    pad(canvas, centre, (wide, high), colour, power=int(rng.choice([2, 4])))
    stroke(
        canvas, [(x - 0.8 * wide, y - 0.2 * high), (x + 0.8 * wide, y - 0.2 * high)], shaded(colour, 0.5), 0.04 * size
    )


def _balloon(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    colour = shaded(_pick(rng, ((220, 60, 60), (240, 200, 60), (90, 150, 220), (240, 150, 190), (220, 180, 150))), 1.0)
    x, y = centre
    stroke(canvas, [(x, y + 0.5 * size), (x + 0.1 * size, y + 1.3 * size)], (210, 210, 210), 0.02 * size)
    pad(canvas, centre, (0.4 * size, 0.5 * size), colour, power=2)
    if rng.random() < 0.5:
        for side in (-0.13, 0.13):
            pad(canvas, (x + side * size, y - 0.1 * size), (0.05 * size, 0.07 * size), (20, 20, 20), power=2)
        smile = [(x + dx * size, y + (0.2 - 2.2 * dx * dx) * size) for dx in (-0.2, -0.1, 0.0, 0.1, 0.2)]
        stroke(canvas, smile, (20, 20, 20), 0.04 * size)


def _toy(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    """A soft toy: furry head with round ears, snout and button eyes over a small body."""
    fur = _pick(rng, ((150, 104, 62), (196, 160, 120), (232, 226, 216), (110, 110, 116), (214, 150, 170)))
    x, y = centre
    ear = float(rng.choice([0.14, 0.18]))
    stretch = float(rng.choice([1.0, 1.0, 2.6]))
    pad(canvas, (x, y + 0.75 * size), (0.36 * size, 0.42 * size), fur, power=2)
    for side in (-1, 1):
        ear_at = (x + side * 0.27 * size, y - 0.3 * size * (1 + 0.3 * (stretch - 1)))
        pad(canvas, ear_at, (ear * size, ear * stretch * size), fur, power=2)
    pad(canvas, centre, (0.42 * size, 0.38 * size), fur, power=2)
    pad(canvas, (x, y + 0.14 * size), (0.19 * size, 0.14 * size), shaded(fur, 1.25), power=2)
    pad(canvas, (x, y + 0.08 * size), (0.06 * size, 0.04 * size), (24, 20, 20), power=2)
    for side in (-1, 1):
        pad(canvas, (x + side * 0.15 * size, y - 0.07 * size), (0.04 * size, 0.045 * size), (16, 14, 14), power=2)


def _ball(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    turn = float(rng.uniform(0, 6))

    def patches(u: Array, v: Array) -> Array:
        return np.where(np.sin(7 * u + turn) * np.sin(7 * v + 2 * turn) > 0.45, 0.2, 1.0)

    pad(canvas, centre, (0.44 * size, 0.44 * size), (226, 224, 220), power=2, pattern=patches)


def _face_picture(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    """A face on a poster or a phone screen: a flat, framed picture of a head is not a head."""
    wide, high = 0.4 * size, float(rng.uniform(0.5, 0.62)) * size
    x, y = centre
    frame = 0.07 * size
    shape = [(x - wide, y - high), (x + wide, y - high), (x + wide, y + high), (x - wide, y + high)]
    outer = [(px + np.sign(px - x) * frame, py + np.sign(py - y) * frame) for px, py in shape]
    polygon(canvas, outer, (24, 24, 28) if rng.random() < 0.6 else (236, 234, 228))
    polygon(canvas, shape, shaded(_pick(rng, CLOTH), 1.1))
    pose = draw_pose(rng)
    head = cast(
        solids_of(draw_look(rng)),
        rotation(0.4 * pose.yaw, 0.5 * pose.pitch, pose.roll),
        (x, y - 0.05 * size),
        0.62 * size,
        Light((0.0, 0.0, 1.0), 0.7, 0.25),
    )
    clip = np.zeros(canvas.owner.shape, np.uint8)
    cv2.fillPoly(clip, [np.round(np.asarray(shape)).astype(np.int32)], 1)
    before = canvas.rgb.copy()
    pad(canvas, (x, y + 0.8 * high), (0.75 * wide, 0.35 * high), _pick(rng, CLOTH), power=2)
    paste(canvas, head, owner=0)
    canvas.rgb[clip == 0] = before[clip == 0]


def _hat(canvas: Canvas, centre: Point, size: float, rng: np.random.Generator) -> None:
    """A cap left on a headrest or a parcel shelf."""
    colour = _pick(rng, CLOTH)
    crown = Solid((0, 0, 0), (0.38, 0.36, 0.4), colour, None, lambda x, y, z: y < 0.02)
    brim = Solid((0, 0.0, 0.4), (0.28, 0.04, 0.28), shaded(colour, 0.7))
    turn = rotation(float(rng.normal(0, 0.7)), 0.25, float(rng.normal(0, 0.15)))
    paste(canvas, cast([crown, brim], turn, (centre[0], centre[1] + 0.1 * size), size, canvas.light), owner=0)


def _pick(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    return palette[int(rng.integers(len(palette)))]
