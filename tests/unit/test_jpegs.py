"""JPEG files: the segments that make the picture and no others, whole to the last coefficient."""

import io

import pytest
from labelloop.pictures import pixels
from labelloop.pictures.pixels import RejectedImage, canonicalise, png_bytes
from PIL import Image

from tests.support.costly_pictures import SIDE, progressive_scans
from tests.support.odd_headers import LIMITS, encoded


@pytest.mark.fault("K05")
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 1}, {"optimize": True}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_mark_is_whole_when_its_pixels_are(mode, options, missing):
    whole = encoded("JPEG", mode, quality=90, **options)
    canonical = canonicalise(whole[:-missing], LIMITS)
    assert png_bytes(canonical) == png_bytes(canonicalise(whole, LIMITS))
    assert not canonical.unchanged, "the trainer's library would rewrite it"


@pytest.mark.fault("K05", "B03")
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 1}]
)
def test_a_jpeg_that_lacks_any_of_its_pixels_is_refused(options):
    whole = encoded("JPEG", "RGB", quality=90, **options)
    pixels = png_bytes(canonicalise(whole, LIMITS))
    for end in range(3, len(whole) - 2):
        try:
            canonical = canonicalise(whole[:end], LIMITS)
        except RejectedImage as refusal:
            assert refusal.reason in ("truncated", "unreadable"), end
            continue
        assert png_bytes(canonical) == pixels, f"cut at {end} of {len(whole)}"


@pytest.mark.fault("K05", "B03")
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 1}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_half_a_jpeg_is_refused_with_an_end_mark_stuck_on_too(mode, options):
    """Interrupted copies that a tool `repaired`: the lower half is grey, and would be labelled so."""
    whole = encoded("JPEG", mode, quality=90, **options)
    assert canonicalise(whole, LIMITS).unchanged
    start = whole.index(b"\xff\xda")
    half = start + (len(whole) - start) // 2
    for data in (
        whole[:half] + b"\xff\xd9",
        whole[:half] + bytes(len(whole) - half - 2) + b"\xff\xd9",
        whole[:-50] + b"\xff\xd9",
    ):
        with pytest.raises(RejectedImage) as refusal:
            canonicalise(data, LIMITS)
        assert refusal.value.reason in ("truncated", "unreadable")


@pytest.mark.fault("K05")
@pytest.mark.parametrize("behind", [b"\xff\xdd\0\4\0\0", b"\xff\xee\0\x0eAdobe" + bytes(7)])
def test_a_segment_behind_half_a_jpeg_does_not_hide_what_is_missing(behind: bytes) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((400, 300), 80).save(buffer, "JPEG")
    whole = buffer.getvalue()
    assert pixels.canonicalise(whole[:-2] + behind + whole[-2:]).width == 400
    with pytest.raises(pixels.RejectedImage) as refusal:
        pixels.canonicalise(whole[: len(whole) // 2] + behind + b"\xff\xd9")
    assert refusal.value.reason == "truncated"


@pytest.mark.fault("J03")
def test_the_scans_of_a_progressive_jpeg_are_counted_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_args):
        raise AssertionError("a picture of hundreds of scans was decoded")

    assert canonicalise(progressive_scans(0, SIDE)).width == SIDE, "the usual number is fine"
    made = (progressive_scans(100_000, SIDE), progressive_scans(400_000, 7_000))
    monkeypatch.setattr(Image.Image, "load", decode)
    for data in made:
        with pytest.raises(RejectedImage, match=r"in \d+ scans: decoding"):
            canonicalise(data)
