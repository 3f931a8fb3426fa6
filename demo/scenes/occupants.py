"""One person in a seat: torso, neck, head, seat belt; and the head's description for the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenes.cabin import Seat, View
from demo.scenes.canvas import Array, Canvas, pad, polygon, shaded, stroke
from demo.scenes.heads import solids_of
from demo.scenes.people import Look, Pose, draw_look, draw_pose
from demo.scenes.solids import Relief, cast, paste, rotation


@dataclass(frozen=True)
class Occupant:
    seat: Seat
    look: Look
    pose: Pose
    x: float
    y: float
    head: float


@dataclass(frozen=True)
class PaintedHead:
    """`owner`: its number in the canvas's owner map; `turn`: the head-to-camera rotation matrix."""

    owner: int
    occupant: Occupant
    relief: Relief
    turn: Array


def draw_occupant(rng: np.random.Generator, seat: Seat) -> Occupant:
    """Where this person's head is: posture moves it, children sit lower and are smaller."""
    child = rng.random() < (0.05 if seat.front else 0.3)
    head = seat.head * float(rng.uniform(0.88, 1.18)) * (0.8 if child else 1.0)
    lean = float(rng.normal(0, 0.055 if seat.front else 0.02))
    drop = float(rng.normal(0.0, 0.03)) + (0.3 * seat.head if child else 0.0)
    return Occupant(seat, draw_look(rng), draw_pose(rng), seat.x + lean, seat.y + drop, head)


def paint_occupant(canvas: Canvas, view: View, person: Occupant, owner: int, rng: np.random.Generator) -> PaintedHead:
    x, y = view.at(person.x, person.y)
    size = person.head * view.unit
    shoulder_x = 0.5 * (x + view.at(person.seat.x, 0)[0])
    _torso(canvas, person.look, (shoulder_x, y + 1.5 * size), size)
    throat = shaded(person.look.skin, 0.72)
    neck = [(x - 0.2 * size, y), (x + 0.2 * size, y)]
    neck += [(shoulder_x + 0.27 * size, y + 0.82 * size), (shoulder_x - 0.27 * size, y + 0.82 * size)]
    polygon(canvas, neck, throat)
    if rng.random() < 0.25:
        pad(canvas, (shoulder_x, y + 0.72 * size), (0.4 * size, 0.2 * size), person.look.cloth_second, power=2)
    if person.seat.front and rng.random() < 0.8:
        outer = np.sign(person.seat.x)
        belt = [(shoulder_x + outer * 0.75 * size, y + 0.75 * size), (shoulder_x - outer * 0.6 * size, y + 2.3 * size)]
        stroke(canvas, belt, (34, 34, 36), 0.13 * size)
    turn = rotation(person.pose.yaw, person.pose.pitch, person.pose.roll)
    relief = cast(solids_of(person.look), turn, (x, y), size, canvas.light)
    paste(canvas, relief, owner)
    return PaintedHead(owner, person, relief, turn)


def _torso(canvas: Canvas, look: Look, centre: tuple[float, float], size: float) -> None:
    second = float(np.mean(look.cloth_second)) / max(20.0, float(np.mean(look.cloth)))

    def pattern(u: Array, v: Array) -> Array:
        if look.cloth_pattern == "stripes":
            return np.asarray(np.where(np.sin(v * 26) > 0, 1.0, np.clip(second, 0.4, 1.8)))
        if look.cloth_pattern == "checks":
            return np.asarray(1 + 0.18 * np.sign(np.sin(u * 20)) + 0.18 * np.sign(np.sin(v * 20)))
        return np.asarray(np.where(np.abs(u) < 0.1 + 0.12 * (1 - v), np.clip(second, 0.4, 1.8), 1.0))

    for side in (-1, 1):
        arm = (centre[0] + side * 0.8 * size, centre[1] + 0.55 * size)
        pad(canvas, arm, (0.24 * size, 0.95 * size), shaded(look.cloth, 0.92), power=4, angle=-side * 0.12)
    pad(
        canvas,
        centre,
        (0.86 * size, 0.86 * size),
        look.cloth,
        power=4,
        pattern=None if look.cloth_pattern == "plain" else pattern,
    )
