"""One file never spends a shard's time: what is made to cost more than its picture is refused before it is decoded, or
is read without what costs.
"""

import io
import os
import resource
import time
from pathlib import Path

import pytest
from labelloop.pictures.pixels import Limits, RejectedImage, canonicalise
from PIL import Image

from tests.support.costly_pictures import (
    COSTLY,
    SIDE,
    costly,
    profile_of_elements,
)

SIZE = 6_000_000
# Each takes below 1 s of a processor here; without bounds many take minutes, and gigabytes.
CPU_SECONDS = 20
MORE_MEMORY = 1_500_000_000
DIED = "died"


def outcome(data: bytes, limits: Limits) -> str:
    """What becomes of a file in a process that may not take much: ok, the refusal's reason, or `died`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = DIED
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MORE_MEMORY,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            canonicalise(data, limits)
            told = "ok"
        except RejectedImage as refusal:
            assert "far longer" in refusal.detail or refusal.detail
            told = DIED if "cannot allocate" in refusal.detail.lower() or not refusal.detail else refusal.reason
        finally:
            os.write(writing, told.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read() or DIED


@pytest.mark.fault("J03", "B18")
@pytest.mark.parametrize("name", sorted(COSTLY))
def test_a_file_made_to_cost_time_or_memory_is_refused_or_read_in_bounds(name: str) -> None:
    told = outcome(costly(name, SIZE), Limits(max_bytes=SIZE + 200_000))
    assert told in ("ok", "unreadable", "multi-frame", "too-many-pixels", "too-large", "truncated", "not-an-image")


@pytest.mark.fault("J03")
def test_ordinary_files_of_many_parts_are_read() -> None:
    """Depth maps fill hundreds of segments of 64 kB, old writers put 1 kB into a chunk, a strip may be one row."""
    from tests.support.costly_pictures import narrow_strips
    from tests.support.odd_headers import chunk, chunks, encoded, segment

    jpeg = encoded("JPEG")
    assert canonicalise(
        jpeg[:2] + segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"x" * 9_000) * 600 + jpeg[2:]
    )
    png = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks(encoded("PNG")):
        parts = [body[at : at + 1] for at in range(len(body))] if name == b"IDAT" else [body]
        png += b"".join(chunk(name, part) for part in parts)
    assert canonicalise(png).unchanged
    assert canonicalise(narrow_strips(50_000 * (SIDE + 8))).height == 50_000


@pytest.mark.fault("J03", "K06")
@pytest.mark.parametrize("names", [1, 20_000])
def test_colours_do_not_depend_on_what_only_one_reader_follows_nor_on_free_memory(names: int) -> None:
    """Browsers read the tags beside multiProcessElements; a library follows these first, as often as they name it."""
    from tests.support.odd_headers import encoded, lying_profile

    started = time.process_time()
    image = Image.open(io.BytesIO(encoded("PNG")))
    shown = []
    for profile in (lying_profile(False), profile_of_elements(names)):
        body = io.BytesIO()
        image.save(body, "PNG", icc_profile=profile)
        shown.append(canonicalise(body.getvalue()).rgb.tobytes())
    assert shown[0] == shown[1] != image.convert("RGB").tobytes()
    assert time.process_time() - started < CPU_SECONDS / 4
