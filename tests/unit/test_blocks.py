"""GIF, WEBP and BMP files: what is known of them before a decoder sees them."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.pictures import blocks
from labelloop.pictures.pixels import RejectedImage, canonicalise
from PIL import Image

from tests.support.costly_pictures import run_length_bmp
from tests.support.odd_headers import encoded, lying_profile, scene


@pytest.mark.fault("J03")
def test_a_small_run_length_bmp_is_read_and_a_large_one_is_refused_in_words() -> None:
    canonical = canonicalise(run_length_bmp(0))
    assert (canonical.width, canonical.height) == (4_096, 64)
    with pytest.raises(RejectedImage, match=r"run-length.*save it as PNG"):
        canonicalise(run_length_bmp(5_000_000))


COMMENT = b"\x21\xfe\x05hello\0"
TURNED = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6" + bytes(6)


def gif(frames: int = 1) -> bytes:
    body = io.BytesIO()
    others = [scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT), scene().transpose(Image.Transpose.ROTATE_180)]
    several = {"save_all": True, "append_images": others[: frames - 1]} if frames > 1 else {}
    scene().convert("P").save(body, "GIF", **several)
    return body.getvalue()


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for name, part in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("frames", [1, 2])
def test_of_a_gif_only_the_first_picture_is_kept(frames):
    kept = Image.open(io.BytesIO(blocks.read_gif(gif(frames)).picture))
    assert kept.n_frames == 1
    assert kept.convert("RGB").tobytes() == Image.open(io.BytesIO(gif(frames))).convert("RGB").tobytes()


@pytest.mark.parametrize(("frames", "told"), [(1, 1), (2, 2), (3, 2)])
def test_the_frames_of_a_gif_are_counted_up_to_the_second(frames, told):
    assert blocks.read_gif(gif(frames)).frames == told


def test_comments_of_a_gif_are_left_out_and_its_transparent_colour_is_kept():
    body = io.BytesIO()
    image = scene().quantize(16)
    image.save(body, "GIF", transparency=image.getpixel((50, 40)))
    plain = body.getvalue()
    at = plain.index(b"\x21\xf9\x04")
    stored = blocks.read_gif(plain[:at] + COMMENT * 3 + plain[at:])
    assert b"hello" not in stored.picture
    kept = Image.open(io.BytesIO(stored.picture)).convert("RGBA")
    assert kept.getpixel((50, 40))[3] == 0 and kept.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_first_exif_block_and_the_profile_of_a_webp_are_found_behind_parts_of_odd_length(prefix):
    profile = lying_profile(False)
    data = riff(
        (b"JUNK", b"odd"), (b"EXIF", prefix + TURNED), (b"ICCP", profile), (b"EXIF", TURNED[:-7] + b"\3" + bytes(6))
    )
    stored = blocks.read_webp(data)
    assert (stored.orientation, stored.profile, stored.frames, stored.picture) == (6, profile, 1, data)


@pytest.mark.parametrize(("count", "frames"), [(0, 1), (1, 1), (2, 2), (7, 7)])
def test_the_frames_of_a_webp_are_counted(count, frames):
    assert blocks.read_webp(riff(*[(b"ANMF", b"frame")] * count)).frames == frames


def test_a_webp_of_very_many_parts_is_refused_before_a_decoder_sees_it():
    with pytest.raises(RejectedImage, match="more than 10000 chunks in one WEBP file"):
        blocks.read_webp(riff(*[(b"JUNK", b"")] * 10_001))


def test_a_gif_of_very_many_blocks_is_refused_before_a_decoder_sees_it():
    plain = gif()
    at = plain.index(b",", 13 + 3 * 256)
    with pytest.raises(RejectedImage, match="more than 1000000 blocks in one GIF file"):
        blocks.read_gif(plain[:at] + b"\x21\xfe\0" * 1_000_001 + plain[at:])


def test_a_bmp_stays_as_it_is():
    assert blocks.read_bmp(encoded("BMP")).picture == encoded("BMP")


@given(st.sampled_from(["GIF", "WEBP", "BMP"]), st.integers(0, 2_000), st.binary(max_size=40))
def test_any_bytes_behind_a_head_are_one_file_to_give_to_a_decoder(image_format, end, noise):
    read = {"GIF": blocks.read_gif, "WEBP": blocks.read_webp, "BMP": blocks.read_bmp}[image_format]
    stored = read(encoded(image_format)[:end] + noise)
    assert stored.orientation in range(1, 9) and stored.frames >= 1
    assert len(stored.picture) <= min(end, len(encoded(image_format))) + len(noise)
