"""Pictures whose headers were tampered with: the same ones in every run, by seed.

Each holds the same scene: a bright corner, so that a turn, a flip, another picture or other colours are seen at once.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

from labelloop.pictures.pixels import Canonical, Limits, RejectedImage, canonicalise
from PIL import Image, ImageCms, ImageDraw

SIZE = (72, 48)
COUNT, SEED = 2_000, 9
LIMITS = Limits(min_side=10, max_pixels=500_000)
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"


def odd_pictures(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """A description and a file; half are JPEG, a quarter PNG, the rest WEBP and TIFF."""
    for number in range(count):
        lot = random.Random(f"{seed} {number}")
        kind = ("jpeg", "jpeg", "jpeg", "jpeg", "png", "png", "webp", "tiff")[number % 8]
        told, data = {"jpeg": _odd_jpeg, "png": _odd_png, "webp": _odd_webp, "tiff": _odd_tiff}[kind](lot)
        yield f"{number} {kind}: {told}", data


@cache
def accepted() -> list[tuple[str, bytes, Canonical]]:
    """The 2,000 files of the fuzz tests, of one seed: those that the product takes, with what it sees."""
    found = []
    for told, data in odd_pictures(COUNT, SEED):
        try:
            found.append((told, data, canonicalise(data, LIMITS)))
        except RejectedImage:
            continue
    return found


@cache
def scene(width: int = SIZE[0], height: int = SIZE[1]) -> Image.Image:
    red = Image.linear_gradient("L").resize((width, height))
    green = Image.linear_gradient("L").rotate(90).resize((width, height))
    image = Image.merge("RGB", (red, green, Image.new("L", (width, height), 60)))
    ImageDraw.Draw(image).rectangle((0, 0, width // 3, height // 4), fill=(250, 250, 40))
    return image


@cache
def encoded(image_format: str, mode: str = "RGB", **options: object) -> bytes:
    body = io.BytesIO()
    scene().convert(mode).save(body, image_format, **options)
    return body.getvalue()


def segment(code: int, body: bytes) -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body


def exif(lot: random.Random) -> bytes:
    """A TIFF structure with one or several orientation tags, as cameras, tools and broken tools write them."""
    order = lot.choice("<>")
    entries = []
    for _ in range(lot.choice((1, 1, 2, 3))):
        kind, count = lot.choice((3, 3, 3, 1, 4, 8, 2, 9)), lot.choice((1, 1, 1, 1, 0, 2))
        value = struct.pack(
            f"{order}{({1: 'B', 2: 'B', 4: 'I', 9: 'i'}).get(kind, 'H')}", lot.choice((6, 8, 3, 5, 2, 1, 9))
        )
        entries.append(struct.pack(f"{order}HHI", 0x0112, kind, count) + value.ljust(4, b"\0"))
    for _ in range(lot.randrange(3)):
        other = struct.pack(f"{order}HHI", lot.choice((0x010F, 0x0131, 0x8769, 0x0100)), 2, 2) + b"X\0\0\0"
        entries.insert(lot.randrange(len(entries) + 1), other)
    directory = struct.pack(f"{order}H", lot.choice((len(entries), len(entries), 1, 0xFFFF))) + b"".join(entries)
    gap = b"\0" * lot.choice((0, 0, 2, 6))
    magic = lot.choice((42, 42, 42, 43))
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", magic, 8 + len(gap))
    block = head + gap + directory + lot.choice((b"\0" * 4, b"", struct.pack(f"{order}I", 8)))
    return block[: len(block) - lot.choice((0, 0, 0, 5))]


def xmp(lot: random.Random) -> bytes:
    value = lot.choice((6, 8, 3, 2, 1))
    form = lot.choice(('tiff:Orientation="{}"', "<tiff:Orientation>{}</tiff:Orientation>"))
    return f'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {form.format(value)}></x:xmpmeta>'.encode()


@cache
def lying_profile(named_srgb: bool) -> bytes:
    """sRGB with its red and green exchanged, and perhaps still called sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    profile[entries[b"rXYZ"] : entries[b"rXYZ"] + 4] = b"gXYZ"
    profile[entries[b"gXYZ"] : entries[b"gXYZ"] + 4] = b"rXYZ"
    if not named_srgb:
        profile = bytearray(bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))
    return bytes(profile)


# ---- JPEG


