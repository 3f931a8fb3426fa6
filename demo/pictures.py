"""The batch to label: drawn scenes, or own pictures with a COCO file; and what the simulated people know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from labelloop.contracts.records import Person
from labelloop.contracts.skeletons import PRESETS, Skeleton

from demo import annotators, parameters, scenes
from demo.coco import load_coco
from demo.coco.skeletons import UNUSABLE
from demo.errors import DemoFailed

PREFIX = "incoming/demo/"
MOST_PARAMETER_BYTES = 4000
"""The template's MaxLength of Classes and of KeyPoints; CloudFormation counts bytes, too."""
NOISE_SHARE = 0.0025
"""Standard deviation of an annotator's box edges, as a share of the longer image side: 0.8 pixels of 320."""


@dataclass(frozen=True)
class Pictures:
    """`names` is everything to upload from `folder`; `truth` goes by object key, in canonical pixels, and lacks the
    files that must be rejected (`unusable`: key -> reason). `notes`: what of people's own truth was mended or left out.
    `skeleton`: of the people, where those are labelled with key points; None where boxes are drawn.
    """

    folder: Path
    names: tuple[str, ...]
    truth: annotators.Truth
    unusable: dict[str, str]
    source: str
    notes: tuple[str, ...] = ()
    skeleton: Skeleton | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(PREFIX + name for name in self.names)


DRAWN_CLASSES, DRAWN_SIDE = ("head",), 320
DRAWN_SKELETONS = {"boxes": None, "key-points": PRESETS["head"]}
"""By the value of the parameter Task."""


def draw(folder: Path, count: int, seed: int, task: str = "boxes") -> Pictures:
    drawn = scenes.write_batch(folder, count, seed, faults=True)
    source = f"{count} drawn in-cabin scenes (seed {seed}) and {len(drawn.rejected)} unusable files"
    return _pictures(folder, drawn, source, DRAWN_SKELETONS[task])


def read_own(folder: Path, coco: Path, limit: int | None, task: str = "boxes") -> Pictures:
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
    skeleton = _FITTING[task](known, coco)
    left_out = f", {known.left_out} more left out" if known.left_out else ""
    place = Path(*folder.resolve().parts[-2:])
    return _pictures(folder, known, f"{len(known.images)} own pictures from {place}{left_out}", skeleton)


def _fitting_classes(known: scenes.Truth, coco: Path) -> None:
    odd = [name for name in known.classes if "," in name or '"' in name or not 1 <= len(name) <= 64]
    if odd:
        raise DemoFailed(f"Class names have 1 to 64 characters and neither comma nor quote; rename {odd} in {coco}.")
    length = len(",".join(known.classes).encode("utf-8", "surrogatepass"))
    if length > MOST_PARAMETER_BYTES:
        raise DemoFailed(
            f"{coco} has {len(known.classes)} classes, whose names and the commas between them take {length} bytes; "
            f"the stack's parameter Classes holds {MOST_PARAMETER_BYTES}. Take out categories that you do not need."
        )


def _fitting_skeleton(known: scenes.Truth, coco: Path) -> Skeleton:
    if known.skeleton is None:
        why = next((note for note in known.notes if note.startswith(UNUSABLE)), "no category has a list 'keypoints'")
        raise DemoFailed(
            f"{coco} has no key points that can be used ({why}). Give a file of COCO key points with one kind of "
            "people, or label boxes: leave TASK=key-points out."
        )
    length = len(parameters.key_points(known.skeleton).encode("utf-8", "surrogatepass"))
    if length > MOST_PARAMETER_BYTES:
        raise DemoFailed(
            f"{coco} has {len(known.skeleton.names)} key points, which with their bones take {length} bytes; the "
            f"stack's parameter KeyPoints holds {MOST_PARAMETER_BYTES}. Shorten their names in 'categories', or take "
            "'skeleton' out."
        )
    return known.skeleton


_FITTING: Mapping[str, Callable[[scenes.Truth, Path], Skeleton | None]] = {
    "boxes": _fitting_classes,
    "key-points": _fitting_skeleton,
}


def longer_sides(pictures: Pictures) -> list[int]:
    return [max(image.width, image.height) for image in pictures.truth.images.values()]


def most_people(pictures: Pictures) -> int:
    return max((len(image.people) for image in pictures.truth.images.values()), default=0)


def noise(pictures: Pictures, seed: int) -> dict[str, Any]:
    """How wrong the simulated annotators are: demo.annotators.Noise as the control interface takes it."""
    return {
        "jitter_px": round(NOISE_SHARE * median(longer_sides(pictures)), 2),
        "miss_rate": 0.01,
        "phantom_rate": 0.01,
        "wrong_class_rate": 0.01 if len(pictures.truth.classes) > 1 else 0.0,
        "wrong_visibility_rate": 0.02,
        "swap_rate": 0.01,
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


def _pictures(folder: Path, known: scenes.Truth, source: str, skeleton: Skeleton | None) -> Pictures:
    images = {PREFIX + name: image for name, image in known.images.items()}
    document = None if known.skeleton is None else known.skeleton.to_json()
    truth = annotators.parse_truth({"classes": known.classes, "skeleton": document, "images": images})
    unusable = {PREFIX + name: reason for name, reason in known.rejected.items()}
    names = tuple(sorted((*known.images, *known.rejected)))
    return Pictures(folder, names, truth, unusable, source, known.notes, skeleton)
