"""Pictures of more than 8 bits, and transparent ones: shown as a person would want them, or refused in words."""

import io
import math
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise
from PIL import Image, TiffImagePlugin

from tests.support.odd_headers import chunk

SIDE = 64
COUNT = SIDE * SIDE
NAN, INFINITY = float("nan"), float("inf")
GDAL_NO_DATA = 42113


def tiff(values: list[float], kind: str = "F", no_data: str | None = None) -> bytes:
    """A square grey TIFF; `kind`: F (float), I (32 bits), I;16."""
    code = {"F": "f", "I": "i", "I;16": "H"}[kind]
    image = Image.frombytes(kind, (SIDE, SIDE), struct.pack(f"={COUNT}{code}", *values))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if no_data is not None:
        tags[GDAL_NO_DATA] = no_data
    body = io.BytesIO()
    image.save(body, "TIFF", tiffinfo=tags)
    return body.getvalue()


def ramp(low: float, high: float) -> list[float]:
    return [low + (high - low) * place / (COUNT - 1) for place in range(COUNT)]


def shades(canonical) -> int:
    """How many greys a person can tell apart: those that at least three pixels have."""
    return sum(count >= 3 for count in canonical.rgb.getchannel("R").histogram())


def told(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data, limits or Limits())
    assert refusal.value.reason == "unreadable"
    return refusal.value.detail


WITHOUT_VALUE = [-9999.0, -32768.0, -3.4028234663852886e38, 9.969209968386869e36, 1e20, NAN, INFINITY, -INFINITY]


@pytest.mark.fault("K05")
@pytest.mark.parametrize("nothing", WITHOUT_VALUE)
@pytest.mark.parametrize("share", [0.01, 0.4, 0.9])
def test_what_means_no_data_does_not_decide_what_is_black_and_white(nothing, share):
    values = ramp(10.0, 20.0)
    for place in range(int(share * COUNT)):
        values[place * 7919 % COUNT] = nothing
    canonical = canonicalise(tiff(values))
    low, high = canonical.scale
    assert 8.6 <= low < 11 and 19 < high <= 21.4
    assert shades(canonical) > 30


