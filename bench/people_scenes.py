"""Drawn scenes of people with key points, for benchmarks that train and judge on them: drawn once for each seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.skeletons import PERSON, PRESETS, Skeleton

from demo.annotators.truth import load_truth
from demo.scenes import write_batch

FOLDER = Path(__file__).resolve().parent.parent / "build" / "people-scenes"
SCENES = 250


@dataclass(frozen=True)
class PeopleScenes:
    """A labelled set as photo_set.PhotoSet is one; it has the same pictures wherever it is drawn."""

    seed: int
    scenes: int = SCENES
    image_size: int = 160
    classes: tuple[str, ...] = (PERSON,)

    @property
    def name(self) -> str:
        return f"people-{self.seed}"

    @property
    def skeleton(self) -> Skeleton:
        return PRESETS["head"]

    @property
    def images(self) -> Path:
        return FOLDER / f"{self.seed}-{self.scenes}"

    @cached_property
    def truths(self) -> dict[str, Annotation]:
        """Who is in each picture, by source-ref; draws the pictures where they are not there."""
        if not (self.images / "truth.json").is_file():  # written last
            write_batch(self.images, self.scenes, self.seed, faults=False)
        told = load_truth(self.images / "truth.json").images
        labelled = (
            Annotation(
                f"s3://zoo/{name}",
                None,
                image.width,
                image.height,
                image.people,
                True,
                "2026-11-27",
                "truth",
                task="key-points",
            )
            for name, image in sorted(told.items())
        )
        return {annotation.source_ref: annotation for annotation in labelled}
