"""Who sits in the car: seeded appearance and pose of one person. Ranges only; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenes.canvas import Colour, shaded

SKIN: tuple[Colour, ...] = (
    (247, 214, 190),
    (229, 184, 152),
    (205, 152, 116),
    (160, 108, 76),
    (112, 72, 50),
    (70, 45, 34),
)
HAIR: tuple[Colour, ...] = (
    (22, 19, 18), (44, 31, 24), (84, 56, 36), (128, 86, 48),
    (196, 160, 100), (150, 62, 30), (150, 148, 146), (224, 222, 218),
)  # fmt: skip
CLOTH: tuple[Colour, ...] = (
    (30, 32, 38), (70, 74, 82), (150, 152, 156), (226, 224, 218), (36, 56, 110), (120, 34, 40),
    (52, 92, 66), (190, 150, 92), (206, 96, 130), (228, 190, 70), (88, 60, 120), (196, 120, 92),
)  # fmt: skip
HAIRCUTS = ("bald", "receding", "short", "fringe", "afro", "bob", "long", "bun", "ponytail")
HAIRCUT_ODDS = (0.08, 0.08, 0.28, 0.13, 0.07, 0.12, 0.13, 0.06, 0.05)
HEADGEAR = ("none", "cap", "cap-backwards", "beanie", "headscarf", "hood", "helmet")
HEADGEAR_ODDS = (0.70, 0.09, 0.02, 0.07, 0.06, 0.04, 0.02)


@dataclass(frozen=True)
class Look:
    skin: Colour
    hair: Colour
    haircut: str
    volume: float
    beard: str
    headgear: str
    headgear_colour: Colour
    eyewear: str
    face_mask: bool
    mask_colour: Colour
    eyes_open: bool
    mouth_open: float
    cloth: Colour
    cloth_second: Colour
    cloth_pattern: str
    width: float


@dataclass(frozen=True)
class Pose:
    """Angles in radians: yaw > 0 looks to the image's right, pitch > 0 down, roll > 0 tilts clockwise."""

    kind: str
    yaw: float
    pitch: float
    roll: float


def draw_look(rng: np.random.Generator) -> Look:
    bearded = rng.random() < 0.3
    tone = rng.uniform(0, len(SKIN) - 1.001)
    low, share = int(tone), tone - int(tone)
    skin = tuple(SKIN[low][i] * (1 - share) + SKIN[low + 1][i] * share for i in range(3))
    return Look(
        skin=(skin[0], skin[1], skin[2]),
        hair=_varied(rng, HAIR),
        haircut=str(rng.choice(HAIRCUTS, p=HAIRCUT_ODDS)),
        volume=float(rng.uniform(0.03, 0.09)),
        beard=str(rng.choice(["stubble", "full", "moustache"])) if bearded else "none",
        headgear=str(rng.choice(HEADGEAR, p=HEADGEAR_ODDS)),
        headgear_colour=_varied(rng, CLOTH),
        eyewear=str(rng.choice(["none", "glasses", "sunglasses"], p=[0.68, 0.18, 0.14])),
        face_mask=bool(rng.random() < 0.08),
        mask_colour=((236, 238, 240), (120, 170, 200), (34, 34, 38))[int(rng.integers(3))],
        eyes_open=bool(rng.random() < 0.85),
        mouth_open=float(max(0.0, rng.normal(0.0, 0.5))),
        cloth=_varied(rng, CLOTH),
        cloth_second=_varied(rng, CLOTH),
        cloth_pattern=str(rng.choice(["plain", "stripes", "checks", "jacket"], p=[0.5, 0.16, 0.12, 0.22])),
        width=float(rng.uniform(0.9, 1.1)),
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Mostly towards the road, with a tail of the poses that a small labelled set misses."""
    kind = str(rng.choice(["road", "profile", "down", "asleep", "away", "up"], p=[0.58, 0.17, 0.11, 0.06, 0.05, 0.03]))
    side = float(rng.choice([-1.0, 1.0]))
    yaw, pitch, roll = rng.normal(0, 22), rng.normal(4, 8), rng.normal(0, 6)
    if kind == "profile":
        yaw = side * rng.uniform(55, 100)
    elif kind == "down":
        pitch = rng.uniform(28, 55)
    elif kind == "asleep":
        roll, pitch = side * rng.uniform(18, 42), rng.uniform(0, 30)
    elif kind == "away":
        yaw = side * rng.uniform(115, 175)
    elif kind == "up":
        pitch = rng.uniform(-38, -20)
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    return Pose(kind, float(yaw), float(pitch), float(roll))


def _varied(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    return shaded(palette[int(rng.integers(len(palette)))], float(rng.uniform(0.75, 1.2)))
