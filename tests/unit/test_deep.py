"""Pictures of more than 8 bits: shown as a person would want them, or refused in words."""

import io
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from deep_files import COUNT, SIDE, png_16, ramp, tiff, told
from labelloop.pictures.pixels import canonicalise
from PIL import Image

from tests.support.odd_headers import chunk

NAN, INFINITY = float("nan"), float("inf")


def shades(canonical) -> int:
    """How many greys a person can tell apart: those that at least three pixels have."""
    return sum(count >= 3 for count in canonical.rgb.getchannel("R").histogram())


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
