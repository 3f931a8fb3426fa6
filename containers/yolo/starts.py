"""What a training starts from: base weights, the champion, or random weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labelloop.contracts.errors import InvalidInputError
from labelloop.engines.model_descriptions import ModelDescription
from model_files import read_description, unpack_model
from recipe import Recipe

Kind = Literal["base", "champion", "random"]
# What base weights know, some 60 steps bring to other pictures, and more than one for each image makes worse again;
# where they know little of these pictures, twice as many are better (measured: docs/decisions.md, 2026-11-27).
FEWEST_STEPS, MOST_STEPS = 60, 3000
# Where points are is new to the weights of a detector: after 60 steps on 55 drawn scenes OKS mAP50 was .39, after 400
# .67 (docs/measurements.md).
FEWEST_STEPS_FOR_POINTS = 400
FAR_KEEP_CONFIDENCE = 0.30
BAKED = Path(__file__).resolve().parent / "base-weights" / "model.tar.gz"  # the Dockerfile's BASE_WEIGHTS


@dataclass(frozen=True)
class Start:
    """`folder` holds the model that is gone on from, None for random weights. `base`: whose weights are at the root of
    it, the first 12 digits of their hash; empty where nobody's are.
    """

    kind: Kind
    folder: Path | None
    architecture: str
    base: str = ""

    @property
    def is_pretrained(self) -> bool:
        return bool(self.base)

    def facts(self) -> dict[str, Any]:
        return {"start": self.kind, "base_weights": self.base, "warm_start": self.folder is not None}


def choose(recipe: Recipe, champion_dir: Path | None, base_dir: Path | None) -> Start:
    """The base weights where there are some, for later models unless the recipe says champion; else the champion of
    the wanted architecture; else random weights.
    """
    base = read_description(base_dir) if base_dir else None
    wanted = _name(base) if base else recipe.architecture
    known = base.short_name if base else ""
    if champion_dir is not None and (base is None or recipe.start == "champion"):
        champion = read_description(champion_dir)
        if champion.architecture in ("", wanted):
            return Start("champion", champion_dir, champion.architecture, known)
        print(f"the champion is a {champion.architecture}, wanted is a {wanted}: starting anew", flush=True)
    if base_dir is not None:
        return Start("base", base_dir, wanted, known)
    return Start("random", None, wanted)


def steps(recipe: Recipe, start: Start, images: int, far: bool = False) -> int:
    """Optimiser steps. `far`: the pictures have little in common with those of the base weights. Key points are mostly
    new to these, wherever the pictures are from.
    """
    if start.is_pretrained:
        if recipe.skeleton is not None:
            return recipe.base_steps or min(max(2 * images, FEWEST_STEPS_FOR_POINTS), 2 * MOST_STEPS)
        return recipe.base_steps or min(max(images, FEWEST_STEPS), MOST_STEPS) * (2 if far else 1)
    return recipe.warm_steps if start.kind == "champion" else recipe.steps


def learning_rate(recipe: Recipe, start: Start) -> float:
    """At the beginning. What goes on from a champion takes half: it has learned most already."""
    rate = recipe.base_learning_rate if start.is_pretrained else recipe.learning_rate
    return rate / 2 if start.kind == "champion" else rate


def is_far(recipe: Recipe, start: Start, keep_confidence: float) -> bool:
    """Whether the confidence that labels of the trained model are best kept from asks for twice the steps; people have
    them already.
    """
    return (
        start.is_pretrained
        and not recipe.base_steps
        and recipe.skeleton is None
        and keep_confidence <= FAR_KEEP_CONFIDENCE
    )


def base_weights(channel: Path, target: Path) -> Path | None:
    """The unpacked base weights of the job's channel, or of the image; None where neither has any."""
    archive = channel / "model.tar.gz" if channel.is_dir() else BAKED
    if channel.is_dir() and not archive.exists():
        raise InvalidInputError("channel 'base' lacks model.tar.gz: give that object, or leave the channel out")
    if not archive.exists():
        return None
    target.mkdir()
    unpack_model(archive, target)
    return target


def _name(base: ModelDescription) -> str:
    """Models that were taught from the same weights can go on from one another."""
    return base.architecture or f"of base weights {base.short_name}"
