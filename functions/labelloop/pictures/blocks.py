"""GIF, WEBP and BMP files: what has to be known of them before a decoder sees them."""

from __future__ import annotations

from labelloop.pictures.stored import LARGEST_PROFILE, MOST_PARTS, RejectedImage, Stored, exif_orientation, too_costly

MOST_GIF_BLOCKS = 1_000_000
# Each run of a run-length coded BMP costs a step of an interpreter, and may be of one pixel.
LARGEST_RUN_LENGTH_BMP = 4_000_000
_EXTENSION, _PICTURE, _CONTROL = 0x21, 0x2C, b"\xf9\x04"
_TABLE = 0x80


def read_gif(data: bytes) -> Stored:
    """The file up to its first picture, without comments and other extensions (GIF89a)."""
    at = 13 + _colours(data, 10)
    head, control, picture, frames, steps = data[:at], b"", b"", 0, 0
    while at < len(data) and data[at] in (_EXTENSION, _PICTURE) and frames < 2:
        kind, start = data[at], at
        at, more = _after_blocks(data, at + (2 if kind == _EXTENSION else 11 + _colours(data, at + 9)))
        steps += more
        if steps > MOST_GIF_BLOCKS:
            raise too_costly(f"more than {MOST_GIF_BLOCKS} blocks in one GIF file")
        if kind == _PICTURE:
            frames += 1
            picture = picture or control + data[start:at]
        elif data[start + 1 : start + 3] == _CONTROL and at - start == 8:
            control = data[start:at]
    return Stored(picture=head + picture + data[at : at + 1], frames=max(1, frames))


def read_webp(data: bytes) -> Stored:
    """Frames, EXIF and profile of a RIFF container; the picture stays as it is."""
    at, frames, exif, profile = 12, 0, None, None
    for _ in range(MOST_PARTS):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if len(name) < 4:
            return Stored(data, exif or 1, profile, max(1, frames))
        if name == b"ANMF":
            frames += 1
        if name == b"EXIF" and exif is None:
            exif = exif_orientation(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        if name == b"ICCP" and size <= LARGEST_PROFILE:
            profile = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise too_costly(f"more than {MOST_PARTS} chunks in one WEBP file")


def read_bmp(data: bytes) -> Stored:
    run_lengths = data[30:34] in (b"\1\0\0\0", b"\2\0\0\0") and data[14:18] != b"\x0c\0\0\0"
    if run_lengths and len(data) > LARGEST_RUN_LENGTH_BMP:
        limit = LARGEST_RUN_LENGTH_BMP // 1_000_000
        raise RejectedImage("too-large", f"run-length coded BMP files may have {limit} MB; save it as PNG")
    return Stored(data)


def _colours(data: bytes, place: int) -> int:
    """Bytes of the colour table that the flags at `place` announce."""
    flags = data[place] if place < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & _TABLE else 0


def _after_blocks(data: bytes, at: int) -> tuple[int, int]:
    """Where the list of blocks ends that begins at `at`, and how many there are."""
    count, size = 0, 1
    while size and count <= MOST_GIF_BLOCKS:
        size = data[at] if at < len(data) else 0
        at += 1 + size
        count += 1
    return min(at, len(data)), count
