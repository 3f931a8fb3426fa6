"""A fixed window for pictures of more than 8 bits: one grey for one stored value, in every picture of a batch."""

import io
import math
import struct

import pytest
from deep_files import COUNT, png_16, ramp, tiff, told
from labelloop.pictures.pixels import Limits, canonicalise
from PIL import Image


@pytest.mark.fault("K05")
@pytest.mark.parametrize("kind", ["F", "I", "I;16"])
def test_a_fixed_window_shows_the_same_value_as_the_same_grey_in_every_picture(kind):
    """Of time-of-flight cameras the value is a distance: near and far pictures must not look alike."""
    limits = Limits(window=(1_000, 3_000))
    near, far = ([int(value) for value in ramp(*ends)] for ends in ((1_000, 2_000), (2_000, 3_000)))
    shown = [canonicalise(tiff(values, kind), limits) for values in (near, far)]
    assert [each.scale for each in shown] == [(1_000, 3_000)] * 2
    assert [each.rgb.getpixel((0, 0))[0] for each in shown] == [0, 128]
    assert [each.rgb.getpixel((63, 63))[0] for each in shown] == [128, 255]
    some_beyond = canonicalise(tiff([2_000, *[9_000] * (COUNT - 1)], kind), limits)
    assert some_beyond.rgb.getpixel((9, 0)) == (255, 255, 255), "beyond the window is white"


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("kind", ["F", "I", "I;16", "colours"])
def test_a_fixed_window_that_no_value_is_in_is_told_in_place_of_a_blank_picture(kind, side):
    limits = Limits(window=(0, 4_000) if side == "above" else (40_000, 50_000))
    if kind == "colours":
        data = png_16(2, struct.pack(">3H", 20_000, 25_000, 30_000), second=struct.pack(">3H", 21_000, 22_000, 23_000))
    else:
        data = tiff([int(value) for value in ramp(20_000, 30_000)], kind)
    assert f"are all {side} the window" in told(data, limits)


@pytest.mark.fault("K05")
@pytest.mark.parametrize("kind", ["F", "I", "I;16"])
def test_a_fixed_window_shows_the_one_thing_that_reaches_into_it(kind):
    values = [float(place % 2) if kind == "F" else place % 2 for place in range(COUNT)]
    values[2_000] = 9_000
    assert canonicalise(tiff(values, kind), Limits(window=(100, 4_000))).rgb.getextrema()[0] == (0, 255)


@pytest.mark.fault("K05")
def test_a_fixed_window_holds_for_colours_of_16_bits_too():
    canonical = canonicalise(png_16(2, struct.pack(">3H", 1_000, 2_000, 3_000)), Limits(window=(1_000, 3_000)))
    assert (canonical.rgb.getpixel((0, 0)), canonical.scale) == ((0, 128, 255), (1_000, 3_000))
    assert math.isclose(canonical.scale[0], 1_000)


def inspected(low: int, high: int):
    """The record of a 16 bit picture from `low` to `high`, and the greys of its first and its last pixel as shown."""
    from threading import BoundedSemaphore

    import inspect_images
    from labelloop.contracts.records import InventoryItem
    from labelloop.store import storage

    data = tiff([int(value) for value in ramp(low, high)], "I;16")
    key = f"incoming/b/depth-{low}.tif"
    storage.write(key, data)
    record = inspect_images.inspect(
        InventoryItem(key, None, "etag", len(data), 0.5, False, 0.5), "b", BoundedSemaphore(1)
    )
    shown = Image.open(io.BytesIO(storage.read(storage.own_key(record.source_ref))))
    return record, [shown.getpixel(place)[0] for place in ((0, 0), (63, 63))]


@pytest.mark.fault("K05")
def test_with_a_window_for_the_stack_a_distance_has_the_same_grey_in_every_picture(aws, change_setting):
    change_setting("DEEP_PIXEL_WINDOW", "0,4000")
    (near, greys_near), (far, greys_far) = inspected(1_000, 2_000), inspected(2_000, 3_000)
    assert (greys_near, greys_far) == ([64, 128], [128, 191])
    assert tuple(near.scale) == tuple(far.scale) == (0, 4000)


@pytest.mark.fault("K05")
def test_inspection_looks_through_the_window_that_the_batch_has_pinned(aws):
    from dataclasses import replace

    from labelloop.contracts import settings

    token = settings.pinned.set(replace(settings.settings(), deep_pixel_window="0,4000"))
    try:
        record, greys = inspected(1_000, 2_000)
    finally:
        settings.pinned.reset(token)
    assert tuple(record.scale) == (0, 4000)
    assert greys == [64, 128]
