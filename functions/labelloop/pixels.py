"""The one canonicalisation of pixels: what people, models and training jobs all see of a stored image.

Canonical pixels are upright (EXIF orientation applied), 8 bits per channel, sRGB; origin at the top left corner, x to
the right, y down. Inspection (Lambda), inference and training (container) all come here, so that a box means the same
pixels everywhere.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

# Pillow's own guard against decompression bombs only warns up to 179 Mpx. Set once, here, because
# warnings.catch_warnings() is not safe in the threads that decode.
warnings.simplefilter("error", Image.DecompressionBombWarning)
# With this flag Pillow would hand out half a picture as if it were whole.
ImageFile.LOAD_TRUNCATED_IMAGES = False

# Nothing else is parsed: every parser that hostile bytes can reach is one more to trust.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
# What every browser shows as it is stored. MPO is how Pillow calls a JPEG with more pictures behind the first (phones'
# gain maps and previews); browsers show the first, and so do we.
SHOWN_AS_STORED = ("JPEG", "MPO", "PNG")
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
WHITE = (255, 255, 255)
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
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Limits:
    """`max_pixels` counts width x height; above 89 Mpx Pillow's own guard refuses first, whatever is set here."""

    max_bytes: int = 40_000_000
    max_pixels: int = 50_000_000
    min_side: int = 32


@dataclass(frozen=True)
class Canonical:
    """`rgb` holds the canonical pixels and no metadata (no GPS, no profile).

    `unchanged`: the stored bytes, shown by a browser, already are these pixels, so no rendition has to be written.
    `scale`: the window (darkest, brightest stored value) that more than 8 bits were brought to 8 bits with, else None.
    """

    width: int
    height: int
    rgb: Image.Image
    unchanged: bool
    scale: tuple[float, float] | None


