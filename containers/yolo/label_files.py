"""Labels as the files that the trainer reads: of boxes, and of people with all points or the visible ones alone."""

import json
import os
from pathlib import Path
from typing import Any

import paths  # noqa: F401  first: makes labelloop importable
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import Skeleton

# COCO's numbers (cocodataset.org/#format-data). COCO's 0 is also a point that nobody labelled; of that nothing can be
# learned, so it has a number of its own here.
OUTSIDE, OCCLUDED, VISIBLE, UNLABELLED = 0, 1, 2, 3
NUMBERS = {"outside": OUTSIDE, "occluded": OCCLUDED, "visible": VISIBLE, "unlabelled": UNLABELLED}
BOX_COLUMNS = 5


def box_row(box: Box, class_number: int, width: int, height: int) -> str:
    """`class cx cy w h`, the last four as shares of the image's width and height
    (docs.ultralytics.com/datasets/detect). The box lies in the image.
    """
    shares = (*middle(box, width, height), box.width / width, box.height / height)
    return f"{class_number} " + " ".join(f"{share:.7f}" for share in shares)


def person_row(person: Person, class_number: int, width: int, height: int) -> str:
    """The row of the person's box, then `x y visibility` of each point (docs.ultralytics.com/datasets/pose)."""
    placed = (_placed(point, person.box, width, height) for point in person.points)
    points = (f" {x:.7f} {y:.7f} {number}" for x, y, number in placed)
    return box_row(person.box, class_number, width, height) + "".join(points)


def middle(box: Box, width: int, height: int) -> tuple[float, float]:
    return (box.left + box.width / 2) / width, (box.top + box.height / 2) / height


def facts(skeleton: Skeleton) -> dict[str, Any]:
    """What data.yaml has to say of key points."""
    return {"kpt_shape": [len(skeleton.names), 3], "flip_idx": skeleton.mirrored}


def visible_only(data_yaml: Path, target: Path) -> Path:
    """Writes the same images into `target`, with labels of which an occluded point is not there; its data.yaml.

    The images are the same files, by another name.
    """
    data = json.loads(data_yaml.read_text("utf-8"))
    source = Path(data["path"])
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
    for image in sorted((source / "images").iterdir()):
        os.link(image, target / "images" / image.name)
    for labels in sorted((source / "labels").glob("*.txt")):
        rows = [_without_occluded(row) for row in labels.read_text("ascii").splitlines()]
        (target / "labels" / labels.name).write_text("".join(row + "\n" for row in rows), "ascii")
    written = target / data_yaml.name
    written.write_text(json.dumps({**data, "path": str(target)}), "utf-8")
    return written


def _without_occluded(row: str) -> str:
    columns = row.split(" ")
    visibilities = range(BOX_COLUMNS + 2, len(columns), 3)
    occluded = {place for place in visibilities if columns[place] == str(OCCLUDED)}
    return " ".join(str(OUTSIDE) if place in occluded else text for place, text in enumerate(columns))


def _placed(point: KeyPoint, box: Box, width: int, height: int) -> tuple[float, float, int]:
    """x, y and number. A point without a place stands in the middle of its person: the trainer takes what it moves out
    of the picture for outside, and an unlabelled point must not become that.
    """
    if point.x is None or point.y is None:
        return *middle(box, width, height), NUMBERS[point.visibility]
    if not (0 <= point.x <= width and 0 <= point.y <= height):
        return *middle(box, width, height), OUTSIDE
    return point.x / width, point.y / height, NUMBERS[point.visibility]
