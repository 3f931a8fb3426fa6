"""Labels as ultralytics has them, of boxes or of people's poses (docs.ultralytics.com/datasets/detect and /pose), as a
manifest that a batch's marker may name. Reads local files; canonical pixels.

Rows say nothing of sizes, so the images must be there. An image without a file of rows is not labelled; one with an
empty file has nothing in it. Of points v is 2 for visible, 1 for occluded and 0 for unlabelled.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import UNLABELLED, Box, KeyPoint, Person
from labelloop.contracts.skeletons import PERSON, Vocabulary

from cli.errors import Refused
from cli.yolo_files import SUFFIXES

VISIBILITY = {0: UNLABELLED, 1: "occluded", 2: "visible"}
BOX_COLUMNS = 5
SLACK = 1e-3  # of a side, that rounded shares may reach over the edge
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
SETS = ("train", "val", "test")
EXTRA = "pip install 'labelloop[yolo]'"


@dataclass(frozen=True)
class Read:
    """Manifest lines, how many images had no file of rows, and what was wrong with images that were left out."""

    lines: tuple[str, ...]
    unlabelled: int
    refused: tuple[str, ...]


def read(data_yaml: Path, vocabulary: Vocabulary) -> Read:
    """Images are named by their path below the folder of the dataset. Raises Refused where nothing can be read."""
    data = _described(data_yaml)
    names = _names(data, vocabulary, data_yaml)
    lines, refused, unlabelled = [], [], 0
    root = data_yaml.parent / str(data.get("path") or "")
    for image in dict.fromkeys(_images(data, root)):
        rows = _rows_of(image)
        if not rows.is_file():
            unlabelled += 1
            continue
        try:
            size = _size(image)
            told = rows.read_text("utf-8-sig").splitlines()
            marks = [_mark(row, size, names, vocabulary) for row in told if row.split()]
        except (InvalidInputError, ValueError, OSError) as error:
            refused.append(f"{rows}: {error}")
            continue
        lines.append(_line(os.path.relpath(image, root), size, marks, vocabulary))
    return Read(tuple(lines), unlabelled, tuple(refused))


def _described(path: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError:
        raise Refused(f"Reading {path.name} needs PyYAML and Pillow: {EXTRA}.") from None
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("names"), dict | list):
        raise Refused(f"{path} has no 'names': give the data.yaml of a dataset for ultralytics.")
    return data


def _names(data: Mapping[str, Any], vocabulary: Vocabulary, path: Path) -> list[str]:
    """The classes, by their numbers; checked against what the stack labels."""
    listed = data["names"]
    names = [str(name) for name in (listed.values() if isinstance(listed, dict) else listed)]
    shape = data.get("kpt_shape") or [0]
    points = shape[0] if isinstance(shape, list) else shape
    if vocabulary.skeleton is not None:
        if points != len(vocabulary.names):
            known = len(vocabulary.names)
            raise Refused(f"{path} has {points} key points, and the stack {known} (parameter KeyPoints).")
    elif points:
        raise Refused(f"{path} has key points, and the stack labels boxes (parameter Task).")
    return names


def _images(data: Mapping[str, Any], root: Path) -> Iterator[Path]:
    """Folders, lists of files, or several of them, as ultralytics takes them."""
    for name in SETS:
        given = data.get(name)
        for each in given if isinstance(given, list) else [given] if given else []:
            place = root / str(each)
            if place.is_dir():
                yield from sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
            elif place.is_file():
                listed = (line.strip() for line in place.read_text("utf-8").splitlines())
                yield from (Path(os.path.normpath(place.parent / line)) for line in listed if line)
            else:
                raise Refused(f"'{name}' of the dataset is {place}, which is neither a folder nor a list of images.")


def _rows_of(image: Path) -> Path:
    """In the folder 'labels' beside the last folder 'images' of the path."""
    head, found, tail = str(image).rpartition(f"{os.sep}images{os.sep}")
    return Path(f"{head}{os.sep}labels{os.sep}{tail}" if found else image).with_suffix(".txt")


def _size(image: Path) -> tuple[int, int]:
    """Of the upright picture, which ultralytics takes shares of, too."""
    from labelloop.pictures import pixels

    try:
        width, height, orientation = pixels.stored_shape(image.read_bytes())
    except pixels.RejectedImage as error:
        raise InvalidInputError(f"its image cannot be read: {error}") from None
    return (height, width) if orientation in TURNED else (width, height)


def _mark(row: str, size: tuple[int, int], names: Sequence[str], vocabulary: Vocabulary) -> Box | Person:
    numbers = [float(word) for word in row.split()]
    if not all(map(math.isfinite, numbers)):
        raise InvalidInputError(f"a row has what is no number: {fields.shown(row[:60])}")
    points = vocabulary.names if vocabulary.skeleton else ()
    each = (len(numbers) - BOX_COLUMNS) // len(points) if points else 0
    if len(numbers) != BOX_COLUMNS + each * len(points) or each not in ((2, 3) if points else (0,)):
        raise InvalidInputError(f"a row has {len(numbers)} columns: {fields.shown(row[:60])}")
    if not all(-SLACK <= share <= 1 + SLACK for share in numbers[1:BOX_COLUMNS]):
        raise InvalidInputError(f"a box is not in shares of the image: {fields.shown(row[:60])}")
    if not 0 <= numbers[0] < len(names) or not numbers[0].is_integer():
        raise InvalidInputError(f"class {row.split()[0]} is none of the {len(names)} in 'names'")
    box = _box(PERSON if points else names[int(numbers[0])], numbers, size)
    if not points:
        return box
    triples = (numbers[start : start + each] for start in range(BOX_COLUMNS, len(numbers), each))
    return Person(box, tuple(_point(name, told, size) for name, told in zip(points, triples, strict=True)))


def _box(label: str, numbers: Sequence[float], size: tuple[int, int]) -> Box:
    x, y, width, height = numbers[1:BOX_COLUMNS]
    edges = [
        (max((middle - side / 2) * limit, 0.0), min((middle + side / 2) * limit, float(limit)))
        for middle, side, limit in ((x, width, size[0]), (y, height, size[1]))
    ]
    (left, right), (top, bottom) = edges
    return Box(label, left, top, right - left, bottom - top)


def _point(name: str, told: Sequence[float], size: tuple[int, int]) -> KeyPoint:
    """Without a number of visibility, one in the corner of the image is unlabelled, as ultralytics has it."""
    x, y, number = (*told, 2.0 if any(told) else 0.0)[:3]
    if number not in VISIBILITY:
        raise InvalidInputError(f"point {name} has the visibility {number:g}, which is none of 0, 1 and 2")
    visibility = VISIBILITY[int(number)]
    if visibility == UNLABELLED:
        return KeyPoint(name, None, None, visibility)
    if not all(-SLACK <= share <= 1 + SLACK for share in (x, y)):
        return KeyPoint(name, None, None, "outside")
    return KeyPoint(name, min(max(x, 0), 1) * size[0], min(max(y, 0), 1) * size[1], visibility)


def _line(name: str, size: tuple[int, int], marks: Sequence[Any], vocabulary: Vocabulary) -> str:
    if vocabulary.skeleton is not None:
        names: Sequence[str] = vocabulary.names
    else:
        names = sorted({box.label for box in marks})
    return Annotation(name, None, *size, tuple(marks), True, "", "", task=vocabulary.task).to_line(names)
