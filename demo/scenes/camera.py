"""From the painted scene to the picture a cheap cabin camera delivers: light streaks, blur, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demo.scenes.canvas import Array, to_bytes
from demo.scenes.lighting import Lighting

METERED_MEAN, GAIN_LIMITS = 88.0, (0.75, 1.6)
"""Automatic exposure: the grey level it aims at and the gains it has; what is darker still stays dark."""


@dataclass(frozen=True)
class Optics:
    """`defocus`, `motion`: in pixels of a 240-line picture; `noise`: standard deviation in grey levels."""

    defocus: float
    motion: float
    motion_angle: float
    noise: float
    exposure: float
    quality: int
    beam: bool
    hot_spots: int


def draw_optics(rng: np.random.Generator, lighting: Lighting) -> Optics:
    """Most pictures are sharp and clean; noise, defocus and motion are the exceptions a small labelled set misses."""
    dark = lighting.kind in ("dusk", "night")
    noisy = rng.random() < (0.25 if dark else 0.08)
    return Optics(
        defocus=float(rng.uniform(1.3, 2.2)) if rng.random() < 0.05 else float(rng.uniform(0.5, 0.65)),
        motion=float(rng.uniform(3, 7)) if rng.random() < (0.08 if dark else 0.04) else 0.0,
        motion_angle=float(rng.uniform(-0.6, 0.6)),
        noise=float(rng.uniform(5, 11)) if noisy else float(rng.uniform(1.0, 2.5)),
        exposure=float(np.exp(rng.normal(0, 0.2))),
        quality=int(rng.integers(25, 50)) if rng.random() < 0.1 else int(rng.integers(70, 95)),
        beam=bool(lighting.kind == "side" and rng.random() < 0.6),
        hot_spots=int(rng.integers(0, 4)) if lighting.infrared else 0,
    )


def photograph(rgb: Array, lighting: Lighting, optics: Optics, rng: np.random.Generator) -> Array:
    """RGB in, RGB of the same size out; nothing in it moves, so boxes stay valid."""
    height, width = rgb.shape[:2]
    picture = rgb.astype(np.float32)
    if lighting.infrared:
        grey = cv2.transform(picture, np.asarray([(0.5, 0.35, 0.15)], np.float32))
        picture = 255 * (grey / 255) ** np.float32(0.72) * _vignette(width, height, rng)
    else:
        picture *= np.asarray(lighting.tint, np.float32)
        if optics.beam:
            picture *= _beam(width, height, rng)[:, :, None]
        if lighting.kind == "glare":
            picture = _windscreen(picture, rng)
    picture *= np.float32(optics.exposure * np.clip(METERED_MEAN / max(1.0, float(picture.mean())), *GAIN_LIMITS))
    for _ in range(optics.hot_spots):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.012, 0.045) * height
        picture += 230 * _spot(width, height, float(x), float(y), float(radius))
    picture = _blur(picture, optics, height)
    strength = np.float32(0.6 * optics.noise) + np.sqrt(picture) * np.float32(0.4 * optics.noise / 16)
    picture += rng.standard_normal(picture.shape, np.float32) * strength
    return _compressed(to_bytes(picture), optics.quality)


def _blur(picture: Array, optics: Optics, height: int) -> Array:
    scale = height / 240
    if optics.motion:
        length = optics.motion * scale
        radius = int(np.ceil(length / 2))
        kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
        for step in np.linspace(-length / 2, length / 2, 4 * radius + 1):
            column, row = (
                round(radius + step * np.cos(optics.motion_angle)),
                round(radius + step * np.sin(optics.motion_angle)),
            )
            kernel[row, column] += 1
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), optics.defocus * scale), np.float32)


def _beam(width: int, height: int, rng: np.random.Generator) -> Array:
    """A slanting patch of sun through a side window."""
    mask = np.ones((height, width), np.float32)
    x, y = rng.uniform(0, width), rng.uniform(0.2, 0.7) * height
    box = ((x, y), (rng.uniform(0.15, 0.45) * height, rng.uniform(0.4, 1.2) * height), rng.uniform(-50, 50))
    corners = np.round(cv2.boxPoints(box)).astype(np.int32)
    cv2.fillPoly(mask, [corners], float(rng.uniform(1.4, 2.1)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.01 * height))


def _windscreen(picture: Array, rng: np.random.Generator) -> Array:
    """What the windscreen adds in low sun: a veil, brightest around the sun, and the sky and trees it mirrors."""
    height, width = picture.shape[:2]
    veil = _spot(width, height, rng.uniform(0, width), rng.uniform(0, 0.6) * height, rng.uniform(0.4, 1.0) * height)
    mirrored = np.zeros((height // 4, width // 4), np.float32)
    for _ in range(int(rng.integers(4, 10))):
        x, y = rng.uniform(0, width / 4), rng.uniform(0, height / 4)
        size = (rng.uniform(0.03, 0.25) * width, rng.uniform(0.02, 0.12) * height)
        cv2.ellipse(mirrored, ((x, y), size, rng.uniform(-40, 40)), float(rng.uniform(0.2, 1.0)), -1)
    mirrored = cv2.resize(cv2.GaussianBlur(mirrored, (0, 0), 1.0), (width, height))
    kept = np.float32(rng.uniform(0.45, 0.75))
    haze = (rng.uniform(60, 130) * veil + rng.uniform(25, 70) * mirrored)[:, :, None]
    return np.asarray(picture * kept + haze * np.asarray((1.0, 0.98, 0.94), np.float32))


def _vignette(width: int, height: int, rng: np.random.Generator) -> Array:
    """The infrared lamp lights the middle and leaves the corners dark."""
    return 0.35 + 0.75 * _spot(
        width, height, rng.uniform(0.35, 0.65) * width, 0.55 * height, rng.uniform(0.5, 0.9) * height
    )


def _spot(width: int, height: int, x: float, y: float, radius: float) -> Array:
    dx = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(radius)
    dy = (np.arange(height, dtype=np.float32) - np.float32(y)) / np.float32(radius)
    return np.asarray(np.exp(-0.5 * dx * dx)[None, :] * np.exp(-0.5 * dy * dy)[:, None], np.float32)


def _compressed(picture: Array, quality: int) -> Array:
    """What the camera's own JPEG leaves of it; grey pictures come back with three equal channels."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if picture.ndim == 2:
        _, data = cv2.imencode(".jpg", picture, flags)
        return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB), np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
