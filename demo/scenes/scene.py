"""Draw one in-cabin scene from (seed, index): the picture, the tight head boxes and the key points."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from demo.scenes.cabin import SEATS, Interior, Seat, View, draw_interior, paint_bench, paint_front_seat, paint_shell
from demo.scenes.camera import Optics, draw_optics, photograph
from demo.scenes.canvas import Array, Canvas, new_canvas
from demo.scenes.extras import DISTRACTORS, paint_distractor, paint_hand, paint_visor, paint_wheel
from demo.scenes.heads import keypoints
from demo.scenes.lighting import Lighting, draw_lighting
from demo.scenes.occupants import Occupant, PaintedHead, draw_occupant, paint_occupant
from demo.scenes.people import CLOTH
from demo.scenes.solids import Relief

TAKEN = {"driver": 0.9, "passenger": 0.6, "rear-left": 0.13, "rear-middle": 0.05, "rear-right": 0.13}
MOST_OCCUPANTS = 4
LEAST_SEEN = 0.4
"""Share of every head that can be seen; scenes with a head hidden more than this are drawn again."""
LEAST_SIDE = 0.05
"""Shortest box side, as a share of the picture's height."""


@dataclass(frozen=True)
class Scene:
    """`image` HxWx3 uint8 RGB. `boxes` and `keypoints` have one entry per head, in the same order; pixels.

    A box is `{"class", "left", "top", "width", "height"}`, the tight box of the head's pixels inside the picture, seen
    or hidden (heads.py says what belongs to a head). Key points: `[{"name", "x", "y", "visibility"}]`.
    """

    image: Array
    boxes: list[dict[str, Any]]
    keypoints: list[list[dict[str, Any]]]
    conditions: dict[str, Any]


def render(seed: int, index: int, size: tuple[int, int] = (320, 240)) -> Scene:
    """The scene number `index` of the series `seed`, `size` = (width, height); depends on nothing else."""
    for attempt in count():
        scene = _attempt(np.random.default_rng([seed, index, attempt]), size)
        if scene is not None:
            return scene
    raise AssertionError("unreachable")


def _attempt(rng: np.random.Generator, size: tuple[int, int]) -> Scene | None:
    lighting, interior = draw_lighting(rng), draw_interior(rng)
    view = _draw_view(rng, size)
    people = [draw_occupant(rng, seat) for seat in _taken_seats(rng)]
    canvas = new_canvas(size[0], size[1], lighting.behind())
    paint_shell(canvas, view, interior, lighting, rng)
    distractors: list[str] = []
    heads = _paint_rear(canvas, view, interior, people, distractors, rng)
    canvas.light = lighting.light
    heads += _paint_front(canvas, view, interior, people, len(heads), distractors, rng)
    occluders = _paint_foreground(canvas, view, heads, rng)
    boxes = [_box(head.relief, size) for head in heads]
    shares = [_seen_share(canvas, head) for head in heads]
    shown = [(head, box, share) for head, box, share in zip(heads, boxes, shares, strict=True) if box is not None]
    if not shown or any(not _fair(box, share, size) for _, box, share in shown):
        return None
    optics = draw_optics(rng, lighting)
    points = [keypoints(canvas, head.relief, head.turn, head.owner, head.occupant.look) for head, _, _ in shown]
    image = photograph(canvas.rgb, lighting, optics, rng)
    told = _conditions(lighting, optics, shown, distractors, occluders)
    return Scene(image, [box for _, box, _ in shown], points, told)


def _draw_view(rng: np.random.Generator, size: tuple[int, int]) -> View:
    """Wide over the whole cabin, or closer on one front seat: head sizes vary by a factor of five."""
    width, height = size
    shot = rng.random()
    if shot < 0.25:
        zoom, focus = rng.uniform(1.05, 1.25), (rng.normal(0, 0.05), rng.uniform(0.43, 0.52))
    else:
        side = float(rng.choice([-1.0, 1.0], p=[0.3, 0.7]))
        zoom = rng.uniform(1.4, 1.9) if shot < 0.65 else rng.uniform(1.9, 2.6)
        focus = (side * rng.uniform(0.26, 0.44), rng.uniform(0.42, 0.52))
    return View(float(zoom * height), (float(focus[0]), float(focus[1])), (width / 2, height / 2))


def _taken_seats(rng: np.random.Generator) -> list[Seat]:
    taken = [seat for seat in SEATS if rng.random() < TAKEN[seat.name]]
    while len(taken) > MOST_OCCUPANTS:
        taken.pop(int(rng.integers(len(taken))))
    return taken or [SEATS[-1]]


def _paint_rear(
    canvas: Canvas,
    view: View,
    interior: Interior,
    people: list[Occupant],
    distractors: list[str],
    rng: np.random.Generator,
) -> list[PaintedHead]:
    paint_bench(canvas, view, interior)
    heads: list[PaintedHead] = []
    for seat in SEATS[:3]:
        person = next((person for person in people if person.seat is seat), None)
        if person is not None:
            heads.append(paint_occupant(canvas, view, person, len(heads) + 1, rng))
        elif rng.random() < 0.15:
            kind = str(rng.choice(DISTRACTORS))
            place = view.at(seat.x + float(rng.normal(0, 0.02)), seat.y + float(rng.uniform(0.0, 0.12)))
            paint_distractor(canvas, kind, place, seat.head * view.unit * float(rng.uniform(0.7, 1.1)), rng)
            distractors.append(kind)
    return heads


def _paint_front(
    canvas: Canvas,
    view: View,
    interior: Interior,
    people: list[Occupant],
    painted: int,
    distractors: list[str],
    rng: np.random.Generator,
) -> list[PaintedHead]:
    heads: list[PaintedHead] = []
    for seat in SEATS[3:]:
        cover = CLOTH[int(rng.integers(len(CLOTH)))] if rng.random() < 0.12 else None
        paint_front_seat(canvas, view, interior, seat, cover)
        person = next((person for person in people if person.seat is seat), None)
        if person is not None:
            heads.append(paint_occupant(canvas, view, person, painted + len(heads) + 1, rng))
        elif rng.random() < 0.3:
            kind = str(rng.choice(DISTRACTORS))
            low = 0.0 if kind in ("hat", "balloon") else 0.6
            place = view.at(
                seat.x + float(rng.normal(0, 0.03)), seat.y + seat.head * (low + float(rng.uniform(-0.3, 0.5)))
            )
            paint_distractor(canvas, kind, place, seat.head * view.unit * float(rng.uniform(0.7, 1.1)), rng)
            distractors.append(kind)
    return heads


def _paint_foreground(canvas: Canvas, view: View, heads: list[PaintedHead], rng: np.random.Generator) -> list[str]:
    occluders: list[str] = []
    if rng.random() < 0.7:
        radius = 0.3 * view.unit
        paint_wheel(canvas, view.at(0.42 + float(rng.normal(0, 0.03)), float(rng.uniform(0.9, 1.06))), radius, rng)
        occluders.append("wheel")
    for head in heads:
        x, y = head.relief.centre
        size = head.relief.scale
        chance = rng.random()
        if chance < 0.12:
            at = (x + float(rng.uniform(-0.45, 0.45)) * size, y + float(rng.uniform(-0.15, 0.5)) * size)
            occluders.append("hand-" + paint_hand(canvas, at, size, rng))
        elif chance < 0.16 and head.occupant.seat.front:
            paint_visor(canvas, (x + float(rng.uniform(-0.3, 0.3)) * size, y - 0.45 * size), size)
            occluders.append("visor")
    return occluders


def _box(relief: Relief, size: tuple[int, int]) -> dict[str, Any] | None:
    """Tight around the silhouette's pixels inside the picture; None where none is inside."""
    height, width = relief.silhouette.shape
    top, left = min(height, max(0, -relief.top)), min(width, max(0, -relief.left))
    inside = relief.silhouette[top : max(top, size[1] - relief.top), left : max(left, size[0] - relief.left)]
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if rows.size == 0:
        return None
    return {
        "class": "head",
        "left": int(columns[0]) + left + relief.left,
        "top": int(rows[0]) + top + relief.top,
        "width": int(columns[-1] - columns[0]) + 1,
        "height": int(rows[-1] - rows[0]) + 1,
    }


def _seen_share(canvas: Canvas, head: PaintedHead) -> float:
    return float((canvas.owner == head.owner).sum() / max(1, head.relief.silhouette.sum()))


def _fair(box: dict[str, Any], share: float, size: tuple[int, int]) -> bool:
    return share >= LEAST_SEEN and min(box["width"], box["height"]) >= LEAST_SIDE * size[1]


def _conditions(
    lighting: Lighting,
    optics: Optics,
    shown: list[tuple[PaintedHead, dict[str, Any], float]],
    distractors: list[str],
    occluders: list[str],
) -> dict[str, Any]:
    people = [head.occupant for head, _, _ in shown]
    return {
        "light": lighting.kind,
        "blur": "motion" if optics.motion else "defocus" if optics.defocus > 1.2 else "none",
        "noise": round(optics.noise, 1),
        "seats": [person.seat.name for person in people],
        "poses": [person.pose.kind for person in people],
        "headgear": [person.look.headgear for person in people],
        "seen": [round(share, 2) for _, _, share in shown],
        "distractors": distractors,
        "occluders": occluders,
    }
