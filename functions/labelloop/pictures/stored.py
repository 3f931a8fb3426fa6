"""What of a stored file makes its picture. The readers of the formats (`jpegs`, `pngs`, `tiffs`, `blocks`) give it.

Nothing but that reaches a decoder: metadata that one decoder follows and another does not, and structures made to cost
its time, stay outside.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# More parts than this hold no picture of the sizes that are allowed, they only cost time.
MOST_PARTS = 10_000
LARGEST_PROFILE = 16_000_000  # bytes; those of printers reach 9 MB
ORIENTATION_TAG = 0x0112
_SHORT = 3
_HEADS = {b"II*\0": "<", b"MM\0*": ">"}


@dataclass(frozen=True)
class Limits:
    """`max_pixels` counts width x height; above 89 Mpx Pillow's own guard refuses first, whatever is set here.

    `window`: the fixed (darkest, brightest) stored value of pictures of more than 8 bits; None looks at each picture.
    """

    max_bytes: int = 40_000_000
    max_pixels: int = 50_000_000
    min_side: int = 32
    window: tuple[float, float] | None = None


def rendition_bytes(limits: Limits) -> int:
    """How many bytes a file may have that is written in place of an upload: a PNG of noise takes three for each pixel
    and a few more, however small the JPEG was.
    """
    return max(limits.max_bytes, 4 * limits.max_pixels + 100_000)


class RejectedImage(Exception):
    """The bytes are not an image to label: `reason` is one of the Inspection reasons, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Stored:
    """`picture`: the file without all that does not make its pixels; this is what is decoded.

    `bare`: the file itself holds nothing that any decoder could turn, recolour or replace the picture by.
    `portable`: every decoder reads `picture` as the same pixels. `orientation`: the EXIF value, 1 to 8, that applies.
    `endings`: in place of the last two bytes of `picture` they give the same pixels if, and only if, none are missing.
    `bits`: of a channel, where that has to be known before decoding. `no_data`: the stored value that means nothing.
    `negative`: of a grey picture's values 0 is white.
    """

    picture: bytes
    orientation: int = 1
    profile: bytes | None = None
    frames: int = 1
    bare: bool = False
    portable: bool = False
    endings: tuple[bytes, ...] = ()
    bits: int = 8
    no_data: float | None = None
    negative: bool = False


def too_costly(what: str) -> RejectedImage:
    return RejectedImage("unreadable", f"{what}: decoding it would take far longer than its picture; save it anew")


def exif_orientation(block: bytes) -> int | None:
    """The orientation that an EXIF block (a TIFF structure) states: the first entry 0x0112 of its first directory that
    is one SHORT from 1 to 8, as browsers read it. None where there is no such entry.
    """
    order = _HEADS.get(block[:4])
    if order is None or len(block) < 8:
        return None
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    if at + 2 > len(block):
        return None
    (entries,) = struct.unpack_from(f"{order}H", block, at)
    for place in range(at + 2, min(at + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", block, place)
        if (tag, kind, count) == (ORIENTATION_TAG, _SHORT, 1) and 1 <= value <= 8:
            return int(value)
    return None
