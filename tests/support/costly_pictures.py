"""Files of a given size that make a careless reader work far longer than their picture is worth.

Every one holds a picture of 64 x 48 pixels, unless its cost lies in the number of pixels.
"""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.support.odd_headers import chunk, lying_profile, segment

SIDE = 64


def _plain(image_format: str, **options: object) -> bytes:
    body = io.BytesIO()
    Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(body, image_format, **options)
    return body.getvalue()


def _repeated(part: bytes, size: int) -> bytes:
    return part * (size // len(part))


def _jpeg(extra: bytes) -> bytes:
    file = _plain("JPEG")
    return file[:2] + extra + file[2:]


def progressive_scans(size: int, side: int = 4_096) -> bytes:
    """A grey progressive picture whose scans say, in a few bytes each, that nothing changes in any block."""
    body = io.BytesIO()
    Image.new("L", (side, side), 90).save(body, "JPEG", progressive=True)
    file = body.getvalue()
    start = file.rindex(b"\xff\xc4")  # table and scan of the last pass
    last = file[start : file.rindex(b"\xff\xd9")]
    return file[:start] + _repeated(last, max(size - start, len(last))) + b"\xff\xd9"


def _tiff(
    entries: list[tuple[int, int, int, int]], data: bytes = b"", following: int = 0, count: int | None = None
) -> bytes:
    pixels = bytes(SIDE * SIDE * 3) + data
    usual = {256: (3, 1, SIDE), 257: (3, 1, SIDE), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 2), 273: (4, 1, 8)}
    usual |= {277: (3, 1, 3), 278: (3, 1, SIDE), 279: (4, 1, SIDE * SIDE * 3)}
    replaced = {entry[0] for entry in entries}
    every = [(tag, *value) for tag, value in usual.items() if tag not in replaced] + entries
    directory = struct.pack("<H", len(every) if count is None else count)
    directory += b"".join(struct.pack("<HHII", *entry) for entry in sorted(every))
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + struct.pack("<I", following)


def tiles_beyond_the_picture(count: int) -> bytes:
    """A small TIFF that is stored as `count` tiles of 36 million pixels, each of which a decoder unpacks whole."""
    at = 8 + SIDE * SIDE * 3
    table = struct.pack(f"<{2 * count}I", *[at + 8 * count] * count, *[9] * count)
    sizes = [(322, 4, 1, 60_000), (323, 4, 1, 600)]
    return _tiff([(259, 3, 1, 8), *sizes, (324, 4, count, at), (325, 4, count, at + 4 * count)], table + bytes(9))


def many_directories(size: int) -> bytes:
    """A TIFF whose directories, each of nine tags, lead from one to the next."""
    first = _tiff([])
    one = first[8 + SIDE * SIDE * 3 : -4]
    count = (size - len(first)) // (len(one) + 4)
    places = itertools.count(len(first), len(one) + 4)
    following = [next(places) for _ in range(count)] + [0]
    return first[:-4] + struct.pack("<I", following[0]) + b"".join(one + struct.pack("<I", to) for to in following[1:])


def one_directory_in_a_loop(size: int) -> bytes:
    data = bytearray(many_directories(min(size, 40_000)))
    data[-4:] = data[4:8]
    return bytes(data).ljust(size, b"\0")


def _gif(extra: bytes, frames: int = 1) -> bytes:
    file = _plain("GIF")
    start = file.index(b",", 13 + 3 * 2 ** ((file[10] & 7) + 1))
    return file[:start] + extra + file[start:-1] * frames + b";"


def _webp(extra: bytes) -> bytes:
    simple = _plain("WEBP", lossless=True)
    head = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (SIDE - 1).to_bytes(3, "little") * 2
    body = b"WEBP" + head + simple[12:] + extra
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _png(extra: bytes, after: bytes = b"") -> bytes:
    file = _plain("PNG")
    return file[:33] + extra + file[33:-12] + after + file[-12:]


def run_length_bmp(size: int) -> bytes:
    width = 4_096
    row = b"\x01\x07" * width + b"\0\0"
    height = max(SIDE, size // len(row))
    runs = row * height
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = bytes(1024)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(runs), 0, 0, 54 + 1024) + head + palette + runs


