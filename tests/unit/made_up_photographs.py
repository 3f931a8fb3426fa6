"""A labelled set of pictures of one colour, for tests of benchmarks that work on photographs."""

import json
from pathlib import Path

from PIL import Image

from bench.photo_set import PhotoSet


def made_set(folder: Path, count: int = 8) -> PhotoSet:
    """Each picture holds a cell; every second one a plate besides."""
    images = folder / "images"
    images.mkdir(parents=True)
    document: dict[str, list[dict]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "plate"}],
    }
    for number in range(count):
        name = f"{number:02d}.jpg"
        Image.new("RGB", (64, 48), (number * 20, 80, 90)).save(images / name)
        document["images"].append({"id": number, "file_name": name, "width": 64, "height": 48})
        for category in (1, 2)[: 1 + number % 2]:
            box = {"id": 10 * number + category, "image_id": number, "category_id": category}
            document["annotations"].append({**box, "bbox": [5 * category, 6, 20, 16], "area": 320, "iscrowd": 0})
    (folder / "annotations.json").write_text(json.dumps(document))
    return PhotoSet("made-up", images, folder / "annotations.json")
