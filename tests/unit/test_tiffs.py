"""TIFF files: the first directory with what its pixels need, and nothing that only costs time."""

import io
import struct

import pytest
from deep_files import COUNT, SIDE, ramp, tiff, told
from hypothesis import given
from hypothesis import strategies as st
from labelloop.pictures import tiffs
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise
from PIL import Image, TiffImagePlugin

from tests.support.costly_pictures import costly, many_directories, tiles_beyond_the_picture
from tests.support.odd_headers import scene


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
@pytest.mark.parametrize(
    ("kinds", "told"), [([1, 1], "ok"), ([4, 5], "ok"), ([1, 0], "multi-frame"), ([1] * 100, "multi-frame")]
)
def test_overviews_and_masks_of_a_tiff_are_no_further_pages(kinds: list[int], told: str) -> None:
    pages = []
    for kind in kinds:
        page = Image.new("L", (20, 15))
        page.encoderinfo = {"tiffinfo": {254: kind}}
        pages.append(page)
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), (9, 99, 200)).save(buffer, "TIFF", save_all=True, append_images=pages)
    try:
        canonical = canonicalise(buffer.getvalue())
    except RejectedImage as refusal:
        assert refusal.reason == told
    else:
        assert (told, canonical.rgb.size, canonical.rgb.getpixel((1, 1))) == ("ok", (80, 60), (9, 99, 200))


@pytest.mark.fault("J03")
def test_tiles_of_a_tiff_that_are_far_larger_than_its_picture_are_refused_before_they_are_unpacked() -> None:
    with pytest.raises(RejectedImage, match="100 TIFF tiles of 60000 x 600 pixels"):
        canonicalise(tiles_beyond_the_picture(100))


@pytest.mark.fault("J03")
@pytest.mark.parametrize("directories", [2, 40_000])
def test_of_a_tiff_no_directory_but_the_first_is_read(monkeypatch: pytest.MonkeyPatch, directories: int) -> None:
    read = []
    load = TiffImagePlugin.ImageFileDirectory_v2.load
    monkeypatch.setattr(
        TiffImagePlugin.ImageFileDirectory_v2, "load", lambda self, file: read.append(1) or load(self, file)
    )
    data = many_directories(13_000 + 120 * directories)
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data)
    assert refusal.value.reason == "multi-frame"
    assert len(read) <= 10


