"""What all readers of pictures share: EXIF's orientation by one rule, and refusals that say what to do."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.pictures.stored import (
    ORIENTATION_TAG,
    Limits,
    RejectedImage,
    exif_orientation,
    rendition_bytes,
    too_costly,
)

SHORT = 3
Entry = tuple[int, int, int, int]
other_entries = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 20), st.integers(0, 3), st.integers(0, 0xFFFF)).filter(
    lambda entry: entry[0] != ORIENTATION_TAG
)
orders = st.sampled_from("<>")


def block(order: str, entries: list[Entry], gap: int = 0) -> bytes:
    """An EXIF block with (tag, type, count, value) in its first directory, `gap` bytes behind the head."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + gap)
    directory = b"".join(struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries)
    return head + bytes(gap) + struct.pack(f"{order}H", len(entries)) + directory + bytes(4)


@given(orders, st.lists(other_entries, max_size=4), st.lists(other_entries, max_size=4), st.integers(1, 8))
def test_an_orientation_is_found_among_other_entries_in_either_order_of_bytes(order, before, after, value):
    entries = [*before, (ORIENTATION_TAG, SHORT, 1, value), *after]
    assert exif_orientation(block(order, entries)) == value
    assert exif_orientation(block(order, [*entries, (ORIENTATION_TAG, SHORT, 1, 9 - value)], gap=6)) == value


@given(orders, st.integers(1, 12), st.integers(0, 3), st.integers(0, 300))
def test_an_entry_that_is_not_one_short_from_1_to_8_is_stepped_over(order, kind, count, value):
    stated = (ORIENTATION_TAG, kind, count, value)
    is_one = kind == SHORT and count == 1 and 1 <= value <= 8
    assert exif_orientation(block(order, [stated])) == (value if is_one else None)
    assert exif_orientation(block(order, [stated, (ORIENTATION_TAG, SHORT, 1, 7)])) == (value if is_one else 7)


@given(st.sampled_from([b"", b"II*\0", b"MM\0*"]), st.binary(max_size=60))
def test_any_bytes_are_an_orientation_or_none(head, rest):
    assert exif_orientation(head + rest) in (None, *range(1, 9))


@given(orders, st.integers(0, 60))
def test_a_block_that_is_cut_short_states_its_orientation_or_none(order, end):
    whole = block(order, [(0x010F, 2, 2, 0), (ORIENTATION_TAG, SHORT, 1, 6)])
    assert exif_orientation(whole[:end]) == (6 if end >= len(whole) - 4 else None)


def test_a_directory_outside_of_the_block_or_of_another_format_is_none():
    whole = block("<", [(ORIENTATION_TAG, SHORT, 1, 6)])
    assert exif_orientation(whole[:4] + struct.pack("<I", len(whole)) + whole[8:]) is None
    assert exif_orientation(whole[:2] + struct.pack("<H", 43) + whole[4:]) is None
    assert exif_orientation(b"Exif\0\0" + whole) is None, "its prefix is the container's"


@given(st.integers(1, 10**9), st.integers(1, 10**8))
def test_a_rendition_may_be_larger_than_an_upload_and_never_has_less_room(max_bytes, max_pixels):
    room = rendition_bytes(Limits(max_bytes=max_bytes, max_pixels=max_pixels))
    assert room >= max_bytes and room > 3 * max_pixels, "noise takes three bytes for each pixel"


def test_a_refusal_has_a_reason_for_records_and_a_sentence_for_people():
    refusal = RejectedImage("too-small", "9 x 9 pixels")
    assert (refusal.reason, refusal.detail, str(refusal)) == ("too-small", "9 x 9 pixels", "too-small: 9 x 9 pixels")
    with pytest.raises(RejectedImage, match=r"unreadable: 99 scans: .* save it anew"):
        raise too_costly("99 scans")
