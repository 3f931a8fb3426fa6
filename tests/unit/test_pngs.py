"""PNG files: the chunks that make the picture and no others, with every row that the header announces."""

import struct

import pytest
from labelloop.pictures.pixels import RejectedImage, canonicalise

from tests.support.odd_headers import LIMITS, chunk, chunks, encoded


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
