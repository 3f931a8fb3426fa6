"""Hostile bytes of many kinds: each ends as a picture or as a refusal in words, in bounded memory, and
nothing else is read, opened or run for it.
"""

import builtins
import io
import itertools
import random
import struct
import subprocess
import zlib

import pytest
from labelloop.pictures import pixels
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise, png_bytes
from PIL import Image

from tests.support.odd_headers import chunk, encoded, exif, lying_profile, odd_pictures, scene, segment

REASONS = {
    "empty",
    "too-large",
    "not-an-image",
    "multi-frame",
    "too-many-pixels",
    "too-small",
    "truncated",
    "unreadable",
}
LIMITS = Limits(max_pixels=500_000, min_side=10)


@pytest.mark.fault("B04")
def test_damage_in_the_middle_that_decodes_is_one_picture_for_everybody():
    from labelloop.pictures.pixels import rendition

    lot, decoded = random.Random(4), 0
    whole = encoded("JPEG", "RGB", quality=95, subsampling=0)
    for _ in range(60):
        data = bytearray(whole)
        data[lot.randrange(whole.index(b"\xff\xda") + 14, len(whole) - 2)] ^= 1 << lot.randrange(8)
        try:
            canonical = canonicalise(bytes(data), LIMITS)
        except RejectedImage:
            continue
        decoded += 1
        shown = bytes(data) if canonical.unchanged else rendition(canonical).body
        assert Image.open(io.BytesIO(shown)).convert("RGB").tobytes() == canonical.rgb.tobytes()
    assert decoded > 30


@pytest.mark.fault("B10")
@pytest.mark.parametrize(("width", "height"), [(48, 72), (1, 1), (65_535, 65_535)])
def test_the_size_that_exif_states_counts_for_nothing(width, height):
    tags = Image.Exif()
    tags[0x0100], tags[0x0101] = width, height
    tags.get_ifd(0x8769).update({0xA002: width, 0xA003: height})
    body = io.BytesIO()
    scene().save(body, "JPEG", exif=tags)
    canonical = canonicalise(body.getvalue(), LIMITS)
    assert (canonical.width, canonical.height) == scene().size


@pytest.mark.fault("B17")
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_what_a_file_is_its_first_bytes_say(aws, image_format):
    """Neither its name nor the Content-Type it was uploaded with."""
    from threading import BoundedSemaphore

    import inspect_images
    from labelloop.contracts.records import InventoryItem
    from labelloop.store import storage

    body = io.BytesIO()
    scene(96, 64).save(body, image_format)
    for key, kind in (("incoming/b/x.txt", "text/html"), ("incoming/b/x", "application/pdf"), ("incoming/b/x.mp4", "")):
        storage.write(key, body.getvalue(), kind or "video/mp4")
        item = InventoryItem(key, None, "etag", len(body.getvalue()), 0.5, False, 0.5)
        record = inspect_images.inspect(item, "b", BoundedSemaphore(1))
        assert (record.status, record.width, record.height) == ("ok", 96, 64)


def profile_of(size: int, kind: bytes = b"mntrRGB XYZ ") -> bytes:
    lot = random.Random(size)
    head = bytearray(lot.randbytes(size))
    head[:4], head[12:24], head[36:40] = struct.pack(">I", size), kind, b"acsp"
    head[128:132] = struct.pack(">I", 100)
    return bytes(head)


@pytest.mark.fault("B18")
@pytest.mark.parametrize("size", [128, 132, 500, 4_000, 60_000])
@pytest.mark.parametrize("kind", [b"mntrRGB XYZ ", b"prtrCMYKLab ", b"mntrGRAYXYZ ", b"linkRGB RGB "])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_profile_is_as_good_as_none(image_format, size, kind):
    body = io.BytesIO()
    options = {"lossless": True} if image_format == "WEBP" else {}
    scene().save(body, image_format, icc_profile=profile_of(size, kind), **options)
    without = io.BytesIO()
    scene().save(without, image_format, **options)
    assert png_bytes(canonicalise(body.getvalue(), LIMITS)) == png_bytes(canonicalise(without.getvalue(), LIMITS))


