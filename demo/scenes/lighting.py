"""When and how the scene is lit: the lamp the shapes are shaded with, and what the camera then makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenes.canvas import Light

KINDS = ("day", "side", "backlit", "glare", "dusk", "night")
ODDS = (0.50, 0.14, 0.05, 0.05, 0.07, 0.19)


@dataclass(frozen=True)
class Lighting:
    """`night` is active infrared: grey picture, lamp beside the camera, light falling off with distance.
    `backlit`: the sun behind the car, heads dark before bright windows; `glare`: haze and windscreen reflections.

    `outside`: brightness of the windows, 0..1; `rear_gain`: how much of the light reaches the rear seats.
    """

    kind: str
    light: Light
    outside: float
    rear_gain: float
    tint: tuple[float, float, float]

    @property
    def infrared(self) -> bool:
        return self.kind == "night"

    def behind(self) -> Light:
        """The light on the rear seats."""
        return Light(self.light.direction, self.light.ambient * self.rear_gain, self.light.diffuse * self.rear_gain)


def draw_lighting(rng: np.random.Generator) -> Lighting:
    kind = str(rng.choice(KINDS, p=ODDS))
    if kind == "day":
        light = Light(_unit(rng.uniform(-0.6, 0.6), -0.6, 0.8), rng.uniform(0.35, 0.6), rng.uniform(0.45, 0.75))
        return Lighting(kind, light, rng.uniform(0.75, 1.0), rng.uniform(0.55, 0.9), _tint(rng, 0.06))
    if kind == "side":
        side = rng.choice([-1.0, 1.0])
        light = Light(_unit(side, -0.25, rng.uniform(-0.1, 0.3)), rng.uniform(0.14, 0.3), rng.uniform(0.9, 1.4))
        return Lighting(kind, light, rng.uniform(0.9, 1.0), rng.uniform(0.5, 1.0), (1.06, 1.0, 0.9))
    if kind == "backlit":
        light = Light(_unit(rng.uniform(-0.8, 0.8), -0.5, -0.7), rng.uniform(0.16, 0.26), rng.uniform(0.3, 0.8))
        return Lighting(kind, light, rng.uniform(1.1, 1.4), rng.uniform(0.6, 1.0), _tint(rng, 0.06))
    if kind == "glare":
        light = Light(_unit(rng.uniform(-0.6, 0.6), -0.7, 0.5), rng.uniform(0.25, 0.4), rng.uniform(0.35, 0.6))
        return Lighting(kind, light, rng.uniform(0.8, 1.0), rng.uniform(0.5, 0.8), _tint(rng, 0.08))
    if kind == "dusk":
        light = Light(_unit(rng.uniform(-1, 1), -0.4, 0.5), rng.uniform(0.16, 0.32), rng.uniform(0.2, 0.4))
        tint = ((1.15, 0.95, 0.75), (0.8, 0.95, 1.2))[int(rng.integers(2))]
        return Lighting(kind, light, rng.uniform(0.25, 0.6), rng.uniform(0.5, 0.8), tint)
    light = Light(_unit(rng.uniform(-0.3, 0.3), -0.2, 1.0), rng.uniform(0.04, 0.12), rng.uniform(0.75, 1.15))
    return Lighting(kind, light, rng.uniform(0.0, 0.12), rng.uniform(0.25, 0.55), (1.0, 1.0, 1.0))


def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    norm = float(np.sqrt(x * x + y * y + z * z))
    return (x / norm, y / norm, z / norm)


def _tint(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    red, green, blue = rng.normal(1.0, spread, 3)
    return (float(red), float(green), float(blue))
