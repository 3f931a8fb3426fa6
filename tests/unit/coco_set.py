"""A folder with pictures and a COCO file of them, for tests of the demo's reader."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo import pictures
from demo.errors import DemoFailed

PREFIX = pictures.PREFIX


class Set:
    """A folder with pictures of 64 x 48 and a COCO file of them; tests spoil both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "photos", folder / "coco.json"
        self.coco: dict[str, Any] = {
            "images": [image(0, "a.jpg"), image(1, "b.jpg"), image(2, "c.jpg")],
            "annotations": [box(10, 0, 1), box(11, 1, 2), box(12, 2, 1)],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        }
        self.put("a.jpg", "b.jpg", "c.jpg")

    def put(self, *names: str, size: tuple[int, int] = (64, 48), **options: Any) -> None:
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(self.folder / name, "JPEG", **options)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink()

    def rename(self, index: int, name: str) -> None:
        self.coco["images"][index]["file_name"] = name

    def write(self, body: bytes | None = None) -> None:
        self.file.write_bytes(json.dumps(self.coco).encode() if body is None else body)

    def read(self, limit: int | None = None) -> pictures.Pictures:
        """As the demo does; whatever else than a sentence comes out is shown as one."""
        try:
            return pictures.read_own(self.folder, self.file, limit)
        except DemoFailed:
            raise
        except Exception as error:
            pytest.fail(f"the reader crashed: {error!r}")

    def own(self) -> pictures.Pictures:
        self.write()
        return self.read()

    def refused(self) -> str:
        self.write()
        try:
            found = self.read()
        except DemoFailed as refusal:
            return str(refusal)
        return f"not refused: {found.truth}"


def image(number: object, name: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": 64, "height": 48, **more}


def box(number: object, picture: object, category: object, bbox: Any = (10, 12, 20, 16), **more: Any) -> dict[str, Any]:
    bbox = list(bbox) if isinstance(bbox, tuple) else bbox
    return {"id": number, "image_id": picture, "category_id": category, "bbox": bbox, **more}


def notes(own: pictures.Pictures) -> str:
    return "\n".join(getattr(own, "notes", ()))


def boxes(own: pictures.Pictures, name: str) -> list[tuple[Any, ...]]:
    known = own.truth.images[PREFIX + name]
    return [(each.label, each.left, each.top, each.width, each.height) for each in known.boxes]


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif
