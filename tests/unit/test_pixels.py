"""The pixels contract: what is refused and why, and that every stored form of a picture becomes the same pixels."""

import io
import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise, png_bytes
from PIL import Image, ImageChops, ImageCms, ImageDraw, PngImagePlugin

DEFAULT_LIMITS = Limits()
DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def picture(width: int = 96, height: int = 64) -> Image.Image:
    """Coloured gradients and a bright corner, so that every flip and rotation is told from every other."""
    red = Image.linear_gradient("L").resize((width, height))
    green = Image.linear_gradient("L").rotate(90).resize((width, height))
    image = Image.merge("RGB", (red, green, Image.new("L", (width, height), 60)))
    ImageDraw.Draw(image).rectangle((0, 0, 20, 10), fill=(250, 250, 40))
    return image


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def reason(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data, limits)
    assert refusal.value.detail
    return refusal.value.reason


def largest_difference(left: Image.Image, right: Image.Image) -> int:
    return max(high for _, high in ImageChops.difference(left, right).getextrema())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_an_upright_rgb_file_needs_no_rendition(image_format):
    canonical = canonicalise(encoded(picture(), image_format))
    assert (canonical.width, canonical.height, canonical.unchanged, canonical.scale) == (96, 64, True, None)
    assert canonical.rgb.mode == "RGB"


def test_a_grey_file_needs_no_rendition_and_becomes_rgb():
    canonical = canonicalise(encoded(picture().convert("L"), "PNG"))
    assert canonical.unchanged
    assert largest_difference(canonical.rgb, picture().convert("L").convert("RGB")) == 0


@pytest.mark.parametrize("image_format", ["WEBP", "BMP", "TIFF"])
def test_a_file_that_not_every_browser_shows_needs_a_rendition_of_the_same_pixels(image_format):
    canonical = canonicalise(encoded(picture(), image_format, **({"lossless": True} if image_format == "WEBP" else {})))
    assert not canonical.unchanged
    assert largest_difference(canonical.rgb, picture()) == 0