def narrow_strips(size: int) -> bytes:
    """A TIFF of one row of 64 pixels in each strip."""
    rows = max(SIDE, size // (SIDE + 8))
    pixels = bytes(SIDE * rows)
    arrays = b"".join(struct.pack("<I", 8 + SIDE * row) for row in range(rows)) + struct.pack("<I", SIDE) * rows
    at = 8 + len(pixels)
    entries = [
        *((256, 4, 1, SIDE), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, rows, at)),
        *((277, 3, 1, 1), (278, 4, 1, 1), (279, 4, rows, at + 4 * rows)),
    ]
    directory = struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", at + len(arrays)) + pixels + arrays + directory


def _animation(image_format: str) -> Callable[[int], bytes]:
    def made(size: int) -> bytes:
        frames = [Image.new("RGB", (SIDE, SIDE), (number % 256, 0, 0)) for number in range(min(4_000, size // 400))]
        body = io.BytesIO()
        frames[0].save(body, image_format, save_all=True, append_images=frames[1:])
        return body.getvalue()

    return made


def profile_of_elements(names: int, base: bytes | None = None) -> bytes:
    """An ICC profile whose multiProcessElements name one table of 33 x 33 x 33 colours many times."""
    base = base or lying_profile(False)
    table = b"clut\0\0\0\0" + struct.pack(">HH", 3, 3) + bytes([33] * 3 + [0] * 13)
    table += struct.pack(">f", 0.5) * 33**3 * 3
    body = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, names)
    body += struct.pack(">II", 16 + 8 * names, len(table)) * names + table
    (count,) = struct.unpack_from(">I", base, 128)
    tags, moved = base[132 : 132 + 12 * count], b""
    for at in range(0, len(tags), 12):
        name, start, size = struct.unpack_from(">4sII", tags, at)
        moved += struct.pack(">4sII", name, start + 48, size)
    data = base[132 + 12 * count :]
    data += bytes(-len(data) % 4)
    for name in (b"D2B0", b"D2B1", b"D2B2", b"D2B3"):
        moved += struct.pack(">4sII", name, 132 + 12 * (count + 4) + len(data), len(body))
    whole = base[4:8] + b"\x04\x30\0\0" + base[12:128] + struct.pack(">I", count + 4) + moved + data + body
    return struct.pack(">I", 4 + len(whole)) + whole


BOMB = zlib.compress(bytes(50_000_000))
COSTLY: dict[str, Callable[[int], bytes]] = {
    "tiff: directories": many_directories,
    "tiff: directories in a loop": one_directory_in_a_loop,
    "tiff: tags that share the file": lambda size: _tiff([(65000 + i, 1, size, 0) for i in range(400)], bytes(size)),
    "tiff: kept tags that share the file": lambda size: _tiff(
        [(tag, 1, size, 0) for tag in (320, 336, 340, 341, 347, 529)], bytes(size)
    ),
    "tiff: very many tags": lambda size: _tiff(
        [(40000 + i % 20000, 1, 1, 0) for i in range(min(60_000, size // 12))], bytes(8)
    ),
    "tiff: absurd strips": lambda size: _tiff([(273, 4, size // 8, 8), (279, 4, size // 8, 8)], bytes(size)),
    "tiff: narrow strips": narrow_strips,
    "tiff: strips that share data": lambda size: _tiff(
        [
            (259, 3, 1, 5),
            (278, 3, 1, 1),
            (273, 4, SIDE, 8 + SIDE * SIDE * 3),
            (279, 4, SIDE, 8 + SIDE * SIDE * 3 + 4 * SIDE),
        ],
        struct.pack("<I", 8) * SIDE + struct.pack("<I", size) * SIDE + bytes(size),
    ),
    "tiff: a tile for giants": lambda size: _tiff(
        [(259, 3, 1, 8), (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 9)], bytes(size)
    ),
    "tiff: bits of millions of channels": lambda size: _tiff(
        [(258, 3, size // 2, 8 + SIDE * SIDE * 3)], bytes([8, 0]) * (size // 2)
    ),
    "gif: frames": lambda size: _gif(b"", max(2, size // len(_plain("GIF")))),
    "gif: a comment of long blocks": lambda size: _gif(b"\x21\xfe" + _repeated(b"\xff" + b"c" * 255, size) + b"\0"),
    "gif: a comment of short blocks": lambda size: _gif(b"\x21\xfe" + _repeated(b"\x01c", size) + b"\0"),
    "gif: comments": lambda size: _gif(_repeated(b"\x21\xfe\x01c\0", size)),
    "gif: empty extensions": lambda size: _gif(_repeated(b"\x21\xfe\0", size)),
    "gif: data behind the picture": lambda size: _gif(b"")[:-2] + _repeated(b"\x01\0"[:1] + b"c", size) + b"\0;",
    "png: chunks": lambda size: _png(_repeated(chunk(b"teSt", b""), size)),
    "png: texts": lambda size: _png(_repeated(chunk(b"tEXt", b"k\0v"), size)),
    "png: plain texts before transparency": lambda size: _png(
        _repeated(chunk(b"tEXt", b"Title\0"), min(size, 18 * 100_000)) + chunk(b"tRNS", bytes(6))
    ),
    "png: EXIF blocks": lambda size: _png(_repeated(chunk(b"eXIf", b""), min(size, 12 * 199_000))),
    "png: empty data": lambda size: _png(b"", _repeated(chunk(b"IDAT", b""), size)),
    "png: text that inflates": lambda size: _png(_repeated(chunk(b"zTXt", b"k\0\0" + BOMB), size)),
    "png: XMP that inflates": lambda size: _png(_repeated(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB), size)),
    "png: profile that inflates": lambda size: _png(_repeated(chunk(b"iCCP", b"p\0\0" + BOMB), size)),
    "png: profile of very many elements": lambda size: _png(
        chunk(b"iCCP", b"p\0\0" + zlib.compress(profile_of_elements(min(size // 8, 20_000)), 9))
    ),
    "png: data that inflates": lambda size: _png(b"", _repeated(chunk(b"IDAT", BOMB), size)),
    "png: animation": _animation("PNG"),
    "webp: animation": _animation("WEBP"),
    "webp: chunks": lambda size: _webp(_repeated(b"JUNK\0\0\0\0", size)),
    "jpeg: scans": progressive_scans,
    "jpeg: EXIF blocks": lambda size: _jpeg(_repeated(segment(0xE1, b"Exif\0\0x"), size)),
    "jpeg: long EXIF blocks": lambda size: _jpeg(_repeated(segment(0xE1, b"Exif\0\0".ljust(65_000, b"x")), size)),
    "jpeg: EXIF of very many tags": lambda size: _jpeg(
        _repeated(segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\2\0\0\0\x06\0\0\0" * 5_000), size)
    ),
    "jpeg: EXIF whose tags share its data": lambda size: _jpeg(
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x88\x13" + struct.pack("<HHII", 0x9000, 1, 60_000, 0) * 5_000)
    ),
    "jpeg: segments": lambda size: _jpeg(_repeated(segment(0xE5, b""), size)),
    "jpeg: restart intervals": lambda size: _jpeg(_repeated(segment(0xDD, b"\0\0"), size)),
    "jpeg: tables": lambda size: _jpeg(_repeated(segment(0xDB, b"\x01" + b"\x10" * 64), size)),
    "jpeg: comments": lambda size: _jpeg(_repeated(segment(0xFE, b""), size)),
    "jpeg: fill bytes": lambda size: _jpeg(b"\xff" * size),
    "jpeg: junk": lambda size: _jpeg(b"\0" * size),
    "jpeg: markers without length": lambda size: _jpeg(_repeated(b"\xff\xd0", size)),
    "jpeg: further pictures": lambda size: _repeated(_plain("JPEG"), size),
    "jpeg: parts of a profile": lambda size: _jpeg(
        b"".join(
            segment(0xE2, b"ICC_PROFILE\0" + bytes([n % 256, 255]) + b"p" * 60_000) for n in range(1, size // 60_000)
        )
    ),
    "jpeg: profiles": lambda size: _jpeg(_repeated(segment(0xE2, b"ICC_PROFILE\0\1\1" + lying_profile(False)), size)),
    "bmp: run lengths": run_length_bmp,
}


def costly(name: str, size: int) -> bytes:
    return COSTLY[name](size)
