"""From annotation manifest lines and downloaded images to the folder of images and labels that YOLO trains on."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import label_files
from labelloop.contracts.manifests import Annotation, split_lines
from labelloop.contracts.records import Box
from labelloop.contracts.skeletons import Skeleton
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
        return sum(not image.marks for image in self.images)


class UnusableImage(Exception):
    """One image of the dataset cannot be used; the text says which and why."""


def read_manifest(path: Path) -> list[Annotation]:
    """Raises InvalidInputError naming the image and field: a broken manifest is a broken job, unlike a broken image."""
    return [Annotation.from_line(line) for line in split_lines(path.read_text("utf-8"))]


def write_yolo_dataset(
    labelled: list[Annotation],
    classes: tuple[str, ...],
    images_dir: Path,
    target: Path,
    skeleton: Skeleton | None = None,
) -> YoloDataset:
    """Writes `target`/images, labels and data.yaml. The trainer opens what is written here, never a stored file:
    another decoder may turn that by metadata, or re-compress it. `skeleton`: of people's key points, None where boxes
    are learned.

    An image that is missing, damaged, not the labelled one, or labelled with an unknown class, other key points or
    another kind of label is skipped with a warning.
    """
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
    asked = _Asked(classes, None if skeleton is None else skeleton.names)
    used: list[Annotation] = []
    skipped: list[str] = []
    for annotation in labelled:
        try:
            used.append(_write_image(annotation, asked, images_dir, target, f"{len(used):07d}"))
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
        **(label_files.facts(skeleton) if skeleton else {}),
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


@dataclass(frozen=True)
class _Asked:
    """What is to be learned; `points`: the names of people's, None where boxes are."""

    classes: tuple[str, ...]
    points: tuple[str, ...] | None


def _write_image(annotation: Annotation, asked: _Asked, images_dir: Path, target: Path, name: str) -> Annotation:
    try:
        canonical = read_pixels(annotation, images_dir)
    except RejectedImage as refusal:
        raise UnusableImage(str(refusal)) from refusal
    used = _inside(annotation)
    rows = _rows(used, asked)
    (target / "labels" / f"{name}.txt").write_text("".join(row + "\n" for row in rows), "ascii")
    picture = rendition(canonical)
    (target / "images" / f"{name}.{picture.suffix}").write_bytes(picture.body)
    return used


def clipped(box: Box, width: int, height: int) -> Box | None:
    """The part of the box inside the image; None where nothing is left."""
    left, top = max(0.0, box.left), max(0.0, box.top)
    right, bottom = min(float(width), box.left + box.width), min(float(height), box.top + box.height)
    if not (right > left and bottom > top):
        return None
    return replace(box, left=left, top=top, width=right - left, height=bottom - top)


def _inside(annotation: Annotation) -> Annotation:
    """The label with the parts of its boxes that lie in the image."""
    size = annotation.width, annotation.height
    boxes = tuple(inside for box in annotation.boxes if (inside := clipped(box, *size)))
    if annotation.people is None:
        return replace(annotation, marks=boxes)
    people = tuple(
        replace(person, box=inside) for person in annotation.people if (inside := clipped(person.box, *size))
    )
    return replace(annotation, marks=people)


def _rows(annotation: Annotation, asked: _Asked) -> list[str]:
    size = annotation.width, annotation.height
    if annotation.people is None:
        if asked.points is not None:
            raise UnusableImage("it is labelled with boxes, and hyperparameter 'key-points' asks for people's points")
        return [label_files.box_row(box, _number(box, asked), *size) for box in annotation.boxes]
    if asked.points is None:
        raise UnusableImage("it is labelled with people's key points, and hyperparameter 'key-points' is missing")
    for person in annotation.people:
        names = tuple(point.label for point in person.points)
        if names != asked.points:
            raise UnusableImage(
                f"it is labelled with the key points {', '.join(names) or '(none)'}, and hyperparameter 'key-points' "
                f"names {', '.join(asked.points)}"
            )
    return [label_files.person_row(person, _number(person.box, asked), *size) for person in annotation.people]


def _number(box: Box, asked: _Asked) -> int:
    if box.label not in asked.classes:
        raise UnusableImage(f"it is labelled with class '{box.label}', which hyperparameter 'classes' does not name")
    return asked.classes.index(box.label)


def _local_path(reference: str, images_dir: Path) -> Path | None:
    """Where SageMaker put the object: under its key. None for a key that would lead out of the channel."""
    key = reference.removeprefix("s3://").partition("/")[2]
    path = os.path.normpath(f"{images_dir}/{key}")
    return Path(path) if path.startswith(f"{os.path.normpath(images_dir)}/") else None
