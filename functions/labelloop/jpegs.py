"""JPEG files: the segments that make the picture, apart from all others (ITU T.81, annex B).

Kept are tables, frame, scans, and the two application segments by which decoders choose the colours (JFIF, Adobe).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from labelloop.stored import LARGEST_PROFILE, MOST_PARTS, Limits, RejectedImage, Stored, exif_orientation, too_costly

START, END = b"\xff\xd8", b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xff]")
# Within a scan FF00 is a byte of the data, FFD0 to FFD7 restart it, and what is below FFC0 is damage that decoders
# step over.
_END_OF_SCAN = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_DAMAGE = re.compile(rb"\xff[\x01-\xbf]")
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
_SOS, _COMMENT = 0xDA, 0xFE
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
# Arithmetic coding, lossless and hierarchical frames are not read everywhere.
_READ_EVERYWHERE = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE = 0xC2
MOST_SCANS = 500
# A progressive picture of the largest default size in twenty scans. Encoders write about ten.
MOST_SCANNED_PIXELS = 1_000_000_000
# What may follow the last byte of a picture whose end mark is missing: decoders look ahead that far, and a picture that
# needs any of it is not whole.
_FILLERS = (b"\x55" * 32, b"\xa6" * 32)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


@dataclass
class _Walk:
    kept: list[bytes | memoryview] = field(default_factory=lambda: [START])
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    scans: list[bytes] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    profile: list[bytes] = field(default_factory=list)
    bare: bool = True
    damaged: bool = False
    ended: bool = False
    until_last_scan: int = 0


def read(data: bytes, limits: Limits) -> Stored:
    """Raises RejectedImage for a file made to cost time, or one that lacks scans.

    An end mark says nothing: interrupted copies and recovered files have one behind half a picture.
    """
    walk = _walked(data)
    bits = walk.frames[-1][1][:1] if walk.frames else b""
    if bits not in (b"", b"\x08"):
        raise RejectedImage(
            "unreadable", f"JPEG of {bits[0]} bits in a channel is not read; export it as PNG of 16 bits"
        )
    _refuse_costly(walk, limits)
    if not _every_scan_is_there(walk):
        raise RejectedImage("truncated", "the JPEG data ends before the picture does; upload it again")
    kept = walk.kept[: walk.until_last_scan]  # what follows makes no pixel, and would hide where the last scan is cut
    return Stored(
        picture=b"".join([*kept, END]),
        orientation=(exif_orientation(walk.exif[0]) if walk.exif else None) or 1,
        profile=_profile(walk.profile),
        bare=walk.bare and walk.ended,
        portable=_is_read_everywhere(walk),
        endings=_endings(kept[-1]),
    )


def _walked(data: bytes) -> _Walk:
    walk, at, view = _Walk(), len(START), memoryview(data)  # files are large: no copies
    for _ in range(MOST_PARTS):
        found = _MARKER.search(data, at)
        if found is None:
            return walk
        walk.bare = walk.bare and found.start() == at
        code, body = data[found.start() + 1], found.end()
        if code == END[1]:
            walk.ended = True
            walk.bare = walk.bare and body == len(data)
            return walk
        if code in _WITHOUT_LENGTH:
            walk.bare, at = False, body
            continue
        at = body + int.from_bytes(data[body : body + 2])
        if at < body + 2 or at > len(data):
            return walk
        if code == _SOS:
            end = _END_OF_SCAN.search(data, at)
            scan, at = at, end.start() if end else len(data)
            walk.damaged = walk.damaged or _DAMAGE.search(data, scan, at) is not None
            walk.scans.append(data[body + 2 : scan])
            half_a_mark = end is None and data.endswith(b"\xff")
            walk.kept.append(view[found.start() : at - half_a_mark])
            walk.until_last_scan = len(walk.kept)
        else:
            _take(walk, code, data[found.start() : at])
    raise too_costly(f"more than {MOST_PARTS} segments in one JPEG file")


def _take(walk: _Walk, code: int, segment: bytes) -> None:
    body = segment[4:]
    if code in _SOF:
        walk.frames.append((code, body))
    if code in _SOF or code in _TABLES or _tells_the_colours(code, body):
        walk.kept.append(segment)
    elif code != _COMMENT:
        walk.bare = False
    if walk.scans:
        return  # decoders look for metadata before the pixels
    if code == 0xE1 and body.startswith(b"Exif\0"):
        walk.exif.append(body[6:])
    if code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        walk.profile.append(body[12:])


def _tells_the_colours(code: int, body: bytes) -> bool:
    return (code == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14) or (
        code == 0xEE and body.startswith(b"Adobe") and len(body) >= 12
    )


def _refuse_costly(walk: _Walk, limits: Limits) -> None:
    width, height = _size(walk)
    scans = len(walk.scans)
    if width * height > limits.max_pixels:
        return  # told by that name
    if scans > MOST_SCANS or scans * width * height > max(MOST_SCANNED_PIXELS, limits.max_pixels):
        raise too_costly(f"a JPEG of {width} x {height} pixels in {scans} scans")


def _size(walk: _Walk) -> tuple[int, int]:
    """Width and height, pixels; of several frames the last, as Pillow does."""
    frame = walk.frames[-1][1] if walk.frames else b""
    return int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3])


def _is_read_everywhere(walk: _Walk) -> bool:
    if len(walk.frames) != 1 or walk.damaged:
        return False
    code, frame = walk.frames[0]
    channels = frame[5] if len(frame) > 5 else 0
    return code in _READ_EVERYWHERE and channels in (1, 3) and len(frame) == 6 + 3 * channels and frame[0] == 8


def _endings(scan: bytes | memoryview) -> tuple[bytes, ...]:
    """Bytes that a decoder takes for what is missing, after restart marks too, and then the end mark."""
    following = 0xD0
    for mark in _RESTART.finditer(scan):  # there may be millions: none is kept
        following = scan[mark.end() - 1] + 1
    restarts = [bytes([0xFF, 0xD0 | (following + number) & 7]) for number in range(8)]
    return tuple(fill + b"".join(mark + fill for mark in restarts) + END for fill in _FILLERS)


def _every_scan_is_there(walk: _Walk) -> bool:
    """Whether the scans bring every coefficient of every channel to its last bit."""
    if not walk.frames:
        return False
    code, frame = walk.frames[-1]
    channels = {frame[place] for place in range(6, len(frame) - 2, 3)}
    missing = {(channel, number) for channel in channels for number in range(64)}
    for scan in walk.scans:
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return False
        first, last, precision = scan[1 + 2 * count : 4 + 2 * count]
        if code != _PROGRESSIVE:
            first, last, precision = 0, 63, 0
        if precision & 15 == 0:
            missing -= {(scan[1 + 2 * i], number) for i in range(count) for number in range(first, last + 1)}
    return not missing


def _profile(parts: list[bytes]) -> bytes | None:
    """Parts begin with their number and how many there are; an incomplete profile is none."""
    ordered = sorted(part for part in parts if len(part) > 2)
    if not ordered or [part[0] for part in ordered] != list(range(1, ordered[0][1] + 1)):
        return None
    profile = b"".join(part[2:] for part in ordered)
    return profile if len(profile) <= LARGEST_PROFILE else None
