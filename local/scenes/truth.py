"""What is really in a set of pictures: known to simulated annotators and the demo's comparison, not to the loop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VISIBILITY = {0: "outside", 1: "occluded", 2: "visible"}


@dataclass(frozen=True)
class Truth:
    """`images`: file name -> {"width", "height", "boxes", "keypoints"} in upright pixels, boxes as in scene.Scene.

    `rejected`: file name -> inspection reason, for files that are no usable picture. `left_out`: how many pictures of a
    truth file were not in the folder or over the limit.
    """

    classes: list[str]
    images: dict[str, dict[str, Any]]
    rejected: dict[str, str] = field(default_factory=dict)
    left_out: int = 0


def write_truth(path: Path, truth: Truth) -> None:
    told = {"classes": truth.classes, "images": truth.images, "rejected": truth.rejected, "left_out": truth.left_out}
    path.write_text(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def read_truth(path: Path) -> Truth:
    told = json.loads(path.read_text(encoding="utf-8"))
    return Truth(told["classes"], told["images"], told["rejected"], told["left_out"])


def load_coco(images_dir: Path, coco_json: Path, limit: int | None = None) -> Truth:
    """Truth for own pictures: a COCO detection or key-point file whose file names are relative to `images_dir`.

    At most `limit` pictures in file name order. Classes in category id order; crowd regions are no boxes.
    Raises ValueError with what to do when the file is not COCO or none of its pictures is in the folder.
    """
    try:
        coco = json.loads(coco_json.read_text(encoding="utf-8"))
        categories = sorted(coco["categories"], key=lambda category: category["id"])
        listed = sorted(coco["images"], key=lambda image: str(image["file_name"]))
        annotations = coco["annotations"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{coco_json} is not a COCO file ({type(error).__name__}: {error}). It must be JSON with the lists "
            "'images', 'annotations' and 'categories'; export your labels as 'COCO detection' and pass that file."
        ) from error
    names = {category["id"]: str(category["name"]) for category in categories}
    points = {category["id"]: list(category.get("keypoints", [])) for category in categories}
    present = [image for image in listed if (images_dir / image["file_name"]).is_file()]
    if not present:
        raise ValueError(
            f"None of the {len(listed)} pictures {coco_json} lists is in {images_dir}. Its file names must be "
            f"relative to that folder; the first one listed is {listed[0]['file_name'] if listed else '(none)'!r}."
        )
    present = present[:limit]
    images = {
        image["id"]: {"width": image["width"], "height": image["height"], "boxes": [], "keypoints": []}
        for image in present
    }
    for annotation in annotations:
        if annotation["image_id"] in images and not annotation.get("iscrowd"):
            known = images[annotation["image_id"]]
            left, top, width, height = annotation["bbox"]
            box = {
                "class": names[annotation["category_id"]],
                "left": left,
                "top": top,
                "width": width,
                "height": height,
            }
            known["boxes"].append(box)
            known["keypoints"].append(_points(annotation, points[annotation["category_id"]]))
    by_name = {str(image["file_name"]): images[image["id"]] for image in present}
    return Truth(list(names.values()), by_name, left_out=len(listed) - len(present))


def _points(annotation: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
    """COCO's flat x, y, v triples as named points; no triples: no points."""
    flat = annotation.get("keypoints", [])
    return [
        {"name": name, "x": flat[3 * at], "y": flat[3 * at + 1], "visibility": VISIBILITY[flat[3 * at + 2]]}
        for at, name in enumerate(names)
        if 3 * at + 2 < len(flat)
    ]