@pytest.mark.fault("J03")
def test_values_that_many_tags_share_are_read_once_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 tags that all point to one megabyte are 400 MB to a reader that fetches values first."""
    read = []
    real = TiffImagePlugin.ImageFile._safe_read
    monkeypatch.setattr(
        TiffImagePlugin.ImageFile, "_safe_read", lambda file, size: read.append(size) or real(file, size)
    )
    canonical = canonicalise(costly("tiff: tags that share the file", 1_000_000))
    assert canonical.width == SIDE
    assert sum(read) < 100_000


ORDINARY = bare_tiff(bytes(COUNT), 8, {})


@pytest.mark.parametrize(
    ("text", "no_data"), [("-9999", -9999.0), (" 1.5 ", 1.5), ("1e30", 1e30), ("none", None), ("", None), (None, None)]
)
def test_no_data_is_what_the_file_declares_as_a_number(text, no_data):
    assert tiffs.read(tiff(ramp(0, 1), no_data=text), Limits()).no_data == no_data


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_has_to_be_known_before_decoding_is_read_in_either_order_of_bytes(order):
    stored = tiffs.read(bare_tiff(bytes(2 * COUNT), 16, {262: 0}, order=order), Limits())
    assert (stored.bits, stored.negative, stored.frames, stored.orientation) == (16, True, 1, 1)
    assert not (stored.bare or stored.portable), "browsers show no TIFF"


@pytest.mark.parametrize("big", [False, True])
def test_of_a_tiff_only_the_tags_that_the_pixels_need_reach_a_decoder(big):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274], tags[700], tags[305] = 6, b"<x:xmpmeta/>", "a tool"
    body = io.BytesIO()
    scene().save(body, "TIFF", tiffinfo=tags, icc_profile=b"profile", big_tiff=big)
    stored = tiffs.read(body.getvalue(), Limits())
    assert (stored.orientation, stored.profile) == (6, b"profile")
    opened = Image.open(io.BytesIO(stored.picture))
    assert not {274, 305, 700, 34675} & set(opened.tag_v2)
    assert opened.convert("RGB").tobytes() == scene().tobytes()


@pytest.mark.parametrize(
    ("tags", "reason", "told"),
    [
        ({259: 6}, "unreadable", "TIFF compression 6 is not supported"),
        ({322: 60_000, 323: 60_000}, "too-many-pixels", "TIFF tiles of 60000 x 60000 pixels"),
        ({279: 99_999_999}, "unreadable", "TIFF strips that share their data"),
        ({50706: 1}, "not-an-image", "raw photograph"),
        ({254: 1, 330: 8}, "not-an-image", "raw photograph"),
    ],
)
def test_a_tiff_that_no_reader_should_be_given_is_refused_by_its_tags(tags, reason, told):
    with pytest.raises(RejectedImage, match=told) as refusal:
        tiffs.read(bare_tiff(bytes(COUNT), 8, tags), Limits())
    assert refusal.value.reason == reason


@given(st.sampled_from(["<", ">"]), st.integers(4, len(ORDINARY) - 1))
def test_a_tiff_whose_directory_is_cut_off_is_called_truncated(order, end):
    with pytest.raises(RejectedImage) as refusal:
        tiffs.read(bare_tiff(bytes(COUNT), 8, {}, order=order)[:end], Limits())
    assert refusal.value.reason == "truncated"


@given(
    st.lists(st.tuples(st.integers(8 + COUNT, len(ORDINARY) - 1), st.integers(0, 255)), max_size=6),
    st.integers(8, len(ORDINARY) + 8),
)
def test_a_tiff_with_damaged_tags_is_read_or_refused(flips, first):
    data = bytearray(ORDINARY)
    for at, value in flips:
        data[at] = value
    for damaged in (bytes(data), bytes(data[:4]) + struct.pack("<I", first) + bytes(data[8:])):
        try:
            stored = tiffs.read(damaged, Limits())
        except RejectedImage as refusal:
            assert refusal.reason in ("truncated", "unreadable", "too-many-pixels", "not-an-image")
        else:
            assert stored.picture[:4] == b"II*\0" and stored.orientation in range(1, 9)


@pytest.mark.fault("J03")
@pytest.mark.parametrize("first", range(8))
def test_a_directory_over_the_head_of_its_file_does_not_lead_a_decoder_elsewhere(first):
    """Written anew in its place it would change where the first directory lies, to one of any size and number."""
    entries = [(0, 1, 1, 0), (256, 3, 1, SIDE), (257, 3, 1, SIDE), (0xFFFE, 1, 1, 0)]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0" + struct.pack("<I", first) + tags[2:] + bytes(2_000)
    with pytest.raises(RejectedImage):
        tiffs.read(data, Limits())


@pytest.mark.fault("J03")
@pytest.mark.parametrize("kind", [2, 5, 6, 8, 9, 11, 12, 17])
@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 273, 277, 279, 322, 323])
def test_a_size_of_a_type_that_only_some_decoders_read_as_a_number_is_refused(tag, kind):
    """Passed over here and read there, a tile of any size would be taken memory for."""
    entries = sorted({tag: (tag, kind, 1, 20_000)}.items())
    known = {256: (256, 3, 1, SIDE), 257: (257, 3, 1, SIDE), 259: (259, 3, 1, 1), 262: (262, 3, 1, 1)}
    table = [entry for _, entry in sorted({**known, **dict(entries)}.items())]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in table)
    data = b"II*\0" + struct.pack("<IH", 8, len(table)) + tags + struct.pack("<I", 0) + bytes(30_000)
    with pytest.raises(RejectedImage, match="whole numbers"):
        tiffs.read(data, Limits())