class RejectedImage(Exception):
    """The bytes are no image to label: `reason` is one of the Inspection reasons, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def canonicalise(data: bytes, limits: Limits = Limits()) -> Canonical:
    """The canonical pixels of one stored image; what its header can tell is refused before anything is decoded.

    Raises RejectedImage with the reason empty, too-large, not-an-image, multi-frame, too-many-pixels, too-small,
    truncated or unreadable.
    """
    refuse_by_size(len(data), limits)
    image = _open(data)
    try:
        _refuse_by_header(image, limits)
        image.load()
        orientation = _orientation(image)
        shown_as_stored = _is_shown_as_stored(image, data) and orientation == 1
        rgb, scale, converted = _to_srgb(image)
    except RejectedImage:
        raise
    except Exception as error:  # a parser fed hostile bytes may raise anything, and no image may take a shard with it
        raise _unreadable(data, error) from error
    if orientation in TRANSPOSITIONS:
        rgb = rgb.transpose(TRANSPOSITIONS[orientation])
    rgb.info.clear()
    return Canonical(rgb.width, rgb.height, rgb, shown_as_stored and not converted, scale)


def png_bytes(canonical: Canonical) -> bytes:
    """The rendition to store: the same pixels give the same bytes (one Pillow version), and no metadata is in them."""
    buffer = io.BytesIO()
    canonical.rgb.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def refuse_by_size(size: int, limits: Limits) -> None:
    """Raises RejectedImage (empty, too-large) for an object of `size` bytes, which need not be downloaded for it."""
    if size == 0:
        raise RejectedImage("empty", "the object holds 0 bytes; upload it again")
    if size > limits.max_bytes:
        raise RejectedImage("too-large", f"{size} bytes, the limit is {limits.max_bytes}; shrink it or raise the limit")


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise RejectedImage("too-many-pixels", str(error)) from error
    except UnidentifiedImageError as error:
        if _magic_format(data) is None:
            raise RejectedImage("not-an-image", f"the bytes are none of {', '.join(FORMATS)}") from error
        raise _unreadable(data, error) from error
    except Exception as error:
        raise _unreadable(data, error) from error


def _refuse_by_header(image: Image.Image, limits: Limits) -> None:
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise RejectedImage("multi-frame", f"{frames} frames or pages; upload each as an image of its own")
    width, height = image.size
    if width * height > limits.max_pixels:
        raise RejectedImage("too-many-pixels", f"{width} x {height} pixels, the limit is {limits.max_pixels} in all")
    if min(width, height) < limits.min_side:
        raise RejectedImage("too-small", f"{width} x {height} pixels, the shorter side must have {limits.min_side}")


def _to_srgb(image: Image.Image) -> tuple[Image.Image, tuple[float, float] | None, bool]:
    """The image as 8-bit sRGB, the window of a deeper one, and whether a colour profile changed the values."""
    if image.mode in DEEP_MODES:
        grey, scale = _window(image)
        return grey.convert("RGB"), scale, True
    if image.has_transparency_data:
        image = _on_white(image)
    elif image.mode == "P":
        image = _with_info(image.convert("RGB"), image)
    profiled = _apply_profile(image)
    if profiled is not None:
        return profiled, None, True
    return image.convert("RGB"), None, False


def _window(image: Image.Image) -> tuple[Image.Image, tuple[float, float]]:
    """Darkest to brightest stored value spread over 0..255; Pillow itself would clip everything above 255 to white."""
    values = image.convert("I").convert("F") if image.mode.startswith("I;16") else image.convert("F")
    extrema: Any = values.getextrema()
    low, high = (float(value) for value in extrema)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RejectedImage("unreadable", "some pixels are not finite numbers")
    factor = 255 / (high - low) if high > low else 0.0
    # Half a step more, because the conversion to 8 bits cuts fractions off.
    return values.point(lambda value: value * factor + (0.5 - low * factor)).convert("L"), (low, high)


def _on_white(image: Image.Image) -> Image.Image:
    pixels = image.convert("RGBA")
    canvas = Image.new("RGBA", pixels.size, (*WHITE, 255))
    return _with_info(Image.alpha_composite(canvas, pixels).convert("RGB"), image)


def _with_info(pixels: Image.Image, source: Image.Image) -> Image.Image:
    pixels.info = {"icc_profile": source.info.get("icc_profile")}
    return pixels


def _apply_profile(image: Image.Image) -> Image.Image | None:
    """The image brought from its embedded ICC profile to sRGB; None where there is nothing to do or no way to do it."""
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.profileToProfile(image, source, _srgb_profile(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile, or one for another colour mode: browsers ignore it too


@cache
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _is_shown_as_stored(image: Image.Image, data: bytes) -> bool:
    """Whether a browser shows the stored file as 8-bit RGB or grey, with no alpha and no gamma of its own."""
    if image.format not in SHOWN_AS_STORED or image.mode not in ("RGB", "L") or image.has_transparency_data:
        return False
    if image.format != "PNG":
        return True
    bit_depth = data[24]  # IHDR is always the first chunk; Pillow drops the low byte of 16-bit RGB without a word
    gamma = image.info.get("gamma")
    return bit_depth <= 8 and (gamma is None or abs(gamma - SRGB_GAMMA) < 0.01)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # EXIF is a format of its own and often broken; browsers then show the pixels as stored
        return 1
    return orientation if orientation in TRANSPOSITIONS else 1


def _unreadable(data: bytes, error: Exception) -> RejectedImage:
    named = _magic_format(data) or "image"
    if "truncated" in str(error).lower() or _ends_early(data, named):
        return RejectedImage("truncated", f"the {named} data ends before the picture does; upload it again")
    return RejectedImage("unreadable", f"the {named} data is damaged or of an unsupported kind ({error})")


def _magic_format(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return "WEBP" if data[8:12] in (b"WEBP", b"") else None
    magic = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
    return next((name for start, name in magic.items() if data.startswith(start)), None)


def _ends_early(data: bytes, named: str) -> bool:
    """Whether the end that the format promises is missing; only asked of data that could not be decoded."""
    match named:
        case "JPEG":
            return b"\xff\xd9" not in data[-64:]
        case "PNG":
            return b"IEND" not in data[-64:]
        case "GIF":
            return not data.endswith(b";")
        case "WEBP":
            return len(data) < 8 + int.from_bytes(data[4:8], "little")
        case _:
            return False
