"""From annotation manifest lines and downloaded images to the folder of images and labels that YOLO trains on."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from labelloop.contracts.manifests import Annotation, split_lines
from labelloop.contracts.records import Box
from labelloop.pictures.pixels import Canonical, Limits, RejectedImage, canonicalise, rendition

# What was labelled is used, whatever the limits of the day: only Pillow's own guard against bombs remains, and a
# side of 10 pixels, below which ultralytics drops an image without a word.
TRAINING_LIMITS = Limits(max_bytes=1_000_000_000, max_pixels=1_000_000_000, min_side=10)


@dataclass(frozen=True)
class YoloDataset:
    """`images` are the usable ones; `skipped` says for each other one why."""

    data_yaml: Path
    images: tuple[Annotation, ...]
    skipped: tuple[str, ...]

    @property
    def backgrounds(self) -> int:
        return sum(not image.boxes for image in self.images)


class UnusableImage(Exception):
    """One image of the dataset cannot be used; the text says which and why."""


def read_manifest(path: Path) -> list[Annotation]:
    """Raises InvalidInputError naming the image and field: a broken manifest is a broken job, unlike a broken image."""
    return [Annotation.from_line(line) for line in split_lines(path.read_text("utf-8"))]


def write_yolo_dataset(
    labelled: list[Annotation], classes: tuple[str, ...], images_dir: Path, target: Path
) -> YoloDataset:
    """Writes `target`/images, labels and data.yaml. The trainer opens what is written here, never a stored file:
    another decoder may turn that by metadata, or re-compress it.

    An image that is missing, damaged, not the labelled one, or of an unknown class is skipped with a warning.
    """
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
    used: list[Annotation] = []
    skipped: list[str] = []
    for annotation in labelled:
        try:
            used.append(_write_image(annotation, classes, images_dir, target, f"{len(used):07d}"))
        except UnusableImage as problem:
            print(f"warning: skipped {annotation.source_ref}: {problem}", flush=True)
            skipped.append(f"{annotation.source_ref}: {problem}")
    # JSON is YAML. The trainer insists on `val` and never looks at it; class names travel beside the file, because its
    # reader drops characters that it does not like.
    data = {
        "path": str(target),
        "train": "images",
        "val": "images",
        "names": [f"class {i}" for i in range(len(classes))],
    }
    (target / "data.yaml").write_text(json.dumps(data), "utf-8")
    return YoloDataset(target / "data.yaml", tuple(used), tuple(skipped))


def read_pixels(annotation: Annotation, images_dir: Path) -> Canonical:
    """The canonical pixels of a downloaded image, which are those that were labelled.

    Raises RejectedImage; its reasons here include `missing` and `changed`.
    """
    path = _local_path(annotation.training_ref, images_dir)
    if path is None or not path.is_file():
        raise RejectedImage("missing", "the images channel does not hold it")
    data = path.read_bytes()
    canonical = canonicalise(data, TRAINING_LIMITS)
    # provenance.sha256 is of the object itself, not of the rendition that took its place.
    expected = annotation.provenance.get("sha256") if annotation.original_ref is None else None
    if expected is not None and hashlib.sha256(data).hexdigest() != expected:
        raise RejectedImage("changed", "its bytes are not those that were labelled (SHA-256 differs)")
    if (canonical.width, canonical.height) != (annotation.width, annotation.height):
        labelled, found = f"{annotation.width} x {annotation.height}", f"{canonical.width} x {canonical.height}"
        raise RejectedImage("changed", f"it was labelled at {labelled} pixels but has {found}")
    return canonical


def _write_image(
    annotation: Annotation, classes: tuple[str, ...], images_dir: Path, target: Path, name: str
) -> Annotation:
    try:
        canonical = read_pixels(annotation, images_dir)
    except RejectedImage as refusal:
        raise UnusableImage(str(refusal)) from refusal
    boxes = tuple(inside for box in annotation.boxes if (inside := clipped(box, canonical.width, canonical.height)))
    rows = [_yolo_row(box, classes, canonical) for box in boxes]
    (target / "labels" / f"{name}.txt").write_text("".join(row + "\n" for row in rows), "ascii")
    picture = rendition(canonical)
    (target / "images" / f"{name}.{picture.suffix}").write_bytes(picture.body)
    return replace(annotation, boxes=boxes)


def clipped(box: Box, width: int, height: int) -> Box | None:
    """The part of the box inside the image; None where nothing is left."""
    left, top = max(0.0, box.left), max(0.0, box.top)
    right, bottom = min(float(width), box.left + box.width), min(float(height), box.top + box.height)
    if not (right > left and bottom > top):
        return None
    return replace(box, left=left, top=top, width=right - left, height=bottom - top)


def _yolo_row(box: Box, classes: tuple[str, ...], canonical: Canonical) -> str:
    """`class cx cy w h`, the last four as shares of width and height (docs.ultralytics.com/datasets/detect)."""
    if box.label not in classes:
        raise UnusableImage(f"it is labelled with class '{box.label}', which hyperparameter 'classes' does not name")
    width, height = canonical.width, canonical.height
    shares = (
        (box.left + box.width / 2) / width,
        (box.top + box.height / 2) / height,
        box.width / width,
        box.height / height,
    )
    return f"{classes.index(box.label)} " + " ".join(f"{share:.7f}" for share in shares)


def _local_path(reference: str, images_dir: Path) -> Path | None:
    """Where SageMaker put the object: under its key. None for a key that would lead out of the channel."""
    key = reference.removeprefix("s3://").partition("/")[2]
    path = os.path.normpath(f"{images_dir}/{key}")
    return Path(path) if path.startswith(f"{os.path.normpath(images_dir)}/") else None