@pytest.mark.fault("K01")
def test_a_profile_that_only_calls_itself_srgb_is_applied():
    for image_format in ("JPEG", "PNG"):
        body = io.BytesIO()
        scene().save(body, image_format, icc_profile=lying_profile(True))
        canonical = canonicalise(body.getvalue(), LIMITS)
        assert not canonical.unchanged
        red, green, _ = canonical.rgb.getpixel((2, 40))
        stored = scene().getpixel((2, 40))
        assert (red > green) == (stored[1] > stored[0]), "it swaps red and green, as a browser shows it"


def hostile() -> list[tuple[str, bytes]]:
    """Some 400 files: every format with every length cut, every head with every trick, and noise behind magic."""
    lot, found = random.Random(418), []
    formats = {name: encoded(name) for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")}
    for (name, data), share in itertools.product(formats.items(), range(1, 20)):
        found.append((f"{name} cut", data[: len(data) * share // 20]))
    for (name, data), number in itertools.product(formats.items(), range(25)):
        head = bytearray(data)
        for _ in range(1 + number % 4):
            head[lot.randrange(min(len(head), 60))] = lot.choice((0, 1, 0x7F, 0x80, 0xFF, lot.randrange(256)))
        found.append((f"{name} head", bytes(head)))
    for name, data in formats.items():
        for size in (2, 8, 26, 54, 300):
            found.append((f"{name} noise", data[:8] + lot.randbytes(size)))
            found.append((f"{name} nothing", data[:size]))
        found.append((f"{name} twice", data + data))
        found.append((f"{name} ones", data[:30] + b"\xff" * 5_000))
    for number in range(40):
        block = exif(lot)
        found.append((f"exif {number}", formats["JPEG"][:2] + segment(0xE1, b"Exif\0\0" + block) + formats["JPEG"][2:]))
    huge = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 1)
    found.append(("png huge", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", huge) + chunk(b"IDAT", zlib.compress(b"\0"))))
    found.append(("gif huge", b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x08\0;"))
    found.append(
        ("bmp huge", b"BM" + bytes(12) + struct.pack("<IiiHHII", 40, 2**30, -(2**30), 1, 32, 3, 0) + bytes(99))
    )
    return found


@pytest.mark.fault("B20", "J03")
def test_hostile_bytes_end_as_a_picture_or_a_refusal_and_nothing_else_happens(monkeypatch):
    def forbidden(*_args, **_kwargs):
        raise SystemExit("a picture made the product open a file or start a program")

    files = hostile() + list(odd_pictures(200, 418))
    Image.init()
    canonicalise(encoded("JPEG"), LIMITS)
    assert len(files) >= 418
    outcomes: dict[str, int] = {}
    with monkeypatch.context() as watched:
        for owner, name in ((subprocess, "Popen"), (subprocess, "check_call"), (builtins, "open")):
            watched.setattr(owner, name, forbidden)
        for told, data in files:
            try:
                canonical = canonicalise(data, LIMITS)
                outcome = "ok"
                assert canonical.rgb.mode == "RGB" and canonical.rgb.size == (canonical.width, canonical.height), told
                assert canonical.width * canonical.height <= LIMITS.max_pixels, told
            except RejectedImage as refusal:
                outcome = refusal.reason
                assert refusal.reason in REASONS and len(refusal.detail) > 10, told
                assert "Traceback" not in refusal.detail and "0x" not in refusal.detail, told
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert {"ok", "unreadable", "truncated", "not-an-image"} <= outcomes.keys()


@pytest.mark.fault("K04")
def test_an_image_for_which_memory_is_short_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_memory(*_: object, **__: object) -> None:
        raise MemoryError

    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "PNG")
    monkeypatch.setattr(pixels.Image, "open", short_of_memory)
    with pytest.raises(pixels.RejectedImage) as refusal:
        pixels.canonicalise(buffer.getvalue())
    assert refusal.value.reason == "too-large" and "memory" in refusal.value.detail
