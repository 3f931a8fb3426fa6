"""COCO files as people have them: read, mended where only one thing can be meant, and refused otherwise.

What the format leaves open is checked here, because nobody else does: pycocotools takes the last of two equal ids, and
knows neither unknown categories nor boxes that cannot be; it decodes masks, for which it is used. Pixels are those of
the upright picture. Nothing is lost silently: the truth's `notes` say what was mended or left out, how often, and the
first entry of each kind. Pure but for `load_coco`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelloop.batch import side_files
from labelloop.pictures import pixels

from demo.coco.classes import classes_of, without_group
from demo.coco.document import parse
from demo.coco.entries import CocoError, Notes, Size
from demo.coco.files import find, settle, shown
from demo.coco.marks import mark
from demo.coco.skeletons import skeleton_of
from demo.scenes.truth import Truth

ANY_SIZE = pixels.Limits(max_pixels=89_000_000, min_side=1)  # what is too large or small the loop will say

__all__ = ["CocoError", "Size", "load_coco", "parse", "read"]


def load_coco(images_dir: Path, coco_json: Path, limit: int | None = None) -> Truth:
    """Truth for own pictures: a COCO detection or key-point file whose file names are relative to `images_dir`.

    At most `limit` pictures in file name order. Classes in category id order; crowd regions are not boxes. Raises
    CocoError (a ValueError) naming the entry and what to do, OSError where the file cannot be read.
    """
    files = sorted(path.relative_to(images_dir).as_posix() for path in images_dir.rglob("*") if path.is_file())
    try:
        document = parse(coco_json.read_bytes(), str(coco_json))
        return read(document, str(coco_json), images_dir, files, lambda name: size_of(images_dir / name), limit)
    except MemoryError:
        # Raised below, where what was read is no longer held.
        megabytes = coco_json.stat().st_size // 1_000_000
    raise CocoError(
        f"{coco_json} ({megabytes} MB) does not fit into this machine's memory: export fewer pictures, or leave the "
        "outlines out, which are not needed where there are boxes."
    )


def read(
    document: Mapping[str, Any],
    where: str,
    folder: Path | str,
    files: Sequence[str],
    size_of: Callable[[str], Size | None],
    limit: int | None = None,
) -> Truth:
    """`files` are the names of all files below `folder`; `size_of` is asked about the pictures that are used, and knows
    none for a file that cannot be opened. Raises CocoError.
    """
    notes = Notes()
    pictures = [name for name in files if not side_files.kind(name)]
    categories = classes_of(document["categories"], where, notes)
    categories = without_group(categories, document["annotations"], where, notes)
    listed = find(document["images"], where, pictures, notes)
    if not listed.by_file:
        first = next((repr(image["file_name"]) for image in document["images"] if image.get("file_name")), "(none)")
        raise CocoError(
            f"None of the {len(document['images'])} pictures {where} lists is in {folder}. Its file names must be "
            f"relative to that folder; the first one listed is {first}."
        )
    used = sorted(listed.by_file)[:limit]
    sized = {name: shown(name, listed.by_file[name], size_of(name), notes) for name in used}
    known = {name: picture for name, picture in sized.items() if picture is not None}
    if not known:
        raise CocoError(f"No picture of {where} can be used. {' '.join(notes.sentences())}")
    settle(known, notes)
    mark(document["annotations"], where, listed.ids, known, categories, notes)
    for name in sorted(set(pictures) - set(listed.by_file)):
        notes.add(f"Files of the folder that {where} does not list were left out", repr(name))
    classes = list(dict.fromkeys(category.label for category in categories.values()))
    images = {
        name: {"width": each.width, "height": each.height, "boxes": each.boxes, "people": each.people}
        for name, each in known.items()
    }
    left_out, skeleton = len(document["images"]) - listed.entries_of(known), skeleton_of(categories.values(), notes)
    return Truth(classes, images, left_out=left_out, notes=notes.sentences(), skeleton=skeleton)


def size_of(path: Path) -> Size | None:
    """As the product reads the file, so that its pixels are those that people and models will see."""
    try:
        return Size(*pixels.stored_shape(path.read_bytes(), ANY_SIZE))
    except (pixels.RejectedImage, OSError):
        return None