@pytest.mark.fault("B09")
@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
def test_every_exif_orientation_gives_the_same_upright_pixels(image_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    quality = {"quality": 100, "subsampling": 0} if image_format == "JPEG" else {}
    canonical = canonicalise(encoded(picture().transpose(undo), image_format, exif=exif, **quality))
    assert (canonical.width, canonical.height) == (96, 64)
    assert largest_difference(canonical.rgb, picture()) <= 6
    assert not canonical.unchanged


def test_orientation_one_and_nonsense_orientations_change_nothing():
    for orientation in (1, 0, 9, 250):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert_same_stream(encoded(picture(), "JPEG", exif=exif))


def test_broken_exif_is_ignored():
    assert_same_stream(encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"))


def assert_same_stream(stored: bytes) -> None:
    """The pixels are those of the file without metadata, and so is what people and trainers get."""
    from labelloop.pictures.pixels import rendition

    canonical, plain = canonicalise(stored), encoded(picture(), "JPEG")
    assert not canonical.unchanged, "another decoder may read the metadata in another way"
    assert png_bytes(canonical) == png_bytes(canonicalise(plain))
    assert (rendition(canonical).body, rendition(canonical).content_type) == (plain, "image/jpeg")


@pytest.mark.fault("B07")
def test_cmyk_keeps_its_colours():
    canonical = canonicalise(encoded(picture().convert("CMYK"), "JPEG", quality=95))
    assert not canonical.unchanged
    assert largest_difference(canonical.rgb.resize((12, 8)), picture().resize((12, 8))) < 24


@pytest.mark.fault("B12")
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_on_white(mode):
    image = Image.new(mode, (40, 40), (0, 0, 0, 0) if mode == "RGBA" else (0, 0))
    image.paste(Image.new(mode, (20, 40), (10, 20, 30, 255) if mode == "RGBA" else (10, 255)), (0, 0))
    canonical = canonicalise(encoded(image, "PNG"))
    assert canonical.rgb.getpixel((30, 5)) == (255, 255, 255)
    assert canonical.rgb.getpixel((5, 5)) == ((10, 20, 30) if mode == "RGBA" else (10, 10, 10))
    assert not canonical.unchanged


def test_a_palette_and_its_transparent_colour():
    image = picture().quantize(16)
    opaque = canonicalise(encoded(image, "PNG"))
    assert largest_difference(opaque.rgb, image.convert("RGB")) == 0
    transparent = canonicalise(encoded(image, "PNG", transparency=image.getpixel((50, 40))))
    assert transparent.rgb.getpixel((50, 40)) == (255, 255, 255)


@pytest.mark.fault("B12")
def test_one_bit_images_become_black_and_white():
    canonical = canonicalise(encoded(picture().convert("1"), "PNG"))
    assert {colour for _, colour in canonical.rgb.getcolors()} == {(0, 0, 0), (255, 255, 255)}


def ramp_16_bit(low: int, high: int, side: int = 64) -> Image.Image:
    count = side * side
    values = [low + (high - low) * index // (count - 1) for index in range(count)]
    return Image.frombytes("I;16", (side, side), struct.pack(f"<{count}H", *values))


@pytest.mark.fault("B08")
@pytest.mark.parametrize(
    ("image_format", "low", "high"), [("PNG", 0, 65535), ("PNG", 300, 1323), ("TIFF", 1000, 40000)]
)
def test_16_bits_are_windowed_from_darkest_to_brightest_and_the_window_is_recorded(image_format, low, high):
    canonical = canonicalise(encoded(ramp_16_bit(low, high), image_format))
    histogram = canonical.rgb.getchannel("R").histogram()
    assert canonical.scale == (low, high)
    assert canonical.rgb.getpixel((0, 0)) == (0, 0, 0)
    assert canonical.rgb.getpixel((63, 63)) == (255, 255, 255)
    assert max(histogram) <= 2 * min(histogram[1:255]) and histogram[255] < 0.01 * 64 * 64
    assert not canonical.unchanged


@pytest.mark.parametrize("mode", ["F", "I"])
def test_float_and_32_bit_images_are_windowed_too(mode):
    image = Image.new(mode, (64, 64), -2)
    image.paste(6, (0, 0, 32, 64))
    canonical = canonicalise(encoded(image, "TIFF"))
    assert canonical.scale == (-2.0, 6.0)
    assert (canonical.rgb.getpixel((0, 0)), canonical.rgb.getpixel((40, 0))) == ((255, 255, 255), (0, 0, 0))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bit_depth: int, colour_type: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + body


def test_a_16_bit_rgb_png_that_uses_all_bits_is_read_as_8_bit_and_gets_a_rendition():
    rows = (b"\0" + struct.pack(">3H", 0x1234, 0x8000, 0xFFFF) * 40) * 40
    canonical = canonicalise(png(40, 40, 16, 2, rows))
    assert canonical.rgb.getpixel((3, 3)) == (0x12, 0x80, 0xFF)
    assert not canonical.unchanged


def test_a_png_with_a_gamma_of_its_own_gets_a_rendition():
    rows = (b"\0" + b"\x40\x80\xc0" * 40) * 40
    usual, linear = (png_chunk(b"gAMA", struct.pack(">I", value)) for value in (45455, 100000))
    assert canonicalise(png(40, 40, 8, 2, rows, usual)).unchanged
    assert not canonicalise(png(40, 40, 8, 2, rows, linear)).unchanged


def test_an_srgb_profile_changes_nothing_and_another_one_is_converted():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (srgb, lab_profile, b"nonsense"):
        canonical = canonicalise(encoded(picture(), "PNG", icc_profile=profile))
        assert largest_difference(canonical.rgb, picture()) == 0
        assert not canonical.unchanged, "not every reader makes the same of a profile"
        assert_same_stream(encoded(picture(), "JPEG", icc_profile=profile))


def test_a_wide_gamut_profile_is_brought_to_srgb():
    stored = encoded(picture(), "PNG", icc_profile=swapped_primaries_profile())
    canonical = canonicalise(stored)
    assert not canonical.unchanged
    assert "icc_profile" not in Image.open(io.BytesIO(png_bytes(canonical))).info
    red, green, _ = canonical.rgb.getpixel((90, 40))
    stored_red, stored_green, _ = picture().getpixel((90, 40))
    assert (red > green) == (stored_green > stored_red), "the profile swaps red and green"


def swapped_primaries_profile() -> bytes:
    """sRGB with its red and green primaries exchanged and another name: a profile whose effect nobody can overlook."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    offset, size = struct.unpack_from(">II", profile, entries[b"desc"] + 4)
    profile[offset : offset + size] = profile[offset : offset + size].replace(
        "sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")
    )
    return bytes(profile)


def test_a_jpeg_with_further_pictures_behind_the_first_is_a_jpeg():
    stored = encoded(picture(), "MPO", save_all=True, append_images=[picture(48, 32)])
    assert Image.open(io.BytesIO(stored)).format == "MPO"
    assert_same_stream(stored)


@pytest.mark.fault("B11")
@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_multi_page_files_are_refused(image_format):
    other = picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert reason(encoded(picture(), image_format, save_all=True, append_images=[other])) == "multi-frame"


@pytest.mark.fault("B02")
@pytest.mark.parametrize("data", [b"hello, world", b"<html></html>", b"%PDF-1.7 ...", b"PK\x03\x04zip", b"\0" * 5000])
def test_other_files_are_not_images(data):
    assert reason(data) == "not-an-image"


@pytest.mark.fault("B14")
@pytest.mark.parametrize("image_format", ["PPM", "ICO", "TGA", "PCX"])
def test_formats_off_the_list_are_not_parsed(image_format):
    assert reason(encoded(picture(64, 64), image_format)) == "not-an-image"


@pytest.mark.fault("B01", "B16")
def test_empty_and_too_large_objects():
    assert reason(b"") == "empty"
    stored = encoded(picture(), "PNG")
    assert reason(stored, Limits(max_bytes=len(stored) - 1)) == "too-large"
    assert canonicalise(stored, Limits(max_bytes=len(stored)))


@pytest.mark.fault("B05", "B06")
def test_a_bomb_is_refused_by_its_header(monkeypatch):
    def decode(*_args):
        raise AssertionError("a bomb was decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decode)
    for side in (9_000, 14_000, 50_000):  # below Pillow's warning, at its error, far beyond
        assert reason(png(side, side, 8, 0, b"")) == "too-many-pixels"


@pytest.mark.fault("B13")
def test_the_pixel_and_side_limits_are_inclusive():
    stored = encoded(picture(), "PNG")
    assert canonicalise(stored, Limits(max_pixels=96 * 64, min_side=64))
    assert reason(stored, Limits(max_pixels=96 * 64 - 1)) == "too-many-pixels"
    assert reason(stored, Limits(min_side=65)) == "too-small"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("percent", [10, 50, 90])
def test_a_file_cut_short_is_called_truncated(image_format, percent):
    stored = encoded(picture(), image_format)
    assert reason(stored[: len(stored) * percent // 100]) == "truncated"


FULL = {name: encoded(picture(), name) for name in DECODED_FORMATS} | {
    "PROGRESSIVE": encoded(picture(), "JPEG", progressive=True)
}
WHOLE = {name: png_bytes(canonicalise(stored)) for name, stored in FULL.items()}


@pytest.mark.fault("B03")
@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(FULL)), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_or_gives_the_whole_picture(name, share):
    stored = FULL[name]
    try:
        canonical = canonicalise(stored[: int(len(stored) * share)])
    except RejectedImage:
        return
    assert png_bytes(canonical) == WHOLE[name]


@pytest.mark.fault("B20")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(FULL)), flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8)
)
def test_damaged_bytes_never_raise_anything_but_a_refusal(name, flips):
    damaged = bytearray(FULL[name])
    for share, value in flips:
        damaged[int(share * len(damaged))] = value
    try:
        canonical = canonicalise(bytes(damaged), Limits(max_pixels=1_000_000))
    except RejectedImage as refusal:
        assert refusal.reason in {
            "not-an-image",
            "multi-frame",
            "too-many-pixels",
            "too-small",
            "truncated",
            "unreadable",
        }
    else:
        assert (canonical.rgb.width, canonical.rgb.height) == (canonical.width, canonical.height)


@pytest.mark.fault("B19")
def test_the_rendition_is_deterministic_and_carries_no_metadata():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    stored = encoded(picture(), "JPEG", exif=exif, dpi=(300, 300), comment=b"taken at home")
    rendition = png_bytes(canonicalise(stored))
    assert rendition == png_bytes(canonicalise(stored))
    reread = Image.open(io.BytesIO(rendition))
    assert reread.info == {} and dict(reread.getexif()) == {}
    again = canonicalise(rendition)
    assert again.unchanged and largest_difference(again.rgb, canonicalise(stored).rgb) == 0