@pytest.mark.fault("K05")
@pytest.mark.parametrize("nothing", [0, 65535])
def test_in_16_bits_0_and_65535_far_from_all_else_mean_nothing(nothing):
    values = [int(value) for value in ramp(1_000, 1_900)]
    values[: COUNT // 3] = [nothing] * (COUNT // 3)
    canonical = canonicalise(tiff(values, "I;16"))
    assert 1_000 < canonical.scale[0] < 1_350 and 1_890 < canonical.scale[1] <= 2_000
    assert canonical.rgb.getpixel((0, 0))[0] == (0 if nothing == 0 else 255)


@pytest.mark.fault("K05")
def test_both_ends_may_mean_nothing_at_once():
    values = [*[-9999.0] * 500, *[NAN] * 100, *[65535.0] * 500, *ramp(10, 20)[1100:]]
    assert 10 < canonicalise(tiff(values)).scale[0] < canonicalise(tiff(values)).scale[1] <= 21.5


SCENES = {
    "heights above the ground": ("F", [0.0, 6.0, 7.5, 9.0]),
    "depths above a floor": ("I;16", [1_500, 1_000, 950, 900]),
    "a mask of two objects": ("I;16", [0, 1_000, 1_001]),
    "storeys": ("F", [0.0, 100.0, 150.0, 160.0, 162.0]),
    "below and above": ("I", [-4_000, 10, 12, 14, 9_000]),
}


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize("scene", SCENES)
def test_the_nearest_and_the_dimmest_object_are_told_from_the_ground(scene):
    kind, heights = SCENES[scene]
    canonical = canonicalise(tiff([heights[place % len(heights)] for place in range(COUNT)], kind))
    greys = [canonical.rgb.getpixel((place, 0))[0] for place in range(len(heights))]
    in_order = [grey for _, grey in sorted(zip(heights, greys, strict=True))]
    assert in_order == sorted(set(in_order)), "the order of the heights, and no two the same"
    assert abs(greys[1] - greys[0]) > 15


@pytest.mark.fault("K05")
def test_two_customary_fill_values_in_one_picture_mean_nothing():
    values = [*[-32_768.0] * 400, *[-9_999.0] * 400, *ramp(10, 20)[800:]]
    assert shades(canonicalise(tiff(values))) > 100


@pytest.mark.fault("J03", "K06")
@pytest.mark.parametrize("colours", [0, 2])
def test_thousands_of_single_values_far_apart_cost_no_more_than_others(colours):
    """Each was taken off by copying all the rest: 11 kB took half a minute."""
    side, channels = 512, 3 if colours == 2 else 1
    values = np.zeros(side * side * channels, ">u2")
    values[::2] = 1
    values[:3_600] = 20 + np.arange(3_600) * 18
    rows = b"".join(b"\0" + row.tobytes() for row in values.reshape(side, -1))
    header = struct.pack(">IIBBBBB", side, side, 16, colours, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    started = time.process_time()
    canonicalise(data)
    assert time.process_time() - started < 5


@pytest.mark.fault("K05")
@pytest.mark.parametrize("no_data", ["0", "-1 ", "1.5"])
def test_what_the_file_itself_declares_as_no_data_is_believed(no_data):
    """Within reach of the other values nobody could tell."""
    values = ramp(2.0, 3.0)
    values[:1_000] = [float(no_data)] * 1_000
    assert canonicalise(tiff(values, no_data=no_data)).scale[0] > 2.0


@pytest.mark.fault("K05")
@pytest.mark.parametrize("hot", [60_000, 0])
@pytest.mark.parametrize("count", [1, 5, 18])
def test_hot_and_dead_pixels_do_not_make_the_rest_one_grey(hot, count):
    values = [int(value) for value in ramp(20_000, 21_000)]
    for number in range(count):
        values[number * 211 % COUNT] = abs(hot - 100 * number)
    assert shades(canonicalise(tiff(values, "I;16"))) > 200


@pytest.mark.fault("K05")
@pytest.mark.parametrize(
    ("kind", "values"), [("F", ramp(0, 1)), ("I;16", [v // 1 for v in range(COUNT)]), ("I", [*range(-COUNT, 0)])]
)
def test_a_picture_without_outliers_is_shown_from_its_darkest_to_its_brightest(kind, values):
    values = [int(value) if kind != "F" else value for value in values]
    assert canonicalise(tiff(values, kind)).scale == (pytest.approx(values[0]), pytest.approx(values[-1]))


@pytest.mark.fault("K05")
def test_a_small_bright_thing_on_an_even_ground_stays_in_sight():
    values = [100] * COUNT
    values[:8] = [5_000] * 8
    canonical = canonicalise(tiff(values, "I;16"))
    assert canonical.rgb.getpixel((0, 0)) == (255,) * 3 and canonical.rgb.getpixel((40, 40)) == (0,) * 3


@pytest.mark.fault("K05")
@pytest.mark.parametrize("value", [*WITHOUT_VALUE[2:4], NAN, INFINITY, -INFINITY])
def test_a_picture_without_any_value_is_refused_in_words(value):
    assert "no pixel holds a value" in told(tiff([value] * COUNT))


@pytest.mark.fault("K05")
@pytest.mark.parametrize("kind", ["F", "I", "I;16"])
def test_a_picture_of_one_value_is_refused_in_words(kind):
    assert "holds 7: there is nothing to see" in told(tiff([7] * COUNT, kind))


@pytest.mark.fault("K05")
def test_a_declared_no_data_value_everywhere_is_refused_in_words():
    assert "no data" in told(tiff([5.0] * COUNT, no_data="5"))


def png_16(colours: int, pixel: bytes, extra: bytes = b"", second: bytes | None = None) -> bytes:
    """Left half of one value, right half of another; 16 bits in each channel."""
    row = b"\0" + pixel * (SIDE // 2) + (second or pixel) * (SIDE // 2)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, colours, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(row * SIDE))
        + chunk(b"IEND", b"")
    )


@pytest.mark.fault("K05")
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("colours", [2, 6])
def test_the_bits_that_are_used_of_16_become_the_8_that_are_shown(bits, colours):
    most = 2**bits - 1
    alpha = (0xFFFF,) * (colours == 6)
    bright = struct.pack(f">{3 + len(alpha)}H", most, most // 2, 0, *alpha)
    dark = struct.pack(f">{3 + len(alpha)}H", most // 4, 0, most // 8, *alpha)
    canonical = canonicalise(png_16(colours, bright, second=dark))
    assert canonical.scale == (0, most) and not canonical.unchanged
    for seen, expected in (
        (canonical.rgb.getpixel((0, 0)), (255, 127, 0)),
        (canonical.rgb.getpixel((50, 0)), (63, 0, 31)),
    ):
        assert max(abs(one - other) for one, other in zip(seen, expected, strict=True)) <= 1


@pytest.mark.fault("K05")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_12_bits_in_a_16_bit_colour_tiff_are_seen(order, compression):
    pixels = struct.pack(f"{order}3H", 4095, 2048, 16) * COUNT
    pixels = zlib.compress(pixels) if compression == 8 else pixels
    at = 8 + len(pixels)
    entries = [(256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 3, at), (259, 3, 1, compression), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, SIDE), (279, 4, 1, len(pixels))]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        directory += struct.pack(f"{order}HHI", tag, kind, count)
        directory += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}I", value)
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, at + 6)
    data = head + pixels + struct.pack(f"{order}3H", 16, 16, 16) + directory + bytes(4)
    canonical = canonicalise(data)
    assert canonical.scale == (0, 4095)
    assert canonical.rgb.getpixel((5, 5)) == (255, 128, 1)


@pytest.mark.fault("K05")
def test_12_bits_of_grey_with_alpha_are_seen():
    canonical = canonicalise(png_16(4, struct.pack(">2H", 4000, 0xFFFF), second=struct.pack(">2H", 100, 0xFFFF)))
    assert (canonical.rgb.getpixel((0, 0)), canonical.rgb.getpixel((50, 0))) == ((255,) * 3, (0,) * 3)
    assert canonical.scale == (100, 4000)


@pytest.mark.fault("K05")
@pytest.mark.parametrize(
    ("mode", "image_format"),
    [("P", "GIF"), *((mode, image_format) for mode in ("RGBA", "LA") for image_format in ("PNG", "WEBP", "TIFF"))],
)
def test_alpha_that_hides_everything_is_dropped(mode, image_format):
    """Some tools write 0 into a fourth channel and mean nothing by it."""
    pixels = Image.linear_gradient("L").resize((SIDE, SIDE))
    if mode == "P":
        image = pixels.point(lambda value: value // 128).convert("P")
        image.putpalette([0, 0, 0, 200, 200, 200])
        image = image.point(lambda _: 1)
        options = {"transparency": 1}
    else:
        image = Image.merge(mode, [*[pixels] * (len(mode) - 1), Image.new("L", pixels.size, 0)])
        options = {"exact": True, "lossless": True} if image_format == "WEBP" else {}
    body = io.BytesIO()
    image.save(body, image_format, **options)
    canonical = canonicalise(body.getvalue())
    assert not canonical.unchanged
    assert canonical.rgb.getextrema()[0] == ((200, 200) if mode == "P" else pixels.getextrema())


@pytest.mark.fault("K05")
@pytest.mark.parametrize("alpha", [1, 128, 255])
def test_alpha_that_shows_something_counts(alpha):
    """1 of 255 is a mask of zeros and ones; half is half."""
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, alpha))
    body = io.BytesIO()
    image.save(body, "PNG")
    seen = canonicalise(body.getvalue()).rgb.getpixel((3, 3))[0]
    assert abs(seen - {1: 0, 128: 127, 255: 0}[alpha]) <= 1


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize(
    ("mode", "image_format"),
    [
        *((mode, image_format) for mode in ("RGBA", "LA") for image_format in ("PNG", "WEBP", "TIFF")),
        *(("P", "GIF"), ("P", "PNG"), ("L", "PNG"), ("RGB", "PNG")),
    ],
)
def test_a_white_drawing_on_nothing_is_seen(mode, image_format):
    """On white it would be a blank page, on which people say that there is nothing."""
    drawing = Image.new("L", (SIDE, SIDE), 0)
    drawing.paste(255, (20, 20, 40, 40))
    options = {"lossless": True} if image_format == "WEBP" else {}
    if mode in ("RGBA", "LA"):
        image = Image.merge(mode, [drawing] * len(mode))
    else:
        image = drawing.convert(mode)
        options["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    body = io.BytesIO()
    image.save(body, image_format, **options)
    canonical = canonicalise(body.getvalue())
    assert canonical.rgb.getpixel((30, 30)) == (255,) * 3
    assert canonical.rgb.getpixel((5, 5)) == (128,) * 3
    assert not canonical.unchanged


@pytest.mark.fault("K05")
def test_a_drawing_that_white_shows_stays_on_white():
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (20, 20, 40, 40))
    image.paste((250, 250, 250, 255), (50, 50, 60, 60))
    body = io.BytesIO()
    image.save(body, "PNG")
    assert canonicalise(body.getvalue()).rgb.getpixel((5, 5)) == (255,) * 3


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


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize("kind", ["I;16", "F", "F with holes", "colours"])
def test_small_things_on_an_even_ground_are_found_between_the_pixels_of_the_sample(kind):
    side = 2_000
    values = np.zeros((side, side), np.float32 if kind[0] == "F" else np.uint16)
    values[:2] = NAN if kind == "F with holes" else 0
    sample = set(np.floor((np.arange(512) + 0.5) * side / 512).astype(int))
    places = [at for at in range(100, 1_900) if not {at, at + 1} & sample][::50]
    for at in places:
        values[at : at + 2, at : at + 2] = 5_000
    stored = np.dstack([values] * 3) if kind == "colours" else values
    shown = canonicalise(cv2.imencode(".tif" if kind[0] == "F" else ".png", stored)[1].tobytes()).rgb
    assert all(shown.getpixel((at, at))[0] >= 150 for at in places)
    assert shown.getpixel((50, 50))[0] == 0


def bare_tiff(pixels: bytes, bits: int, tags: dict[int, int], channels: int = 1, order: str = "<") -> bytes:
    """A square TIFF without compression, with its numbers in either order."""
    at = 8 + len(pixels)
    each = len(pixels) // channels
    entries = {256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: 1, 273: 8, 277: channels, 278: SIDE, 279: len(pixels)}
    lists = {258: [bits] * channels}
    if tags.get(284) == 2:
        lists |= {273: [8 + each * channel for channel in range(channels)], 279: [each] * channels}
    behind, directory = b"", b""
    for tag, value in sorted((entries | tags).items()):
        numbers = lists.get(tag, [value])
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, behind = struct.pack(f"{order}I", at + len(behind)), behind + packed
        directory += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed
    count = struct.pack(f"{order}H", len(directory) // 12)
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, at + len(behind))
    return head + pixels + behind + count + directory + bytes(4)


BLACK_AND_WHITE = {  # format of the numbers, bits, tags; the dark half, the bright half
    "16 bits where 0 is white": ("H", 16, {262: 0}, 9_000, 100),
    "floats where 0 is white": ("f", 32, {262: 0, 339: 3}, 9.0, 1.5),
    "16 bits where 0 is black": ("H", 16, {262: 1}, 100, 9_000),
    "8 bits with a sign": ("b", 8, {339: 2}, -100, 100),
    "16 bits with a sign": ("h", 16, {339: 2}, -100, 100),
    "32 bits with a sign": ("i", 32, {339: 2}, -70_000, 100_000),
    "32 bits without a sign": ("I", 32, {}, 70_000, 2_000_000_000),
    "32 bits without a sign, large": ("I", 32, {}, 1_000_000_000, 3_000_000_000),
}


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", BLACK_AND_WHITE)
def test_what_is_dark_in_a_tiff_is_shown_dark_or_the_file_is_refused(name, order):
    kind, bits, tags, dark, bright = BLACK_AND_WHITE[name]
    row = struct.pack(f"{order}{SIDE}{kind}", *[dark] * (SIDE // 2), *[bright] * (SIDE // 2))
    try:
        shown = canonicalise(bare_tiff(row * SIDE, bits, tags, order=order))
    except RejectedImage as refusal:
        assert order == ">" or "large" in name, "what one order of bytes can do"
        assert refusal.reason == "unreadable"
    else:
        assert shown.rgb.getpixel((3, 3))[0] < 60 and shown.rgb.getpixel((60, 3))[0] > 200
        assert shown.scale[0] != shown.scale[1] and (shown.scale[0] > shown.scale[1]) == (tags.get(262) == 0)


@pytest.mark.fault("K05")
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_in_separate_planes_are_refused_in_words(order):
    pixels = struct.pack(f"{order}{COUNT}H", *range(COUNT)) * 3
    assert "separate planes" in told(bare_tiff(pixels, 16, {262: 2, 284: 2}, 3, order))


@pytest.mark.fault("K05")
def test_a_fixed_window_holds_for_colours_of_16_bits_too():
    canonical = canonicalise(png_16(2, struct.pack(">3H", 1_000, 2_000, 3_000)), Limits(window=(1_000, 3_000)))
    assert (canonical.rgb.getpixel((0, 0)), canonical.scale) == ((0, 128, 255), (1_000, 3_000))
    assert math.isclose(canonical.scale[0], 1_000)


@pytest.mark.fault("K05")
@pytest.mark.parametrize("kind", ["12 bits", "64 bits", "32 bits in each of 3"])
def test_a_depth_that_is_not_read_is_told_by_its_number(kind):
    if kind == "12 bits":
        body = io.BytesIO()
        Image.new("L", (SIDE, SIDE), 9).save(body, "JPEG")
        data = body.getvalue().replace(b"\xff\xc0\0\x0b\x08", b"\xff\xc1\0\x0b\x0c")
    else:
        values = np.zeros((SIDE, SIDE), np.float64) if kind == "64 bits" else np.zeros((SIDE, SIDE, 3), np.float32)
        data = cv2.imencode(".tif", values)[1].tobytes()
    assert kind in told(data)


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
