"""What is really in a set of pictures: known to simulated annotators and the demo's comparison, not to the loop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelloop.contracts.skeletons import Skeleton


@dataclass(frozen=True)
class Truth:
    """`images`: file name -> {"width", "height", "boxes", "people"} in upright pixels, boxes as in scene.Scene, people
    as annotators.parse_truth takes them. `skeleton`: theirs, None where nobody has points, or where points of several
    kinds are.

    `rejected`: file name -> inspection reason, for files that are not usable pictures. `left_out`: how many pictures of
    a truth file were not in the folder, over the limit, or could not be used; `notes` say what was mended or left out.
    """

    classes: list[str]
    images: dict[str, dict[str, Any]]
    rejected: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    notes: tuple[str, ...] = ()
    skeleton: Skeleton | None = None


def write_truth(path: Path, truth: Truth) -> None:
    told: dict[str, Any] = {
        "classes": truth.classes,
        "images": truth.images,
        "rejected": truth.rejected,
        "left_out": truth.left_out,
    }
    if truth.skeleton:
        told["skeleton"] = truth.skeleton.to_json()
    path.write_text(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def read_truth(path: Path) -> Truth:
    told = json.loads(path.read_text(encoding="utf-8"))
    skeleton = Skeleton.from_json(told["skeleton"]) if "skeleton" in told else None
    return Truth(told["classes"], told["images"], told["rejected"], told["left_out"], skeleton=skeleton)
