"""TIFF files: the first directory with the tags that the pixels need (TIFF 6.0, BigTIFF), in place of all directories.

Decoders read what a directory points to before they know what for: thousands of tags may all point to the whole file.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from labelloop.pictures.stored import LARGEST_PROFILE, ORIENTATION_TAG, Limits, RejectedImage, Stored, too_costly

MOST_ENTRIES = 4_096
MOST_STRIPS = 65_536
MOST_CHANNELS = 1_024
MOST_OVERVIEWS = 64
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _CHANNELS, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 259, 277, 322, 323
_PLACES, _LENGTHS = (273, 324), (279, 325)
_PROFILE, _NO_DATA = 34675, 42113
_MEANING, _WHITE_IS_ZERO = 262, 0
_KIND, _FURTHER, _DNG = 254, 330, 50706
_OVERVIEW, _MASK = 1, 4
_WHOLE = frozenset(
    (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _MEANING, *_PLACES, _CHANNELS, *_LENGTHS, _TILE_WIDTH, _TILE_HEIGHT)
)
# What the pixels need: sizes, strips and tiles, compression, colours.
_KEPT = frozenset(
    [
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320),
        *(322, 323, 324, 325, 332, 336, 338, 339, 347, 529, 530, 531, 532),
    ]
)
# None, fax, LZW, JPEG, Deflate (two numbers), PackBits, Zstandard. What else there is nobody needs, or has no bounds.
_COMPRESSIONS = {1: "none", 2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 7: "JPEG", 8: "Deflate", 32946: "Deflate"}
_COMPRESSIONS |= {32773: "PackBits", 50000: "Zstandard"}
_JPEG = 7
_START_OF_SCAN = b"\xff\xda"


@dataclass(frozen=True)
class _Layout:
    """How numbers are stored; `big`: BigTIFF, with places of 8 bytes."""

    order: str
    big: bool

    @property
    def entry(self) -> int:
        return 20 if self.big else 12

    @property
    def word(self) -> str:
        return "Q" if self.big else "I"

    def number(self, kind: str, data: bytes, at: int) -> int:
        if at < 0 or at + struct.calcsize(f"{self.order}{kind}") > len(data):
            raise RejectedImage("truncated", "the TIFF data ends before the picture does; upload it again")
        return int(struct.unpack_from(f"{self.order}{kind}", data, at)[0])


@dataclass(frozen=True)
class _Entry:
    raw: bytes
    kind: int
    count: int
    value: memoryview


def read(data: bytes, limits: Limits) -> Stored:
    """Raises RejectedImage for a directory that leads outside of the file, or that was made to cost time."""
    layout = _Layout("<" if data[:1] == b"I" else ">", data[2:4] in (b"+\0", b"\0+"))
    first = layout.number(layout.word, data, 8 if layout.big else 4)
    if first < (16 if layout.big else 8):  # rewritten there, it would lead decoders to one that nobody looked at
        raise RejectedImage("unreadable", "the first TIFF directory lies over the head of its file; save it anew")
    count_kind = "Q" if layout.big else "H"
    entries = layout.number(count_kind, data, first)
    if entries > MOST_ENTRIES:
        raise too_costly(f"{entries} tags in one TIFF directory")
    start = first + struct.calcsize(f"={count_kind}")
    found: dict[int, _Entry] = {}
    for place in range(start, start + entries * layout.entry, layout.entry):
        entry = _entry(layout, data, place)
        if entry is not None:
            found.setdefault(layout.number("H", data, place), entry)
    _refuse_raw(layout, data, found)
    following = layout.number(layout.word, data, start + entries * layout.entry)
    _refuse(layout, data, found, limits)
    is_lesser_of_several = following not in (0, first) and _is_lesser(layout, found.get(_KIND))
    kept = [entry.raw for tag, entry in sorted(found.items()) if tag in _KEPT]
    directory = struct.pack(f"{layout.order}{count_kind}", len(kept)) + b"".join(kept)
    directory += bytes(struct.calcsize(f"={layout.word}"))
    return Stored(
        picture=data[:first] + directory + data[first + len(directory) :],
        orientation=_orientation(layout, found),
        profile=_profile(found),
        frames=2 if is_lesser_of_several or _has_another_page(layout, data, first, following) else 1,
        bits=max(_numbers(layout, found, _BITS), default=1),
        no_data=_no_data(found),
        negative=_numbers(layout, found, _MEANING) == (_WHITE_IS_ZERO,),
    )


def _has_another_page(layout: _Layout, data: bytes, first: int, following: int) -> bool:
    """Overviews and masks belong to the page before them (Cloud Optimised GeoTIFF), which is the first one here."""
    count_kind = "Q" if layout.big else "H"
    seen = {0, first}
    for _ in range(MOST_OVERVIEWS):
        if following in seen:
            return False
        seen.add(following)
        start = following + struct.calcsize(f"={count_kind}")
        entries = layout.number(count_kind, data, following)
        if entries > MOST_ENTRIES:
            return True
        places = range(start, start + entries * layout.entry, layout.entry)
        own = (_entry(layout, data, place) for place in places if layout.number("H", data, place) == _KIND)
        if not _is_lesser(layout, next(own, None)):
            return True
        following = layout.number(layout.word, data, start + entries * layout.entry)
    return following not in seen


def _is_lesser(layout: _Layout, kind: _Entry | None) -> bool:
    stated = _numbers(layout, {_KIND: kind}, _KIND) if kind and kind.count == 1 else ()
    return any(value & (_OVERVIEW | _MASK) for value in stated)


def _entry(layout: _Layout, data: bytes, place: int) -> _Entry | None:
    kind = layout.number("H", data, place + 2)
    count = layout.number(layout.word, data, place + 4)
    size = _SIZES.get(kind, 0) * count
    room = struct.calcsize(f"={layout.word}")
    if not size:
        return None
    at = place + 4 + room
    if size > room:
        at = layout.number(layout.word, data, at)
    if at + size > len(data):
        # Only what makes the picture has to be there.
        if layout.number("H", data, place) in _KEPT:
            raise RejectedImage("truncated", "the TIFF data ends before the picture does; upload it again")
        return None
    return _Entry(data[place : place + layout.entry], kind, count, memoryview(data)[at : at + size])


def _numbers(layout: _Layout, found: dict[int, _Entry], tag: int) -> tuple[int, ...]:
    entry = found.get(tag)
    if entry is None or entry.kind not in _WHOLE_NUMBERS:
        return ()
    return struct.unpack(f"{layout.order}{entry.count}{_WHOLE_NUMBERS[entry.kind]}", entry.value)


def _refuse(layout: _Layout, data: bytes, found: dict[int, _Entry], limits: Limits) -> None:
    """What no reader takes, and what would cost its time."""
    for tag in _WHOLE & found.keys():
        if found[tag].kind not in _WHOLE_NUMBERS:
            raise RejectedImage("unreadable", f"the TIFF tag {tag} holds no whole numbers; save the image anew")
    compression = next(iter(_numbers(layout, found, _COMPRESSION)), 1)
    if compression not in _COMPRESSIONS:
        known = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise RejectedImage("unreadable", f"TIFF compression {compression} is not supported; save it as one of {known}")
    for tag in (_BITS, _CHANNELS, _WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT):
        if tag in found and found[tag].count > MOST_CHANNELS:
            raise too_costly(f"{found[tag].count} values in the TIFF tag {tag}")
    bits, channels = (max(_numbers(layout, found, tag), default=1) for tag in (_BITS, _CHANNELS))
    if bits > 32 or (bits == 32 and channels > 1):
        kinds = "1 to 16 in colours, up to 32 in grey"
        raise RejectedImage(
            "unreadable", f"TIFF of {bits} bits in each of {channels} channels is not read, only {kinds}"
        )
    strips = max((found[tag].count for tag in (*_PLACES, *_LENGTHS) if tag in found), default=0)
    if strips > MOST_STRIPS:
        raise too_costly(f"{strips} strips or tiles in one TIFF picture")
    if sum(found[tag].value.nbytes for tag in _KEPT & found.keys()) > len(data):
        raise too_costly("TIFF tags that share their values")
    if any(sum(_numbers(layout, found, tag)) > 2 * len(data) for tag in _LENGTHS):
        raise too_costly("TIFF strips that share their data")
    tile = [max(_numbers(layout, found, tag), default=0) for tag in (_TILE_WIDTH, _TILE_HEIGHT)]
    if math.prod(tile) > limits.max_pixels:
        raise RejectedImage("too-many-pixels", f"TIFF tiles of {tile[0]} x {tile[1]} pixels")
    # A decoder unpacks whole tiles, however little of each is in the picture; every plane may have tiles of its own.
    size = math.prod(max(_numbers(layout, found, tag), default=0) for tag in (_WIDTH, _HEIGHT))
    if strips * math.prod(tile) > channels * max(limits.max_pixels, 4 * size):
        raise too_costly(f"{strips} TIFF tiles of {tile[0]} x {tile[1]} pixels")
    if compression == _JPEG and data.count(_START_OF_SCAN) > 16 + 4 * strips:
        raise too_costly("a JPEG of very many scans in a TIFF file")


def _refuse_raw(layout: _Layout, data: bytes, found: dict[int, _Entry]) -> None:
    """The first directory of a camera's raw file is a small preview: it would be labelled in its place."""
    is_preview = _numbers(layout, found, _KIND) == (1,) and _FURTHER in found
    if _DNG in found or is_preview or data[8:11] == b"CR\x02":
        raise RejectedImage("not-an-image", "it is a raw photograph (DNG, NEF, CR2, ARW ...): export it to JPEG or PNG")


def _orientation(layout: _Layout, found: dict[int, _Entry]) -> int:
    stated = _numbers(layout, found, ORIENTATION_TAG)
    entry = found.get(ORIENTATION_TAG)
    return stated[0] if entry and entry.kind == 3 and len(stated) == 1 and 1 <= stated[0] <= 8 else 1


def _profile(found: dict[int, _Entry]) -> bytes | None:
    entry = found.get(_PROFILE)
    return bytes(entry.value) if entry and len(entry.value) <= LARGEST_PROFILE else None


def _no_data(found: dict[int, _Entry]) -> float | None:
    """The value that GDAL writes as text: a number, or `nan`."""
    entry = found.get(_NO_DATA)
    try:
        return float(bytes(entry.value[:64]).split(b"\0")[0]) if entry else None
    except ValueError:
        return None
