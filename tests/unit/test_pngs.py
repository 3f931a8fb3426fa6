"""PNG files: the chunks that make the picture and no others, with every row that the header announces."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.pictures import pngs
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise
from labelloop.pictures.stored import LARGEST_PROFILE
from PIL import Image

from tests.support.odd_headers import LIMITS, chunk, chunks, encoded, lying_profile


@pytest.mark.fault("K01")
@pytest.mark.parametrize("end", [b"\0\0\0\4IEND", b"\0\0\0\5IEND", b"\x80\0\0\0IEND"])
def test_a_png_whose_last_chunk_states_another_length_is_not_called_unchanged(end):
    """OpenCV cannot read it."""
    whole = encoded("PNG")
    assert canonicalise(whole, LIMITS).unchanged
    assert not canonicalise(whole[:-12] + end + whole[-4:], LIMITS).unchanged
    assert not canonicalise(whole[:-12] + chunk(b"IEND", b"more"), LIMITS).unchanged


@pytest.mark.fault("B03")
def test_a_png_of_fewer_rows_than_it_announces_is_refused():
    parts = dict(chunks(encoded("PNG")))
    taller = parts[b"IHDR"][:4] + struct.pack(">I", 400) + parts[b"IHDR"][8:]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(n, taller if n == b"IHDR" else b) for n, b in parts.items())
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data, LIMITS)
    assert refusal.value.reason == "truncated"


PLAIN = encoded("PNG")
FIRST = 33  # behind the signature and IHDR
sides = st.integers(1, 40)
# In which pass of an interlaced picture a pixel is stored (the standard's figure of 8 x 8 pixels).
ADAM7 = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]


@given(sides, sides, st.sampled_from(["1", "L", "P", "RGB", "LA", "RGBA", "I;16"]))
def test_a_header_tells_how_many_bytes_the_rows_have(width, height, mode):
    body = io.BytesIO()
    Image.new(mode, (width, height)).save(body, "PNG")
    rows = zlib.decompress(b"".join(part for name, part in chunks(body.getvalue()) if name == b"IDAT"))
    assert pngs.header_of(body.getvalue()).inflated == len(rows)


@given(sides, sides, st.sampled_from([(1, 0, 1), (8, 2, 24), (16, 6, 64)]))
def test_an_interlaced_picture_has_seven_passes_of_which_some_are_empty(width, height, depth):
    bits, colours, per_pixel = depth
    rows: dict[tuple[str, int], int] = {}
    for x in range(width):
        for y in range(height):
            row = ADAM7[y % 8][x % 8], y
            rows[row] = rows.get(row, 0) + 1
    assert pngs.Header(width, height, bits, colours, True).inflated == sum(
        1 + -(-columns * per_pixel // 8) for columns in rows.values()
    )


@pytest.mark.parametrize(
    ("extra", "bare"),
    [
        (chunk(b"pHYs", struct.pack(">IIB", 1, 2, 0)), True),
        (chunk(b"tEXt", b"Title\0a house"), True),
        (chunk(b"gAMA", struct.pack(">I", 45_455)), True),
        (chunk(b"gAMA", struct.pack(">I", 100_000)), False),
        (chunk(b"tEXt", b"Raw profile type exif\0..."), False),
        (chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"), False),
        (chunk(b"pHYs", struct.pack(">IIB", 1, 2, 0), broken_sum=True), False),
        (chunk(b"teST", b"private"), False),
    ],
)
def test_of_a_png_only_what_makes_the_picture_is_kept(extra, bare):
    stored = pngs.read(PLAIN[:FIRST] + extra + PLAIN[FIRST:], Limits())
    assert (stored.picture, stored.bare, stored.portable) == (PLAIN, bare, bare)
    assert not pngs.read(PLAIN + extra, Limits()).bare


def test_the_first_exif_block_and_the_first_profile_count():
    turned, upright = (b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" + bytes([value]) + bytes(6) for value in (6, 1))
    blocks = chunk(b"eXIf", turned) + chunk(b"eXIf", upright)
    profile = lying_profile(False)
    profiles = [chunk(b"iCCP", b"p\0\0" + zlib.compress(each)) for each in (profile, lying_profile(True))]
    stored = pngs.read(PLAIN[:FIRST] + blocks + b"".join(profiles) + PLAIN[FIRST:], Limits())
    assert (stored.orientation, stored.profile, stored.bare) == (6, profile, False)


@pytest.mark.parametrize("packed", [zlib.compress(bytes(LARGEST_PROFILE + 1)), zlib.compress(b"profile")[:-3], b"text"])
def test_a_profile_that_inflates_too_far_or_not_at_all_is_none(packed):
    assert pngs.read(PLAIN[:FIRST] + chunk(b"iCCP", b"p\0\0" + packed) + PLAIN[FIRST:], Limits()).profile is None


@pytest.mark.parametrize(("before", "behind", "frames"), [(0, 0, 1), (1, 0, 1), (2, 1, 3), (0, 1, 2), (0, 3, 4)])
def test_a_picture_that_its_animation_leaves_out_is_one_frame_more(before, behind, frames):
    control = chunk(b"fcTL", bytes(26))
    data = PLAIN[:FIRST] + control * before + PLAIN[FIRST:-12] + control * behind + PLAIN[-12:]
    assert pngs.read(data, Limits()).frames == frames


@given(st.lists(st.tuples(st.integers(8, len(PLAIN) - 1), st.integers(0, 255)), max_size=6), st.integers(8, len(PLAIN)))
def test_damaged_bytes_of_a_png_are_read_or_refused(flips, end):
    data = bytearray(PLAIN)
    for at, value in flips:
        data[at] = value
    try:
        stored = pngs.read(bytes(data[:end]), Limits())
    except RejectedImage as refusal:
        assert refusal.reason in ("truncated", "unreadable")
    else:
        assert stored.picture.startswith(pngs.SIGNATURE) and stored.orientation in range(1, 9)
