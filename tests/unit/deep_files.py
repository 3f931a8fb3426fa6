"""Small square pictures of more than 8 bits in a channel, and what is told where one is refused."""

import io
import struct
import zlib

import pytest
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise
from PIL import Image, TiffImagePlugin

from tests.support.odd_headers import chunk

SIDE = 64
COUNT = SIDE * SIDE
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


def told(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data, limits or Limits())
    assert refusal.value.reason == "unreadable"
    return refusal.value.detail
