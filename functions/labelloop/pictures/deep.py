"""Pictures of more than 8 bits in a channel, brought to 8: which stored values become black and white.

Sensors and map tools write values that mean nothing (NaN, -9999, 65535, a hot pixel); spread from the darkest to the
brightest stored value, the picture would be one grey. Looked at is a regular sample of at most 262,144 pixels,
and all of them where these hold one value.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops

from labelloop.pictures.stored import RejectedImage

MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_SAMPLE_SIDE = 512
_AT_ONCE = 2**20  # pixels
_NO_VALUE = "no pixel holds a value: all are 'no data', not a number or infinite"
# Fill values of map and climate tools (-3.4e38, 9.97e36, 1e30); no sensor gives such.
_NO_MEASUREMENT = 1e30
_TAIL = 0.005
# Tails that reach no further than this share of the window beyond it are part of the picture.
_REACH = 0.5
# Of the width of the window.
_ROOM = 1 / 8
# "No data" in maps and of sensors.
_CUSTOMARY = frozenset([-99_999.0, -32_768.0, -32_767.0, -9_999.0, -999.0, 65_535.0])
# A few bright colours are not a fill value.
_COLOURS_APART = 8

Window = tuple[float, float]


def grey(
    image: Image.Image, fixed: Window | None, no_data: float | None, negative: bool = False
) -> tuple[Image.Image, Window]:
    """A grey picture of 8 bits, and the stored values that are black and white in it.

    `negative`: the lower of two values is the brighter one, and black the higher end of a window.
    Raises RejectedImage where no pixel holds a value, all hold the same, or none is within the fixed window.
    """
    image = image.convert("I") if image.mode.startswith("I;16") else image
    values = _values(image, no_data)
    low, high = fixed or _own_window(values)
    if low == high:
        raise RejectedImage("unreadable", f"every pixel that has a value holds {low:g}: there is nothing to see in it")
    factor = 255 / (high - low)
    # Half a step more, because the conversion to 8 bits cuts fractions off. What is not a number becomes black.
    spread = image.convert("F").point(lambda value: value * factor + (0.5 - low * factor)).convert("L")
    if fixed:
        _refuse_beside(fixed, values, [spread])
    return (ImageChops.invert(spread), (high, low)) if negative else (spread, (low, high))


def colours(high: Image.Image, low: Image.Image, fixed: Window | None) -> tuple[Image.Image, Window]:
    """An RGB picture of 8 bits per channel from the high and the low bytes of 16 bits, one window for all channels.

    Black stays 0, and white is all bits that are used: 12 bits in 16 are a picture of 12 bits.
    """
    pairs = [(_small(high).getchannel(name).tobytes(), _small(low).getchannel(name).tobytes()) for name in "RGB"]
    values = _usable((256.0 * one + other for pair in pairs for one, other in zip(*pair, strict=True)), None)
    brightest = _robust(_without_sentinels(values, _COLOURS_APART)[0])[1]
    if values[0] == values[-1]:  # an even ground may have small things on it, between the pixels of the sample
        brightest = max(brightest, 256.0 * max(most for _, most in _extrema(high)))
    window = fixed or (0.0, float(2 ** max(8, int(brightest).bit_length()) - 1))
    table = [_level(value, window) for value in range(65_536)]
    channels = [_channel(high, low, name).point(table, "L") for name in "RGB"]
    if fixed:
        _refuse_beside(fixed, values, channels)
    return Image.merge("RGB", channels), window


def _refuse_beside(window: Window, values: Sequence[float], shown: Sequence[Image.Image]) -> None:
    """All black or all white is what people would call an empty picture."""
    low, high = window
    is_seen = any(channel.getextrema() not in ((0, 0), (255, 255)) for channel in shown)
    if is_seen or (values[0] < high and values[-1] > low):
        return
    held = f"{values[0]:g}" if values[0] == values[-1] else f"{values[0]:g} to {values[-1]:g}"
    side = "above" if values[0] >= high else "below"
    raise RejectedImage(
        "unreadable",
        f"its values ({held}) are all {side} the window {low:g} to {high:g} of DeepPixelWindow: there would be "
        f"nothing to see; set a window that holds them, or none",
    )


def _extrema(image: Image.Image) -> list[tuple[float, float]]:
    return [image.getchannel(name).getextrema() for name in "RGB"]  # type: ignore[misc]


def _channel(high: Image.Image, low: Image.Image, name: str) -> Image.Image:
    """Low and high byte side by side are a number of 16 bits."""
    both = Image.merge("LA", (low.getchannel(name), high.getchannel(name))).tobytes()
    return Image.frombytes("I;16", high.size, both).convert("I")


def _level(value: float, window: Window) -> int:
    low, high = window
    return min(255, max(0, math.floor((value - low) * 255 / (high - low) + 0.5)))


def _small(image: Image.Image) -> Image.Image:
    width, height = (min(side, _SAMPLE_SIDE) for side in image.size)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.NEAREST)


def _values(image: Image.Image, no_data: float | None) -> Sequence[float]:
    """In order: those of the sample; the least and the greatest of all pixels where the sample holds one value."""
    values = _usable(_numbers(_small(image)), no_data)
    if values and values[0] < values[-1]:
        return values
    rows, ends = max(1, _AT_ONCE // image.width), set(values)
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        of_it = _usable(set(_numbers(part)), no_data)
        ends.update(of_it[:1], of_it[-1:])
    if not ends:
        raise RejectedImage("unreadable", _NO_VALUE)
    return [min(ends), max(ends)]


def _numbers(image: Image.Image) -> Iterable[float]:
    return array("f" if image.mode == "F" else "i", image.tobytes())


def _usable(values: Iterable[float], no_data: float | None) -> list[float]:
    """In order, without what means nothing."""
    nothing = None if no_data is None else array("f", [no_data])[0]
    return sorted(
        value for value in values if abs(value) < _NO_MEASUREMENT and value != no_data and value != nothing
    )  # NaN is less than nothing


def _own_window(values: Sequence[float]) -> Window:
    rest, below, above = _without_sentinels(values)
    return _with_room(_robust(rest), below, above)


def _robust(values: Sequence[float]) -> Window:
    """From the darkest to the brightest, but for tails of half a percent that reach far."""
    low, high = values[int(_TAIL * len(values))], values[-1 - int(_TAIL * len(values))]
    if low == high:
        return values[0], values[-1]
    reach = _REACH * (high - low)
    return (
        values[0] if low - values[0] <= reach else low,
        values[-1] if values[-1] - high <= reach else high,
    )


def _without_sentinels(values: Sequence[float], apart: int = 1) -> tuple[Sequence[float], bool, bool]:
    """Without single values at either end that are further from the rest than `apart` times its width: -9999, 65535.

    And whether any was taken off below and above. A value of many pixels may mean something (the ground, the floor): of
    those at most one is taken off at either end, so that no two look the same; dead and hot pixels have no such bound.
    """
    first, end = 0, len(values)
    fewest = max(1, int(_TAIL * len(values)))
    many_below = many_above = False
    while True:
        above = bisect_right(values, values[first], first, end)
        below = bisect_left(values, values[end - 1], first, end)
        low_counts, high_counts = (
            _counts(values[first], above - first, fewest),
            _counts(values[end - 1], end - below, fewest),
        )
        if (
            above < end
            and not (many_below and low_counts)
            and values[above] - values[first] > apart * _width(values, above, end) > 0
        ):
            first, many_below = above, many_below or low_counts
        elif (
            first < below
            and not (many_above and high_counts)
            and values[end - 1] - values[below - 1] > apart * _width(values, first, below) > 0
        ):
            end, many_above = below, many_above or high_counts
        else:
            return values[first:end], first > 0, end < len(values)


def _counts(value: float, pixels: int, fewest: int) -> bool:
    return pixels > fewest and value not in _CUSTOMARY


def _width(values: Sequence[float], first: int, end: int) -> float:
    cut = int(_TAIL * (end - first))
    return values[end - 1 - cut] - values[first + cut]


def _with_room(window: Window, below: bool, above: bool) -> Window:
    """What was taken off keeps a grey of its own: it may be the ground under the houses after all."""
    low, high = window
    room = _ROOM * (high - low)
    return low - room * below, high + room * above
