"""A folder as a customer uploads it: pictures, pictures stored in awkward ways, and files that are not pictures."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from labelloop.contracts.skeletons import PRESETS
from PIL import Image

from demo.scenes.canvas import Array
from demo.scenes.scene import Scene, render
from demo.scenes.truth import Truth, write_truth

QUALITY = 90
EXIF_ORIENTATION = 0x0112
ODD_NAME = 'it\'s cabin "{number}" + 50%20 😀.jpg'


def write_batch(folder: Path, count: int, seed: int, faults: bool = True) -> Truth:
    """Write `count` pictures `0001.jpg`, `0002.jpg`, ... and `truth.json` into `folder`; returns the truth.

    With `faults` the last four pictures (as many as there are) are stored awkwardly: 16-bit PNG, CMYK JPEG, JPEG that
    must be turned by its EXIF orientation, a name with spaces, quotes, plus, %20 and an emoji. Four more files must be
    rejected; they are in the truth's `rejected` only. All truth is in upright pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    awkward = list(_AWKWARD) if faults else []
    images: dict[str, dict[str, Any]] = {}
    for index in range(count):
        scene = render(seed, index)
        number = f"{index + 1:04d}"
        kind = index - (count - len(awkward))
        name = awkward[kind].format(number=number) if kind >= 0 else f"{number}.jpg"
        data = _AWKWARD[awkward[kind]](scene.image) if kind >= 0 else jpeg(scene.image)
        (folder / name).write_bytes(data)
        images[name] = _image_truth(scene)
    rejected: dict[str, str] = {}
    if faults:
        for name, (reason, data) in _unusable(render(seed, count).image).items():
            (folder / name).write_bytes(data)
            rejected[name] = reason
    truth = Truth(["head"], images, rejected, skeleton=PRESETS["head"])
    write_truth(folder / "truth.json", truth)
    return truth


def jpeg(picture: Array) -> bytes:
    """RGB picture as a baseline JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise RuntimeError("OpenCV could not encode a picture as JPEG; is opencv-python-headless installed completely?")
    return bytes(data)


def _image_truth(scene: Scene) -> dict[str, Any]:
    height, width = scene.image.shape[:2]
    sides = ("left", "top", "width", "height")
    people = [
        {**{side: box[side] for side in sides}, "points": points}
        for box, points in zip(scene.boxes, scene.keypoints, strict=True)
    ]
    return {"width": width, "height": height, "boxes": scene.boxes, "people": people}


def _deep_png(picture: Array) -> bytes:
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)
    return bytes(data)


def _cmyk_jpeg(picture: Array) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _turned_jpeg(picture: Array) -> bytes:
    """Stored a quarter turn counter-clockwise with EXIF orientation 6: a viewer turns it clockwise to be upright."""
    stored = Image.fromarray(np.rot90(picture, 1).copy())
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    out = io.BytesIO()
    stored.save(out, "JPEG", quality=QUALITY, exif=exif)
    return out.getvalue()


def _unusable(picture: Array) -> dict[str, tuple[str, bytes]]:
    whole = jpeg(picture)
    return {
        "empty.jpg": ("empty", b""),
        "notes.jpg": ("not-an-image", b"Shift 3, camera 12: lens cleaned at 14:05.\n"),
        "truncated.jpg": ("truncated", whole[: len(whole) * 2 // 5]),
        "huge.png": ("too-many-pixels", _blank_png(10_000, 9_000)),
    }


def _blank_png(width: int, height: int) -> bytes:
    """A black 1-bit grey PNG (PNG specification, section 5), a few kilobytes however many pixels it has."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_AWKWARD = {
    "deep-{number}.png": _deep_png,
    "print-{number}.jpg": _cmyk_jpeg,
    "turned-{number}.jpg": _turned_jpeg,
    ODD_NAME: jpeg,
}
