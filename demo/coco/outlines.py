"""The box of an outline: polygons, or a mask as run lengths, plain or compressed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy
from pycocotools import mask

from demo.coco.entries import LeftOut, number_of

Box = tuple[float, float, float, float]
MOST_PIXELS = 2**32 - 1  # pycocotools counts in 32 bits


def box_of_outline(outline: Any, labelled_size: tuple[int, int]) -> Box:
    """`labelled_size`: width and height of the picture, pixels, which a mask must have, too. Raises LeftOut."""
    if isinstance(outline, Mapping):
        return _of_mask(outline, labelled_size)
    if not isinstance(outline, list) or not outline:
        raise LeftOut("they have neither box nor outline")
    parts = [outline] if all(number_of(each) is not None for each in outline) else outline
    numbers = [[number_of(each) for each in part] for part in parts if isinstance(part, list)]
    values = list(chain.from_iterable(numbers))
    if any(value is None for value in values) or any(len(part) % 2 for part in numbers) or not values:
        raise LeftOut("their outline is not a list of points")
    across = [value for part in numbers for value in part[0::2] if value is not None]
    down = [value for part in numbers for value in part[1::2] if value is not None]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _of_mask(outline: Mapping[str, Any], labelled_size: tuple[int, int]) -> Box:
    """Of run lengths, compressed or not. Raises LeftOut."""
    counts, size = outline.get("counts"), outline.get("size")
    sides = [_side(each) for each in size] if isinstance(size, list) else []
    if len(sides) != 2 or not all(sides) or not isinstance(counts, list | str):
        raise LeftOut("their mask cannot be read")
    if (sides[1], sides[0]) != labelled_size:
        raise LeftOut("their mask has another size than their picture")
    if sides[0] * sides[1] > MOST_PIXELS:
        raise LeftOut("their mask is too large")
    if isinstance(counts, list):
        runs = [number_of(each) for each in counts]
        if any(run is None or run < 0 or not run.is_integer() for run in runs):
            raise LeftOut("their mask cannot be read")
        whole = [int(run or 0) for run in runs]
        if sum(whole) != sides[0] * sides[1]:
            raise LeftOut("their mask cannot be read")
        encoded = mask.frPyObjects({"counts": whole, "size": sides}, *sides)
    else:
        if not counts.isascii() or not _runs_fit(counts, sides[0] * sides[1]):
            raise LeftOut("their mask cannot be read")
        encoded = {"counts": counts.encode("ascii"), "size": sides}
    left, top, width, height = (float(each) for each in numpy.asarray(mask.toBbox(encoded)).ravel())
    return left, top, width, height


def _runs_fit(counts: str, area: int) -> bool:
    """Whether compressed run lengths fill the mask: pycocotools reads what does not without a word, beyond its end."""
    runs: list[int] = []
    value = shift = 0
    for letter in counts:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return False
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return shift == 0 and all(run >= 0 for run in runs) and sum(runs) == area


def _side(value: object) -> int:
    number = number_of(value)
    return int(number) if number is not None and 1 <= number < 1e6 and number.is_integer() else 0
