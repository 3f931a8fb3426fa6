"""The batch to label: drawn scenes, or own pictures with a COCO file; and what the simulated people know of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from labelloop.contracts.records import Person

from demo import annotators, scenes
from demo.coco import load_coco
from demo.errors import DemoFailed

PREFIX = "incoming/demo/"
MOST_CLASS_BYTES = 4000
"""The template's MaxLength of Classes; CloudFormation counts bytes, too."""
NOISE_SHARE = 0.0025
"""Standard deviation of an annotator's box edges, as a share of the longer image side: 0.8 pixels of 320."""


@dataclass(frozen=True)
class Pictures:
    """`names` is everything to upload from `folder`; `truth` goes by object key, in canonical pixels, and lacks the
    files that must be rejected (`unusable`: key -> reason). `notes`: what of people's own truth was mended or left out.
    """

    folder: Path
    names: tuple[str, ...]
    truth: annotators.Truth
    unusable: dict[str, str]
    source: str
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(PREFIX + name for name in self.names)


DRAWN_CLASSES, DRAWN_SIDE = ("head",), 320


def draw(folder: Path, count: int, seed: int) -> Pictures:
    drawn = scenes.write_batch(folder, count, seed, faults=True)
    source = f"{count} drawn in-cabin scenes (seed {seed}) and {len(drawn.rejected)} unusable files"
    return _pictures(folder, drawn, source)


def read_own(folder: Path, coco: Path, limit: int | None) -> Pictures:
    """Raises DemoFailed when the folder or the COCO file cannot be used."""
    if not folder.is_dir():
        raise DemoFailed(
            f"There is no folder {folder}. Give the folder of your pictures: make demo IMAGES=... TRUTH=..."
        )
    try:
        known = load_coco(folder, coco, limit)
    except OSError as error:
        raise DemoFailed(f"The truth {coco} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DemoFailed(str(error)) from error
    odd = [name for name in known.classes if "," in name or '"' in name or not 1 <= len(name) <= 64]
    if odd:
        raise DemoFailed(f"Class names have 1 to 64 characters and neither comma nor quote; rename {odd} in {coco}.")
    length = len(",".join(known.classes).encode("utf-8", "surrogatepass"))
    if length > MOST_CLASS_BYTES:
        raise DemoFailed(
            f"{coco} has {len(known.classes)} classes, whose names and the commas between them take {length} bytes; "
            f"the stack's parameter Classes holds {MOST_CLASS_BYTES}. Take out categories that you do not need."
        )
    left_out = f", {known.left_out} more left out" if known.left_out else ""
    place = Path(*folder.resolve().parts[-2:])
    return _pictures(folder, known, f"{len(known.images)} own pictures from {place}{left_out}")


def longer_sides(pictures: Pictures) -> list[int]:
    return [max(image.width, image.height) for image in pictures.truth.images.values()]


def noise(pictures: Pictures, seed: int) -> dict[str, Any]:
    """How wrong the simulated annotators are: demo.annotators.Noise as the control interface takes it."""
    return {
        "jitter_px": round(NOISE_SHARE * median(longer_sides(pictures)), 2),
        "miss_rate": 0.01,
        "phantom_rate": 0.01,
        "wrong_class_rate": 0.01 if len(pictures.truth.classes) > 1 else 0.0,
        "seed": seed,
    }


def truth_document(truth: annotators.Truth) -> dict[str, Any]:
    """The truth as `PUT /_labelloop/truth` takes it."""
    return {
        "classes": list(truth.classes),
        "skeleton": None if truth.skeleton is None else truth.skeleton.to_json(),
        "images": {
            key: {
                "width": image.width,
                "height": image.height,
                "boxes": [
                    {"class": box.label, "left": box.left, "top": box.top, "width": box.width, "height": box.height}
                    for box in image.boxes
                ],
                "people": [_person(person) for person in image.people],
            }
            for key, image in truth.images.items()
        },
    }


def _person(person: Person) -> dict[str, Any]:
    box = person.box
    return {
        "left": box.left,
        "top": box.top,
        "width": box.width,
        "height": box.height,
        "derived": person.derived,
        "area": person.area,
        "points": [
            {"name": point.label, "x": point.x, "y": point.y, "visibility": point.visibility} for point in person.points
        ],
    }


def _pictures(folder: Path, known: scenes.Truth, source: str) -> Pictures:
    images = {PREFIX + name: image for name, image in known.images.items()}
    skeleton = None if known.skeleton is None else known.skeleton.to_json()
    truth = annotators.parse_truth({"classes": known.classes, "skeleton": skeleton, "images": images})
    unusable = {PREFIX + name: reason for name, reason in known.rejected.items()}
    return Pictures(folder, tuple(sorted((*known.images, *known.rejected))), truth, unusable, source, known.notes)
