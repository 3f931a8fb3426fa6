"""A labelled set of pictures for benchmarks that train and judge on it: any COCO detection file and its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.contracts.skeletons import Skeleton

from demo.coco import load_coco
from demo.scenes.truth import Truth

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class PhotoSet:
    name: str
    images: Path
    coco: Path
    image_size: int = 320
    skeleton: Skeleton | None = None

    @cached_property
    def _truth(self) -> Truth:
        return load_coco(self.images, self.coco)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self._truth.classes)

    @cached_property
    def truths(self) -> dict[str, Annotation]:
        """What is in each picture, by source-ref; a training job finds the picture under it."""
        labelled = (_annotation(name, image) for name, image in sorted(self._truth.images.items()))
        return {annotation.source_ref: annotation for annotation in labelled}


def of_name(name: str) -> PhotoSet:
    """One of ../shared/data, by the name of its folder."""
    return PhotoSet(name, SHARED / name / "images", SHARED / name / "annotations.json")


def _annotation(name: str, image: Mapping[str, Any]) -> Annotation:
    boxes = tuple(
        Box(box["class"], box["left"], box["top"], box["width"], box["height"], None) for box in image["boxes"]
    )
    return Annotation(
        f"s3://zoo/{name}", None, image["width"], image["height"], boxes, True, "2026-11-27T00:00:00", "truth"
    )
