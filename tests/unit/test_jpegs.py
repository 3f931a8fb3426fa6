"""JPEG files: the segments that make the picture and no others, whole to the last coefficient."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from labelloop.pictures import jpegs, pixels
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise, png_bytes
from PIL import Image

from tests.support.costly_pictures import SIDE, progressive_scans
from tests.support.odd_headers import LIMITS, encoded, lying_profile, segment


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


PLAIN = encoded("JPEG")
# EXIF, XMP, profiles, IPTC, makers' own, comments; not JFIF and Adobe, which tell the colours.
foreign = st.builds(
    segment, st.sampled_from([*range(0xE1, 0xEE), 0xEF, 0xFE]), st.binary(max_size=40).map(lambda body: b"x" + body)
)


@given(st.lists(foreign, max_size=5), st.binary(max_size=20))
@example([segment(0xFE, b"taken at home")], b"")
@example([segment(0xE1, b"xmp")], b"")
@example([], b"behind")
def test_of_a_jpeg_only_what_makes_the_picture_is_kept(segments, behind):
    stored = jpegs.read(PLAIN[:2] + b"".join(segments) + PLAIN[2:] + behind, Limits())
    assert stored.picture == PLAIN
    assert (stored.portable, stored.orientation, stored.profile) == (True, 1, None)
    assert stored.bare == (not behind and all(each[1] == 0xFE for each in segments)), "comments tell nobody anything"


def parts_of(profile: bytes, count: int) -> list[bytes]:
    size = -(-len(profile) // count)
    bodies = (profile[at : at + size] for at in range(0, len(profile), size))
    return [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, count]) + body) for n, body in enumerate(bodies, 1)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_profile_in_parts_is_put_together_by_their_numbers_and_an_incomplete_one_is_none(count):
    profile = lying_profile(False)
    parts = parts_of(profile, count)
    whole = jpegs.read(PLAIN[:2] + b"".join(reversed(parts)) + PLAIN[2:], Limits())
    assert whole.profile == profile and not whole.bare
    assert jpegs.read(PLAIN[:2] + b"".join(parts[1:]) + PLAIN[2:], Limits()).profile is None
    behind = jpegs.read(PLAIN[:-2] + b"".join(parts) + PLAIN[-2:], Limits())
    assert behind.profile is None, "decoders look for it before the pixels"


@pytest.mark.parametrize(("mode", "portable"), [("RGB", True), ("L", True), ("CMYK", False)])
def test_a_jpeg_is_portable_where_every_decoder_sees_its_colours_alike(mode, portable):
    assert jpegs.read(encoded("JPEG", mode), Limits()).portable == portable


@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(PLAIN)))
def test_damaged_bytes_of_a_jpeg_are_read_or_refused(flips, end):
    data = bytearray(PLAIN)
    for at, value in flips:
        data[at] = value
    try:
        stored = jpegs.read(bytes(data[:end]), Limits())
    except RejectedImage as refusal:
        assert refusal.reason in ("truncated", "unreadable")
    else:
        assert stored.picture.startswith(jpegs.START) and stored.picture.endswith(jpegs.END)
