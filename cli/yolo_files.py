"""Labels as the files that ultralytics reads, of boxes or of people's poses (docs.ultralytics.com/datasets/detect and
/pose). Pure; canonical pixels become shares of the image's width and height.

A row is `class cx cy w h`, and of people `x y visibility` of each point, with COCO's numbers: 2 visible, 1 occluded, 0
all of which no place is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.naming import digest
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import Vocabulary

from cli.coco_files import VISIBILITY, people_classes

SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])


def image_name(source_ref: str) -> str:
    """In one folder, without what ultralytics takes for folders of its own: the name, and a hash of the reference."""
    name = PurePosixPath(source_ref)
    suffix = name.suffix.lower() if name.suffix.lower() in SUFFIXES else ".jpg"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name.stem).strip("._-")[:60]
    return f"{stem or 'image'}-{digest(source_ref)}{suffix}"


def label_name(image: str) -> str:
    return str(PurePosixPath(image).with_suffix(".txt"))


def classes_of(labels: Sequence[Annotation], vocabulary: Vocabulary) -> list[str]:
    return people_classes(labels) if vocabulary.skeleton else list(vocabulary.names)


def rows(label: Annotation, classes: Sequence[str]) -> str:
    """The text of one image's file, which is empty where nothing is there."""
    numbers = {name: number for number, name in enumerate(classes)}
    return "".join(_row(mark, numbers, label.width, label.height) + "\n" for mark in label.marks)


def data_yaml(classes: Sequence[str], vocabulary: Vocabulary) -> str:
    """JSON is YAML. Images that judge are for validation, the rest trains."""
    data = {"path": ".", "train": "train.txt", "val": "val.txt", "names": dict(enumerate(classes))}
    if vocabulary.skeleton is not None:
        data |= {"kpt_shape": [len(vocabulary.names), 3], "flip_idx": vocabulary.skeleton.mirrored}
        data |= {"kpt_names": {0: list(vocabulary.names)}}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _row(mark: Box | Person, numbers: dict[str, int], width: int, height: int) -> str:
    box, points = (mark, ()) if isinstance(mark, Box) else (mark.box, mark.points)
    middle = (box.left + box.width / 2) / width, (box.top + box.height / 2) / height
    shares = [*middle, box.width / width, box.height / height]
    told = [str(numbers[box.label]), *map(_share, shares), *(_point(point, width, height) for point in points)]
    return " ".join(told)


def _point(point: KeyPoint, width: int, height: int) -> str:
    if point.x is None or point.y is None:
        return "0 0 0"
    return f"{_share(point.x / width)} {_share(point.y / height)} {VISIBILITY[point.visibility]}"


def _share(value: float) -> str:
    """To a millionth of a pixel of any picture; what rounding puts beyond the edge is refused by ultralytics."""
    return f"{min(max(value, 0.0), 1.0):.11f}".rstrip("0").rstrip(".")
