"""Of the 2,000 files of tests/unit/test_odd_headers.py none that the product calls unchanged, and no rendition, is
shown differently by Chromium, where people see them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from labelloop.pictures.pixels import Canonical, canonicalise

from tests.support.odd_headers import LIMITS, accepted, encoded

# Chromium brings chroma and profiles to the screen in its own way; a turn or other colours differ by far more.
SAME = 12
AT_ONCE = 250
# As <img> shows it, on a canvas: [width, height, RGBA in base64], or null for what is not shown.
SHOW = """
async bodies => {
  const canvas = document.createElement("canvas")
  const seen = []
  for (const body of bodies) {
    const image = new Image()
    image.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(body), letter => letter.charCodeAt(0))]))
    try { await image.decode() } catch { seen.push(null); continue }
    const [width, height] = [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight]
    const context = canvas.getContext("2d", {willReadFrequently: true})
    context.clearRect(0, 0, width, height)
    context.drawImage(image, 0, 0)
    const pixels = context.getImageData(0, 0, width, height).data
    let text = ""
    for (const value of pixels) text += String.fromCharCode(value)
    seen.push([width, height, btoa(text)])
  }
  return seen
}
"""


def shown(chromium: Any, bodies: Sequence[bytes]) -> Iterator[np.ndarray | None]:
    """Height x width x 3, or None for what Chromium does not show."""
    page = chromium.new_page()
    for start in range(0, len(bodies), AT_ONCE):
        texts = [base64.b64encode(body).decode() for body in bodies[start : start + AT_ONCE]]
        for seen in page.evaluate(SHOW, texts):
            if seen is None:
                yield None
                continue
            width, height, pixels = seen
            yield np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)[:, :, :3]
    page.close()


def different(chromium: Any, files: Sequence[tuple[str, bytes, Canonical]]) -> list[str]:
    found = []
    for (told, _, canonical), seen in zip(files, shown(chromium, [body for _, body, _ in files]), strict=True):
        expected = np.asarray(canonical.rgb).astype(int)
        if seen is None or seen.shape != expected.shape:
            found.append(f"{told}: {'not shown' if seen is None else seen.shape}")
        elif (most := int(np.abs(expected - seen).max())) > SAME:
            found.append(f"{told}: differs by {most}")
    return found


@pytest.mark.fault("K01")
def test_chromium_shows_every_unchanged_file_as_its_canonical_pixels(chromium) -> None:
    unchanged = [each for each in accepted() if each[2].unchanged]
    assert len(unchanged) > 100, "nothing was asked"
    assert different(chromium, unchanged) == []


@pytest.mark.fault("K01")
def test_chromium_shows_every_rendition_as_the_canonical_pixels(chromium) -> None:
    from labelloop.pictures.pixels import rendition

    bodies = {rendition(each).body: (told, each) for told, _, each in accepted() if not each.unchanged}
    assert len(bodies) > 100, "nothing was asked"
    assert different(chromium, [(told, body, each) for body, (told, each) in bodies.items()]) == []


@pytest.mark.fault("B15")
def test_nothing_behind_the_picture_is_left_in_what_the_stack_shows() -> None:
    from labelloop.pictures.pixels import rendition

    polyglot = encoded("JPEG") + b"<script>window.ran = true</script>"
    canonical = canonicalise(polyglot, LIMITS)
    assert not canonical.unchanged and rendition(canonical).body == encoded("JPEG")
