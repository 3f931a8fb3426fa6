"""Transparent pictures are shown as a person would want them."""

import io

import pytest
from labelloop.pictures.pixels import canonicalise
from PIL import Image

SIDE = 64


@pytest.mark.fault("K05")
@pytest.mark.parametrize(
    ("mode", "image_format"),
    [("P", "GIF"), *((mode, image_format) for mode in ("RGBA", "LA") for image_format in ("PNG", "WEBP", "TIFF"))],
)
def test_alpha_that_hides_everything_is_dropped(mode, image_format):
    """Some tools write 0 into a fourth channel and mean nothing by it."""
    pixels = Image.linear_gradient("L").resize((SIDE, SIDE))
    if mode == "P":
        image = pixels.point(lambda value: value // 128).convert("P")
        image.putpalette([0, 0, 0, 200, 200, 200])
        image = image.point(lambda _: 1)
        options = {"transparency": 1}
    else:
        image = Image.merge(mode, [*[pixels] * (len(mode) - 1), Image.new("L", pixels.size, 0)])
        options = {"exact": True, "lossless": True} if image_format == "WEBP" else {}
    body = io.BytesIO()
    image.save(body, image_format, **options)
    canonical = canonicalise(body.getvalue())
    assert not canonical.unchanged
    assert canonical.rgb.getextrema()[0] == ((200, 200) if mode == "P" else pixels.getextrema())


@pytest.mark.fault("K05")
@pytest.mark.parametrize("alpha", [1, 128, 255])
def test_alpha_that_shows_something_counts(alpha):
    """1 of 255 is a mask of zeros and ones; half is half."""
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, alpha))
    body = io.BytesIO()
    image.save(body, "PNG")
    seen = canonicalise(body.getvalue()).rgb.getpixel((3, 3))[0]
    assert abs(seen - {1: 0, 128: 127, 255: 0}[alpha]) <= 1


@pytest.mark.fault("K05", "K06")
@pytest.mark.parametrize(
    ("mode", "image_format"),
    [
        *((mode, image_format) for mode in ("RGBA", "LA") for image_format in ("PNG", "WEBP", "TIFF")),
        *(("P", "GIF"), ("P", "PNG"), ("L", "PNG"), ("RGB", "PNG")),
    ],
)
def test_a_white_drawing_on_nothing_is_seen(mode, image_format):
    """On white it would be a blank page, on which people say that there is nothing."""
    drawing = Image.new("L", (SIDE, SIDE), 0)
    drawing.paste(255, (20, 20, 40, 40))
    options = {"lossless": True} if image_format == "WEBP" else {}
    if mode in ("RGBA", "LA"):
        image = Image.merge(mode, [drawing] * len(mode))
    else:
        image = drawing.convert(mode)
        options["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    body = io.BytesIO()
    image.save(body, image_format, **options)
    canonical = canonicalise(body.getvalue())
    assert canonical.rgb.getpixel((30, 30)) == (255,) * 3
    assert canonical.rgb.getpixel((5, 5)) == (128,) * 3
    assert not canonical.unchanged


@pytest.mark.fault("K05")
def test_a_drawing_that_white_shows_stays_on_white():
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (20, 20, 40, 40))
    image.paste((250, 250, 250, 255), (50, 50, 60, 60))
    body = io.BytesIO()
    image.save(body, "PNG")
    assert canonicalise(body.getvalue()).rgb.getpixel((5, 5)) == (255,) * 3
