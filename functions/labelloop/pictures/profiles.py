"""ICC profiles (ISO 15076): what of them may reach the library that computes colours.

A profile of 20 kB can ask for gigabytes and minutes: multiProcessElements name one table as often as they like.
"""

from __future__ import annotations

import math
import struct

_HEADER = 128
_MOST_TAGS = 100
_ELEMENTS = b"mpet"
_TABLES, _TABLES_WITH_CURVES = (b"mft1", b"mft2"), (b"mAB ", b"mBA ")
# More entries than this has no table of a camera, screen or printer (four colours in 33 steps to 3: 3.6 million).
_MOST_ENTRIES = 6_000_000


def bounded(profile: bytes) -> bytes | None:
    """The profile without multiProcessElements, which browsers do not read either: the tags beside them say the same.

    None where its table of tags is broken, or where it was made to cost time or memory.
    """
    if len(profile) < _HEADER + 4:
        return None
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    end = _HEADER + 4 + 12 * count
    if count > _MOST_TAGS or end > len(profile):
        return None
    kept, parts = b"", set()
    for at in range(_HEADER + 4, end, 12):
        _, start, size = struct.unpack_from(">4sII", profile, at)
        if profile[start : start + 4] == _ELEMENTS:
            continue
        if start + size > len(profile) or _entries(profile[start : start + size]) > min(_MOST_ENTRIES, size):
            return None
        kept += profile[at : at + 12]
        parts.add((start, size))
    if sum(size for _, size in parts) > 2 * len(profile):
        return None  # tags may be one and the same, they do not overlap
    table = struct.pack(">I", len(kept) // 12) + kept
    return profile[:_HEADER] + table.ljust(end - _HEADER, b"\0") + profile[end:]


def _entries(tag: bytes) -> int:
    """Of the table of colours that a tag says it holds; each takes at least a byte of the tag."""
    if tag[:4] in _TABLES and len(tag) > 10:
        inputs, outputs, steps = tag[8:11]
        return int(steps**inputs) * outputs
    if tag[:4] in _TABLES_WITH_CURVES and len(tag) >= 32:
        inputs, outputs = tag[8:10]
        (at,) = struct.unpack_from(">I", tag, 24)
        return math.prod(tag[at : at + min(inputs, 16)]) * outputs if at else 0
    return 0
