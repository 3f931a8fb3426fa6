"""The one canonicalisation of pixels: what people, models and training jobs all see of a stored image.

Canonical pixels are upright, 8 bits per channel, sRGB; origin at the top left corner, x to the right, y down.
Inspection (Lambda), inference and training (container) all come here, so that a box means the same pixels everywhere.

Upright by one rule, that of browsers: the first EXIF block turns the picture (stored.py), nothing else does.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from PIL import Image, ImageChops, ImageCms, ImageFile, UnidentifiedImageError

from labelloop import blocks, deep, jpegs, other_formats, pngs, profiles, tiffs
from labelloop.stored import Limits, RejectedImage, Stored

__all__ = [
    "Canonical",
    "Limits",
    "RejectedImage",
    "Rendition",
    "canonicalise",
    "png_bytes",
    "refuse_by_size",
    "rendition",
    "stored_shape",
]

# Pillow's own guard against decompression bombs only warns up to 179 Mpx. Set once, here, because
# warnings.catch_warnings() is not safe in the threads that decode.
warnings.simplefilter("error", Image.DecompressionBombWarning)
# With this flag Pillow would hand out half a picture as if it were whole.
ImageFile.LOAD_TRUNCATED_IMAGES = False

WHITE = (255, 255, 255)
GREY = (128, 128, 128)
SRGB_GAMMA = 1 / 2.2
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
USUAL = Limits()
SEEN_ALPHA = 26  # of 255
SEEN_SHARE = 0.001  # of the pixels
# Two colours that differ by no more look the same.
SAME_COLOUR = 2
_PLANES, _APART = 284, 2
_SAMPLE_FORMAT, _SIGNED = 339, 2
LOW_BYTES = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}


@dataclass(frozen=True)
class Canonical:
    """`rgb` holds the canonical pixels and no metadata (no GPS, no profile).

    `unchanged`: every decoder, browser or trainer, shows the stored bytes as these pixels: it needs no rendition.
    `scale`: the window (darkest, brightest stored value) that more than 8 bits were brought to 8 bits with, else None.
    `jpeg`: the stored JPEG stream without all that is not the picture, where that shows these pixels everywhere.
    """

    width: int
    height: int
    rgb: Image.Image
    unchanged: bool
    scale: tuple[float, float] | None
    jpeg: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Rendition:
    """A file that every decoder shows as the canonical pixels. `suffix`: jpg or png."""

    body: bytes
    suffix: str

    @property
    def content_type(self) -> str:
        return {"jpg": "image/jpeg", "png": "image/png"}[self.suffix]


def canonicalise(data: bytes, limits: Limits = USUAL) -> Canonical:
    """The canonical pixels of one stored image; what its header can tell is refused before anything is decoded.

    Raises RejectedImage with the reason empty, too-large, not-an-image, multi-frame, too-many-pixels, too-small,
    truncated or unreadable.
    """
    refuse_by_size(len(data), limits)
    named = _format_of(data)
    with _reading(data):
        stored = READERS[named](data, limits)
        image = _opened(stored, named, limits)
        if named == "TIFF":
            _refuse_deep_planes(image, stored)
        image.load()
        _refuse_unfinished(image, stored, named, limits)
        is_plain = image.mode in ("RGB", "L") and not image.has_transparency_data
        rgb, scale, converted = _to_srgb(image, stored, named, limits)
    if stored.orientation in TRANSPOSITIONS:
        rgb = rgb.transpose(TRANSPOSITIONS[stored.orientation])
    rgb.info.clear()
    as_stored = stored.portable and is_plain and not converted and stored.orientation == 1
    jpeg = stored.picture if as_stored and named == "JPEG" else None
    return Canonical(rgb.width, rgb.height, rgb, as_stored and stored.bare, scale, jpeg)


def stored_shape(data: bytes, limits: Limits = USUAL) -> tuple[int, int, int]:
    """Width and height, pixels, as stored, and the orientation, 1 to 8, by which `canonicalise` turns them.

    No pixel is decoded. Raises RejectedImage as canonicalise does for what the header tells.
    """
    named = _format_of(data)
    with _reading(data):
        stored = READERS[named](data, limits)
        image = _opened(stored, named, limits)
    return image.width, image.height, stored.orientation


def rendition(canonical: Canonical) -> Rendition:
    """The file to store in place of the original: the same JPEG stream where there is one, else a PNG."""
    if canonical.jpeg is not None:
        return Rendition(canonical.jpeg, "jpg")
    return Rendition(png_bytes(canonical), "png")


def png_bytes(canonical: Canonical) -> bytes:
    """The pixels as PNG: the same pixels give the same bytes (one Pillow version), and no metadata is in them."""
    buffer = io.BytesIO()
    # Level 4 takes 1.4 to 1.8 times as long for a fifth less: a shard of large photographs would not end in time.
    canonical.rgb.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def refuse_by_size(size: int, limits: Limits) -> None:
    """Raises RejectedImage (empty, too-large) for an object of `size` bytes, which need not be downloaded for it."""
    if size == 0:
        raise RejectedImage("empty", "the object holds 0 bytes; upload it again")
    if size > limits.max_bytes:
        raise RejectedImage("too-large", f"{size} bytes, the limit is {limits.max_bytes}; shrink it or raise the limit")


# Nothing else is parsed: every parser that hostile bytes can reach is one more to trust.
READERS: dict[str, Callable[[bytes, Limits], Stored]] = {
    "JPEG": jpegs.read,
    "PNG": pngs.read,
    "WEBP": lambda data, _: blocks.read_webp(data),
    "BMP": lambda data, _: blocks.read_bmp(data),
    "TIFF": tiffs.read,
    "GIF": lambda data, _: blocks.read_gif(data),
}


def _opened(stored: Stored, named: str, limits: Limits) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(stored.picture), formats=[named])
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise RejectedImage("too-many-pixels", str(error)) from error
    width, height = image.size
    if stored.frames > 1:
        raise RejectedImage("multi-frame", "it has several frames or pages; upload each as an image of its own")
    if width * height > limits.max_pixels:
        raise RejectedImage("too-many-pixels", f"{width} x {height} pixels, the limit is {limits.max_pixels} in all")
    if min(width, height) < limits.min_side:
        raise RejectedImage("too-small", f"{width} x {height} pixels, the shorter side must have {limits.min_side}")
    return image


def _refuse_unfinished(image: Image.Image, stored: Stored, named: str, limits: Limits) -> None:
    """A file whose end is missing is whole if what stands there instead makes no difference."""
    for ending in stored.endings:
        same = _opened(Stored(stored.picture[:-2] + ending), named, limits).convert(image.mode)
        if ImageChops.difference(same, image).getbbox(alpha_only=False) is not None:
            raise RejectedImage("truncated", f"the {named} data ends before the picture does; upload it again")


def _to_srgb(
    image: Image.Image, stored: Stored, named: str, limits: Limits
) -> tuple[Image.Image, tuple[float, float] | None, bool]:
    """The image as 8-bit sRGB, the window of a deeper one, and whether its values were changed for that."""
    if named == "TIFF":
        _refuse_large_numbers(image, stored)
    if image.mode in deep.MODES:
        grey, scale = deep.grey(image, limits.window, stored.no_data, stored.negative)
        return grey.convert("RGB"), scale, True
    if image.mode == "L" and named == "TIFF" and _tag(image, _SAMPLE_FORMAT) == _SIGNED:
        return image.point(lambda value: (value + 128) % 256).convert("RGB"), (-128.0, 127.0), True
    sixteen: tuple[float, float] | None = None
    if stored.bits == 16:
        image, sixteen = _from_sixteen_bits(image, stored, named, limits)
        if image.mode == "L":
            return image.convert("RGB"), sixteen, True
    if image.has_transparency_data:
        image = _on_white(image)
    elif image.mode == "P":
        image = image.convert("RGB")
    profiled = _apply_profile(image, stored.profile)
    if profiled is not None:
        return profiled, sixteen, True
    return image.convert("RGB"), sixteen, sixteen is not None


def _tag(image: Image.Image, number: int) -> int:
    """The first value of a TIFF tag whose usual value is 1."""
    value = getattr(image, "tag_v2", {}).get(number, 1)
    return int(value[0] if isinstance(value, tuple) else value)


def _refuse_deep_planes(image: Image.Image, stored: Stored) -> None:
    """Pillow reads 16 bits of planes that are stored one after the other as twice as many of 8."""
    if stored.bits == 16 and len(image.getbands()) > 1 and _tag(image, _PLANES) == _APART:
        raise RejectedImage(
            "unreadable", "TIFF of 16 bits with its colours in separate planes; save it with INTERLEAVE=PIXEL"
        )


def _refuse_large_numbers(image: Image.Image, stored: Stored) -> None:
    """Pillow reads numbers without a sign as such with one."""
    unsigned = image.mode == "I" and stored.bits == 32 and _tag(image, _SAMPLE_FORMAT) == 1
    if unsigned and image.getextrema()[0] < 0:  # type: ignore[operator]
        raise RejectedImage("unreadable", "TIFF of numbers above 2,147,483,647; save it as 32-bit floats or 16 bits")


def _from_sixteen_bits(
    image: Image.Image, stored: Stored, named: str, limits: Limits
) -> tuple[Image.Image, tuple[float, float] | None]:
    """Pillow keeps the high byte of each channel; the low byte is what it takes for the high one of the other order."""
    if named == "PNG" and image.mode in ("LA", "RGBA") and pngs.header_of(stored.picture).colours == 4:
        parts = Image.open(io.BytesIO(pngs.deep_grey_with_alpha_as_bytes(stored.picture)), formats=[named])
        high, low, alpha, _ = parts.split()
        values = Image.frombytes("I;16", parts.size, Image.merge("LA", (low, high)).tobytes())
        grey, window = deep.grey(values, limits.window, None)
        return _on_white(Image.merge("LA", (grey, alpha))).convert("L"), window
    if image.mode not in ("RGB", "RGBA", "RGBX"):
        return image, None
    other = Image.open(io.BytesIO(stored.picture), formats=[named])
    other.tile = [_of_low_bytes(tile) for tile in other.tile]
    other.load()
    pixels, window = deep.colours(image, other, limits.window)
    if image.mode != "RGBA":
        return pixels, window
    return _on_white(Image.merge("RGBA", (*pixels.split(), image.getchannel("A")))), window


def _of_low_bytes(tile: ImageFile._Tile) -> ImageFile._Tile:
    mode, *rest = [tile.args] if isinstance(tile.args, str) else list(tile.args or ())
    colours, _, order = str(mode).partition(";")
    swapped = f"{colours};{LOW_BYTES[order]}"
    return tile._replace(args=swapped if isinstance(tile.args, str) else (swapped, *rest))


def _on_white(image: Image.Image) -> Image.Image:
    """Without its alpha where that hides everything: somebody's tool wrote 0 and meant nothing by it.

    A white drawing would be white on white: it is shown on grey.
    """
    pixels = image.convert("RGBA")
    seen = sum(pixels.getchannel("A").histogram()[SEEN_ALPHA:])
    if seen < SEEN_SHARE * pixels.width * pixels.height:
        return pixels.convert("RGB")
    shown = _on(WHITE, pixels)
    if _is_one_colour(shown):
        on_grey = _on(GREY, pixels)
        return shown if _is_one_colour(on_grey) else on_grey
    return shown


def _on(colour: tuple[int, int, int], pixels: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", pixels.size, (*colour, 255)), pixels).convert("RGB")


def _is_one_colour(image: Image.Image) -> bool:
    return all(high - low <= SAME_COLOUR for low, high in image.getextrema())  # type: ignore[misc]


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """The image brought from its embedded ICC profile to sRGB; None where there is nothing to do or no way to do it."""
    usable = profiles.bounded(profile) if profile else None
    if usable is None:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(usable))
        transform = ImageCms.buildTransform(source, _srgb_profile(), image.mode, "RGB")
        if image.mode in ("RGB", "L") and _changes_nothing(transform, image.mode):
            return None
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile, or one for another colour mode: browsers ignore it too


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """What a profile calls itself does not count."""
    steps = range(0, 256, 15)
    colours = [(r, g, b) for r in steps for g in steps for b in steps] if mode == "RGB" else [(v,) for v in range(256)]
    chart = Image.frombytes(mode, (len(colours), 1), bytes(value for colour in colours for value in colour))
    shown = ImageCms.applyTransform(chart, transform)
    assert shown is not None
    difference = ImageChops.difference(shown, chart.convert("RGB"))
    return max(difference.tobytes()) <= SAME_COLOUR


@cache
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _format_of(data: bytes) -> str:
    named = _magic_format(data)
    if named is None:
        raise RejectedImage("not-an-image", other_formats.refusal(data))
    return named


@contextmanager
def _reading(data: bytes) -> Iterator[None]:
    try:
        yield
    except RejectedImage:
        raise
    except MemoryError as error:  # its sizes are within the limits, so the reader's memory is what is short
        raise RejectedImage("too-large", "reading it takes more memory than there is; save it smaller") from error
    except Exception as error:  # a parser fed hostile bytes may raise anything, and no image may take a shard with it
        raise _unreadable(data, error) from error


def _unreadable(data: bytes, error: Exception) -> RejectedImage:
    named = _magic_format(data) or "image"
    if "truncated" in str(error).lower() or _ends_early(data, named):
        return RejectedImage("truncated", f"the {named} data ends before the picture does; upload it again")
    told = "its header is not understood" if isinstance(error, UnidentifiedImageError) else str(error)
    return RejectedImage("unreadable", f"the {named} data is damaged or of an unsupported kind ({told})")


def _magic_format(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return "WEBP" if data[8:12] in (b"WEBP", b"") else None
    return next((name for start, name in MAGIC.items() if data.startswith(start)), None)


MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    pngs.SIGNATURE: "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
}


def _ends_early(data: bytes, named: str) -> bool:
    """Whether the end that the format promises is missing; only asked of data that could not be decoded."""
    match named:
        case "JPEG":
            return jpegs.END not in data[-64:]
        case "PNG":
            return b"IEND" not in data[-64:]
        case "GIF":
            return not data.endswith(b";")
        case "WEBP":
            return len(data) < 8 + int.from_bytes(data[4:8], "little")
        case _:
            return False
