"""A dataset version as a folder of files that other tools read; with its pictures where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from labelloop import tasks
from labelloop.contracts import origins
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import UNLABELLED, KeyPoint, Person
from labelloop.contracts.settings import settings
from labelloop.contracts.skeletons import Vocabulary
from labelloop.store import datasets, storage

from cli import coco_files, yolo_files
from cli.errors import Refused

IMAGES = "images"


@dataclass(frozen=True)
class Written:
    """`other`: how many labels were left out, because they are of another task than the stack's."""

    labels: int
    marks: int
    other: int


def export(version: str, form: str, out: Path, with_images: bool) -> Written:
    """Writes the folder `out`, which must not exist. `form`: a key of FORMATS. Raises Refused, and MissingObjectError
    or ChangedObjectError unless the dataset is what was published.
    """
    if out.exists():
        raise Refused(f"{out} is there already: name a new folder with --out.")
    version = version or datasets.current_version()
    if version not in datasets.versions():
        known = ", ".join(reversed(datasets.versions()[-5:])) or "none"
        raise Refused(f"There is no dataset {version!r}; the newest are {known}. Nothing was written.")
    task = tasks.of(settings().task)
    every = [Annotation.from_line(line) for line in datasets.load(version).lines]
    labels = [_whole(label, settings().vocabulary) for label in every if tasks.of(label.task) is task]
    out.mkdir(parents=True)
    names = FORMATS[form](labels, settings().vocabulary, out, f"labelloop dataset {version}")
    if with_images:
        _fetch(labels, names, out)
    return Written(len(labels), sum(len(label.marks) for label in labels), len(every) - len(labels))


def write_coco(labels: Sequence[Annotation], vocabulary: Vocabulary, out: Path, told: str) -> list[str]:
    """annotations.json; file names are the keys of the images that were labelled. Returns where images belong."""
    keys = [storage.split(label.source_ref)[1] for label in labels]
    document = coco_files.document(labels, keys, vocabulary, told)
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    (out / "annotations.json").write_text(body + "\n", "utf-8")
    return keys


def write_yolo(labels: Sequence[Annotation], vocabulary: Vocabulary, out: Path, told: str) -> list[str]:
    """labels/, data.yaml, the lists train.txt and val.txt, and images.jsonl, which says where each image comes from.
    Returns where images belong.
    """
    classes = yolo_files.classes_of(labels, vocabulary)
    names = [yolo_files.image_name(label.source_ref) for label in labels]
    (out / "labels").mkdir()
    (out / IMAGES).mkdir()
    for label, name in zip(labels, names, strict=True):
        (out / "labels" / yolo_files.label_name(name)).write_text(yolo_files.rows(label, classes), "ascii")
    named = list(zip(labels, names, strict=True))
    judging = {name for label, name in named if origins.role_of(label.provenance) == origins.JUDGE}
    lists = {"train.txt": [name for name in names if name not in judging], "val.txt": sorted(judging)}
    for listed, chosen in lists.items():
        (out / listed).write_text("".join(f"./{IMAGES}/{name}\n" for name in chosen), "ascii")
    comes_from = [{"image": f"{IMAGES}/{name}", "source-ref": label.source_ref} for label, name in named]
    (out / "images.jsonl").write_bytes(storage.lines_bytes(comes_from))
    (out / "data.yaml").write_text(f"# {told}\n{yolo_files.data_yaml(classes, vocabulary)}", "utf-8")
    return [f"{IMAGES}/{name}" for name in names]


FORMATS: Mapping[str, Callable[[Sequence[Annotation], Vocabulary, Path, str], list[str]]] = {
    "coco": write_coco,
    "yolo": write_yolo,
}


def _whole(label: Annotation, vocabulary: Vocabulary) -> Annotation:
    """With one point for each name of the stack's, in its order: nobody labelled what the label lacks. Raises Refused
    for a name that is none of the stack's, because files number what they name.
    """
    points = {point.label for person in label.people or () for point in person.points}
    if strange := sorted((points or {box.label for box in label.boxes}) - set(vocabulary.names)):
        raise Refused(
            f"{label.source_ref} is labelled with {strange[0]!r}, which is none of the stack's names "
            f"({', '.join(vocabulary.names)}): export with the names that the dataset was labelled with. Nothing was "
            "written."
        )
    if label.people is None:
        return label
    return replace(label, marks=tuple(_person(person, vocabulary.names) for person in label.people))


def _person(person: Person, names: Sequence[str]) -> Person:
    known = {point.label: point for point in person.points}
    return replace(person, points=tuple(known.get(name, KeyPoint(name, None, None, UNLABELLED)) for name in names))


def _fetch(labels: Sequence[Annotation], names: Sequence[str], out: Path) -> None:
    for label, name in zip(labels, names, strict=True):
        if {"", ".", ".."} & set(PurePosixPath(name).parts) or name.startswith("/"):
            raise Refused(f"{label.source_ref} has a name that is no file here: leave --images out.")
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pinned = label.provenance.get("version-id") if label.original_ref is None else None
        path.write_bytes(storage.read(storage.own_key(label.source_ref), pinned))
