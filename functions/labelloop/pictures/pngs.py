"""PNG files: the chunks that make the picture, apart from all others (ISO/IEC 15948)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from labelloop.pictures.stored import LARGEST_PROFILE, Limits, RejectedImage, Stored, exif_orientation, too_costly

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Writers that put 1 kB into each chunk exist.
MOST_CHUNKS = 200_000
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ORDER = re.compile(
    rb"IHDR(?:sRGB|gAMA|pHYs|tIME|tEXt)*+(?:PLTE)?+(?:sRGB|gAMA|pHYs|tIME|tEXt)*+(?:IDAT)++(?:tIME|tEXt)*+IEND"
)
_USUAL_GAMMA = range(45_000, 46_001)  # 1 / 2.2, in 100,000ths
# The keywords that the standard registers; others carry EXIF and XMP.
_PLAIN_TEXTS = frozenset(
    [
        *(b"Title", b"Author", b"Description", b"Copyright", b"Creation Time", b"Software", b"Disclaimer"),
        *(b"Warning", b"Source", b"Comment"),
    ]
)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# (first column, first row, columns apart, rows apart) of the seven passes of an interlaced picture.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True)
class Header:
    width: int
    height: int
    bits: int
    colours: int
    interlaced: bool

    @property
    def inflated(self) -> int:
        """Bytes of the picture before it is compressed, each row with the byte that names its filter."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        sizes = [(-(-(self.width - x) // dx), -(-(self.height - y) // dy)) for x, y, dx, dy in passes]
        bits = self.bits * _CHANNELS.get(self.colours, 0)
        return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


@dataclass
class _Walk:
    kept: list[bytes | memoryview] = field(default_factory=lambda: [SIGNATURE])
    names: list[bytes] = field(default_factory=list)
    header: Header | None = None
    orientation: int | None = None
    profile: bytes | None = None
    harmless: bool = True
    end: int = 0


def read(data: bytes, limits: Limits) -> Stored:
    """Raises RejectedImage for a file of more chunks than any picture needs, or of fewer rows than it announces."""
    walk = _walked(data)
    header, bare = walk.header, walk.harmless and walk.end == len(data) and _are_in_order(walk.names)
    length, ends_well = 0, False
    if header is not None and 0 < header.width * header.height <= limits.max_pixels:
        length, ends_well = _inflated(data, header.inflated)
        if length < header.inflated:
            raise RejectedImage("truncated", "the PNG data ends before the picture does; upload it again")
    return Stored(
        picture=b"".join(walk.kept),
        orientation=walk.orientation or 1,
        profile=walk.profile,
        frames=_frames(walk.names),
        bare=bare,
        # Readers differ in what they make of a compressed picture that does not end where it should.
        portable=bare and ends_well and header is not None and length == header.inflated,
        bits=header.bits if header else 8,
    )


def header_of(picture: bytes) -> Header:
    width, height, bits, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", picture, 16)
    return Header(width, height, bits, colours, interlaced == 1)


def deep_grey_with_alpha_as_bytes(picture: bytes) -> bytes:
    """A picture of 16-bit grey and alpha as one of four channels of 8 bits: high and low byte of each."""
    header = picture[16:24] + bytes([8, 6]) + picture[26:29]
    return picture[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + picture[33:]


def _walked(data: bytes) -> _Walk:
    walk, view = _Walk(), memoryview(data)  # files are large: no copies
    seen: set[bytes] = set()
    for count, (name, start, end) in enumerate(_chunks(data)):
        if count == MOST_CHUNKS:
            raise too_costly(f"more than {MOST_CHUNKS} chunks in one PNG file")
        walk.end = end
        # A broken sum or length is an error to one reader and nothing to another.
        length = int.from_bytes(data[start - 8 : start - 4])
        sum_of_it = int.from_bytes(data[end - 4 : end])
        intact = sum_of_it == zlib.crc32(view[start - 4 : end - 4]) and length == end - start - 4
        walk.names.append(name)
        walk.harmless = walk.harmless and intact and (name != b"IEND" or length == 0)
        if name in _PICTURE:
            walk.kept.append(view[start - 8 : end])
        else:
            _look_at(walk, name, data[start : end - 4], first=name not in seen)
        seen.add(name)
        if name == b"IHDR" and walk.header is None and end - start == 13 + 4:
            walk.header = header_of(data)
            # Compression, filter, interlacing: some readers refuse what others do not look at.
            walk.harmless = walk.harmless and data[26:29] in (b"\0\0\0", b"\0\0\1")
    return walk


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content, and end with the check sum, of every whole chunk up to the last."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        name = data[at + 4 : at + 8]
        if end > len(data):
            yield name, at + 8, len(data)
            return
        yield name, at + 8, end
        if name == b"IEND":
            return
        at = end


def _look_at(walk: _Walk, name: bytes, body: bytes, first: bool) -> None:
    if name == b"eXIf" and first:
        walk.orientation = exif_orientation(body)
    if name == b"iCCP" and first:
        walk.profile = _profile(body)
    walk.harmless = walk.harmless and _is_harmless(name, body)


def _is_harmless(name: bytes, body: bytes) -> bool:
    match name:
        case b"sRGB" | b"pHYs" | b"tIME":
            return True
        case b"gAMA":
            return int.from_bytes(body) in _USUAL_GAMMA
        case b"tEXt":
            return body.partition(b"\0")[0] in _PLAIN_TEXTS
    return False


def _are_in_order(names: list[bytes]) -> bool:
    once = [name for name in names if name not in (b"IDAT", b"tEXt")]
    return len(once) == len(set(once)) and _ORDER.fullmatch(b"".join(names)) is not None


def _frames(names: list[bytes]) -> int:
    """An animation may leave the picture itself out: it is one more then."""
    if b"fcTL" not in names:
        return 1
    alone = b"IDAT" in names and names.index(b"IDAT") < names.index(b"fcTL")
    return names.count(b"fcTL") + (1 if alone else 0)


def _inflated(data: bytes, most: int) -> tuple[int, bool]:
    """How many bytes the compressed picture has, counted up to a little more than `most`, and whether it ends well."""
    inflater, length = zlib.decompressobj(), 0
    pieces = (
        data[at : min(at + 2**16, end - 4)]
        for name, start, end in _chunks(data)
        if name == b"IDAT"
        for at in range(start, end - 4, 2**16)
    )
    try:
        for piece in pieces:
            if inflater.eof or length > most:
                return length, False
            length += len(inflater.decompress(piece, 2**20))
            while inflater.unconsumed_tail and length <= most:
                length += len(inflater.decompress(inflater.unconsumed_tail, 2**20))
    except zlib.error:
        return length, False
    return length, inflater.eof and not inflater.unused_data


def _profile(body: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(body.partition(b"\0")[2][1:], LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if inflater.eof else None