def _app(lot: random.Random) -> bytes:
    """A segment that may turn or recolour the picture for somebody."""
    kind = lot.randrange(10)
    if kind < 5:
        prefix = lot.choice((b"Exif\0\0", b"Exif\0\0", b"Exif\0\0", b"Exif\0\xff", b"Exif\0", b"EXIF\0\0", b""))
        return segment(lot.choice((0xE1, 0xE1, 0xE1, 0xE1, 0xE0, 0xE2, 0xED)), prefix + exif(lot))
    if kind == 5:
        return segment(0xE1, XMP + xmp(lot))
    if kind == 6:
        packet = xmp(lot)
        return segment(0xE1, EXTENDED_XMP + b"0" * 32 + struct.pack(">II", len(packet), 0) + packet)
    if kind == 7:
        block = exif(lot)
        return segment(0xED, b"Photoshop 3.0\x008BIM\x04\x22\0\0" + struct.pack(">I", len(block)) + block)
    if kind == 8:
        return segment(0xE2, b"ICC_PROFILE\0\1\1" + lying_profile(lot.random() < 0.5))
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([lot.randrange(3)]))


def _odd_jpeg(lot: random.Random) -> tuple[str, bytes]:
    mode = lot.choice(("RGB", "RGB", "RGB", "L"))
    options = {"quality": 95, "subsampling": 0, "progressive": lot.random() < 0.3}
    if lot.random() < 0.2:
        options["restart_marker_rows"] = 1
    data, told = encoded("JPEG", mode, **options), []
    changes: list[tuple[str, Callable[[random.Random, bytes], bytes]]] = [
        ("metadata", _with_app),
        ("metadata", _with_app),
        ("metadata", _with_app),
        ("no JFIF", lambda _, file: file.replace(segment(0xE0, file[6:20]), b"")),
        ("other colours", _with_other_ids),
        ("tail", lambda lot, file: file + lot.choice((b"\0" * 9, encoded("JPEG", "L"), b"<script>alert(1)</script>"))),
        ("no end", lambda _, file: file[:-2]),
        ("fill", lambda _, file: file[:2] + b"\xff\xff" + file[2:]),
        ("junk", lambda lot, file: file[:2] + lot.randbytes(3) + file[2:]),
        ("comment", lambda lot, file: file[:2] + segment(0xFE, lot.randbytes(9)) + file[2:]),
        ("flipped head", lambda lot, file: _flipped(lot, file, 2, file.index(b"\xff\xda"))),
        ("flipped head", lambda lot, file: _flipped(lot, file, 2, file.index(b"\xff\xda"))),
        ("flipped scan", lambda lot, file: _flipped(lot, file, file.index(b"\xff\xda"), len(file))),
        ("before it another", lambda _, file: encoded("JPEG", "L")[:-2] + file),
        ("nothing", lambda _, file: file),
    ]
    for _ in range(lot.choice((1, 1, 2, 3))):
        name, change = lot.choice(changes)
        told.append(name)
        try:
            data = change(lot, data)
        except ValueError:
            told[-1] += " (not possible)"
    return ", ".join(told), data


def _with_app(lot: random.Random, file: bytes) -> bytes:
    """At the start, before any segment, or behind the frame or the first scan."""
    places = [2, 2, 2, 20, file.index(b"\xff\xda"), file.rindex(b"\xff\xd9")]
    at = lot.choice(places)
    return file[:at] + _app(lot) + file[at:]


def _with_other_ids(lot: random.Random, file: bytes) -> bytes:
    ids = lot.choice((b"RGB", b"\0\1\2", b"bgr"))
    for old, new in zip((1, 2, 3), ids, strict=True):
        for sampling in (b"\x11", b"\x22"):
            file = file.replace(bytes([old]) + sampling, bytes([new]) + sampling, 1)
    at = file.index(b"\xff\xda")
    scan = bytearray(file[at : at + 14])
    scan[5:11:2] = ids
    return file[:at] + bytes(scan) + file[at + 14 :]


def _flipped(lot: random.Random, file: bytes, start: int, end: int) -> bytes:
    body = bytearray(file)
    for _ in range(lot.choice((1, 1, 2))):
        body[lot.randrange(start, end)] = lot.randrange(256)
    return bytes(body)


# ---- PNG


def chunk(name: bytes, body: bytes, broken_sum: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ broken_sum)


def chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(file):
        size = int.from_bytes(file[at : at + 4])
        found.append((file[at + 4 : at + 8], file[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def _png_extra(lot: random.Random) -> tuple[bytes, bytes]:
    raw = exif(lot)
    words = "\n".join(["", "exif", str(len(raw)), raw.hex()]).encode()
    return lot.choice(
        [
            (b"eXIf", raw),
            (b"eXIf", b"Exif\0\0" + raw),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(lot)),
            (b"tEXt", b"Raw profile type exif\0" + words),
            (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(words)),
            (b"tEXt", b"Software\0a tool"),
            (b"gAMA", struct.pack(">I", lot.choice((45455, 100000, 22727)))),
            (b"cHRM", struct.pack(">8I", 31270, 32900, 30000, 60000, 64000, 33000, 15000, 6000)),
            (b"sRGB", b"\0"),
            (b"iCCP", b"sRGB\0\0" + zlib.compress(lying_profile(True))),
            (b"cICP", bytes([9, 16, 0, 1])),
            (b"tRNS", struct.pack(">3H", 250, 250, 40)),
            (b"bKGD", struct.pack(">3H", 255, 0, 0)),
            (b"sBIT", bytes([5, 5, 5])),
            (b"pHYs", struct.pack(">IIB", 1, 2, 0)),
            (b"acTL", struct.pack(">II", lot.choice((1, 2)), 0)),
            (b"teST", b"private"),
            (b"TeST", b"critical"),
        ]
    )


def _odd_png(lot: random.Random) -> tuple[str, bytes]:
    parts, told = chunks(encoded("PNG", lot.choice(("RGB", "RGB", "L")))), []
    head, first = parts[0], [name for name, _ in parts].index(b"IDAT")
    tail, sums = b"", True
    for _ in range(lot.choice((1, 1, 2, 3))):
        change = lot.randrange(9)
        told.append(str(change))
        if change <= 4:
            extra = _png_extra(lot)
            told[-1] = extra[0].decode()
            parts.insert(lot.choice((1, 1, first, len(parts) - 1)), extra)
        elif change == 5:
            tail = lot.choice((b"\0" * 5, encoded("PNG", "L"), encoded("JPEG")))
        elif change == 6:
            sums = False
        elif change == 7:
            body = bytearray(head[1])
            body[lot.randrange(len(body))] = lot.choice((0, 1, 2, 4, 8, 16, 72))
            parts[0] = (head[0], bytes(body))
        else:
            place = [name for name, _ in parts].index(b"IDAT")
            pixels = parts[place][1]
            cut = lot.choice((pixels[:-4], pixels[:-1] + b"\0", pixels + b"more", pixels[: len(pixels) // 2]))
            parts[place] = (b"IDAT", cut)
    broken = lot.randrange(len(parts)) if not sums else -1
    written = (chunk(name, body, number == broken) for number, (name, body) in enumerate(parts))
    return ", ".join(told), b"\x89PNG\r\n\x1a\n" + b"".join(written) + tail


# ---- WEBP and TIFF


def _odd_webp(lot: random.Random) -> tuple[str, bytes]:
    simple = encoded("WEBP", "RGB", lossless=True)
    extra = [(b"EXIF", lot.choice((b"", b"Exif\0\0")) + exif(lot)) for _ in range(lot.randrange(3))]
    extra += [(b"XMP ", xmp(lot))] * lot.randrange(2)
    flags = lot.choice((8 + 4, 0, 8))
    width, height = SIZE
    head = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + _riff(b"VP8X", head) + simple[12:] + b"".join(_riff(*each) for each in extra)
    return f"{len(extra)} extra", b"RIFF" + struct.pack("<I", len(body)) + body


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _odd_tiff(lot: random.Random) -> tuple[str, bytes]:
    """An orientation of some type and number in the first directory, and perhaps an EXIF or XMP of its own."""
    width, height = SIZE
    pixels = scene().tobytes()
    entries = [
        *((256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8)),
        *((277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(pixels))),
    ]
    for _ in range(lot.choice((1, 2))):
        entries.append((274, lot.choice((3, 3, 1, 4)), lot.choice((1, 1, 2)), lot.choice((6, 8, 3, 1, 9))))
    if lot.random() < 0.3:
        entries.append((700, 1, len(pixels), 8))
    entries.sort(key=lambda entry: entry[0])
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return "orientation", b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + bytes(4)
