"""Drawn heads with known boxes, and the folders and manifests that SageMaker would hand to the training container."""

import hashlib
import io
import json
import random
from pathlib import Path

from labelloop.contracts.records import dump_line
from PIL import Image, ImageDraw

Sides = tuple[int, int, int, int]


def draw_heads(seed: int, side: int = 160, heads: int | None = None) -> tuple[Image.Image, list[Sides]]:
    """A grey scene with bright ellipses; returns it with (left, top, width, height) of each."""
    chance = random.Random(seed)
    noise = Image.frombytes("L", (side // 4, side // 4), chance.randbytes((side // 4) ** 2))
    image = noise.resize((side, side)).point(lambda value: 60 + value // 3).convert("RGB")
    draw = ImageDraw.Draw(image)
    boxes = []
    for _ in range(chance.randint(1, 2) if heads is None else heads):
        width, height = chance.randint(30, 60), chance.randint(36, 70)
        left, top = chance.randint(0, side - width), chance.randint(0, side - height)
        if all(left + width < x or x + w < left or top + height < y or y + h < top for x, y, w, h in boxes):
            skin = (chance.randint(190, 250), chance.randint(140, 180), chance.randint(100, 140))
            draw.ellipse((left, top, left + width, top + height), fill=skin, outline=(60, 30, 20), width=2)
            for eye in (0.3, 0.7):
                x, y = left + eye * width, top + 0.4 * height
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(20, 20, 20))
            boxes.append((left, top, width, height))
    return image, boxes


def encoded(image: Image.Image, image_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def manifest_record(key: str, data: bytes, size: tuple[int, int], boxes: list[Sides]) -> dict:
    sides = ("class_id", "left", "top", "width", "height")
    return {
        "source-ref": f"s3://bucket/{key}",
        "boxes": {
            "image_size": [{"width": size[0], "height": size[1], "depth": 3}],
            "annotations": [dict(zip(sides, (0, *box), strict=True)) for box in boxes],
        },
        "boxes-metadata": {
            "objects": [{"confidence": 0} for _ in boxes],
            "class-map": {"0": "head"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2026-01-01T00:00:00",
            "job-name": "drawn",
        },
        "provenance": {"batch": "b", "sha256": hashlib.sha256(data).hexdigest()},
    }


def write_manifest(path: Path, records: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(dump_line(record) + "\n" for record in records), "utf-8")


def store_image(base: Path, key: str, data: bytes) -> None:
    path = base / "input" / "data" / "images" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_training_job(base: Path, counts: dict[str, int], hyperparameters: dict[str, str]) -> None:
    """The input folder of a training job with `counts` drawn images for train and judge."""
    seed = 0
    for role in ("train", "judge"):
        records = []
        for _ in range(counts.get(role, 0)):
            image, boxes = draw_heads(seed)
            key = f"incoming/a batch/{role} {seed}+%20é.jpg"
            data = encoded(image, quality=92)
            store_image(base, key, data)
            records.append(manifest_record(key, data, image.size, boxes))
            seed += 1
        write_manifest(base / "input" / "data" / "dataset" / f"{role}.jsonl", records)
    configuration = base / "input" / "config" / "hyperparameters.json"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(json.dumps({"classes": '["head"]', **hyperparameters}), "utf-8")
