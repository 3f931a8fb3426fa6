"""Tiny deterministic pictures for whole-stack tests: a grey ground with one to three coloured squares.

The scripted engine finds the squares by their colours; the simulated annotators know them from `truth`.
Boxes are canonical pixels, left/top/width/height. Each colour is also a key point of the one person
that the picture is: the middle of its square, occluded where it is small, outside where the picture lacks it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from PIL import Image, ImageDraw

CLASS = "head"
SIDE = 64
CELL = SIDE // 2
COLOURS = ((230, 40, 40), (40, 200, 60), (60, 90, 240), (240, 200, 40))  # one for each quarter of the picture
KEY_POINTS = ("red", "green", "blue", "yellow")  # by COLOURS
OCCLUDED_BELOW = 16  # pixels of a square's side
POISON = (255, 0, 255)  # of the pixel at the top left: the serving process dies of it
EVERY_NTH_IS_A_JPEG = 5


@dataclass(frozen=True)
class Picture:
    """`name` is relative to the batch's prefix; `boxes` and `key_points` as the control API takes them."""

    name: str
    body: bytes
    boxes: tuple[dict[str, Any], ...]
    key_points: tuple[dict[str, Any], ...] = ()

    @property
    def truth(self) -> dict[str, Any]:
        people = [{"left": 0, "top": 0, "width": SIDE, "height": SIDE, "points": list(self.key_points)}]
        return {"width": SIDE, "height": SIDE, "boxes": list(self.boxes), "people": people}


def pictures(count: int, seed: object = 0, first: int = 0) -> list[Picture]:
    """The same seed and number always give the same bytes; the first n of a longer series are those of a shorter."""
    return [picture(seed, number) for number in range(first, first + count)]


def picture(seed: object, number: int, name: str = "", poison: bool = False) -> Picture:
    random = Random(f"{seed}/{number}")
    image = Image.new("RGB", (SIDE, SIDE), (random.randint(95, 145),) * 3)
    draw = ImageDraw.Draw(image)
    boxes = []
    points = {name: {"name": name, "x": None, "y": None, "visibility": "outside"} for name in KEY_POINTS}
    for cell in sorted(random.sample(range(4), random.randint(1, 3))):
        side = random.randint(12, 24)
        left = cell % 2 * CELL + random.randint(3, CELL - side - 3)
        top = cell // 2 * CELL + random.randint(3, CELL - side - 3)
        draw.rectangle((left, top, left + side - 1, top + side - 1), fill=COLOURS[cell])
        boxes.append({"class": CLASS, "left": left, "top": top, "width": side, "height": side})
        place = {"x": left + side // 2, "y": top + side // 2}
        visibility = "occluded" if side < OCCLUDED_BELOW else "visible"
        points[KEY_POINTS[cell]] |= {**place, "visibility": visibility}
    if poison:
        image.putpixel((0, 0), POISON)
    jpeg = not poison and number % EVERY_NTH_IS_A_JPEG == EVERY_NTH_IS_A_JPEG - 1
    stored = io.BytesIO()
    if jpeg:
        image.save(stored, "JPEG", quality=95, subsampling=0)
    else:
        image.save(stored, "PNG")
    return Picture(
        name or f"{number:05d}.{'jpg' if jpeg else 'png'}", stored.getvalue(), tuple(boxes), tuple(points.values())
    )


def truth(prefix: str, drawn: Sequence[Picture]) -> dict[str, Any]:
    """What PUT /_labelloop/truth takes, for pictures uploaded under incoming/<prefix>/."""
    return {"classes": [CLASS], "images": {f"incoming/{prefix}/{each.name}": each.truth for each in drawn}}
