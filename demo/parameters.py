"""What the demo asks of the stack, on top of samconfig's section `local`: from nothing, and with weights that exist."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from labelloop.contracts import advanced
from labelloop.contracts.skeletons import PRESETS, Skeleton

DOUBLE_LABEL_RATE = 0.1
"""There are several simulated people, so that it can be told how far they agree where one draws each image."""
MOST_SEED = int(advanced.LIMITS["SEED"].most)
SMALL, MOST_ON_A_CPU = 160, 224
SIZES = (96, 128, 160, 192, MOST_ON_A_CPU)
"""Values of ImageSize at which a CPU trains a model from nothing within minutes."""


@dataclass(frozen=True)
class Choices:
    """What people may choose: `seed` of the stack's draws and of the simulated people; `target`, the mean IoU that
    accepted labels must reach, None takes the demo's; `weights`, the key of a checkpoint in the data bucket;
    `skeleton`, of people who are labelled with key points, None for boxes.
    """

    seed: int
    target: float | None = None
    weights: str = ""
    skeleton: Skeleton | None = None


def stack_parameters(
    classes: Iterable[str], longer: Iterable[int], count: int, choices: Choices, most_people: int = 0
) -> dict[str, str]:
    """Template parameters for `count` pictures, of which `longer` are the longer sides in pixels; `most_people` are in
    one of them.
    """
    sides = list(longer)
    found = _with_weights(choices.weights) if choices.weights else _from_nothing(sides, count)
    limits = {**json.loads(found.pop("AdvancedSettings")), "DoubleLabelRate": DOUBLE_LABEL_RATE, "Seed": choices.seed}
    if choices.skeleton is None:
        found["Classes"] = ",".join(classes)
    else:
        found |= _of_people(choices.skeleton, sides, choices.weights)
        limits |= _limits_of_people(most_people, count)
    if choices.target is not None:
        found["TargetMeanIou"] = str(choices.target)
    return {**found, "AdvancedSettings": json.dumps(limits)}


def key_points(skeleton: Skeleton) -> str:
    """The value of the parameter KeyPoints: the name of a preset, or a document."""
    preset = next((name for name, each in PRESETS.items() if each == skeleton), None)
    return preset or json.dumps(skeleton.to_json(), ensure_ascii=False, separators=(",", ":"))


def _of_people(skeleton: Skeleton, longer: Iterable[int], weights: str) -> dict[str, str]:
    """Two networks are trained instead of one, so that pictures are small with weights, too. A label of people is held
    against more than overlaps of boxes: from nothing, a short training reaches less.
    """
    named = {"Task": "key-points", "KeyPoints": key_points(skeleton)}
    if not weights:
        return {**named, "TargetMeanIou": "0.6"}
    recipe = {"ImageSize": image_size(longer), "TrainingBatchSize": 16}
    return {**named, "RetrainMinimum": "25", "TrainingRecipeOverrides": json.dumps(recipe)}


def _limits_of_people(most_people: int, count: int) -> dict[str, int]:
    """Pages offer points for as many people as are in one picture, where those are more than usual. A third of the
    batch is sampled: labels of people differ more from one another than those of boxes, so it takes more judge images
    to be sure of their mean.
    """
    usual, sample = (int(advanced.LIMITS[name].default) for name in ("MOST_PEOPLE", "SAMPLE_MINIMUM"))
    pages = {"MostPeople": min(most_people, int(advanced.LIMITS["MOST_PEOPLE"].most))} if most_people > usual else {}
    return {**pages, "SampleMinimum": max(sample, count // 3)}


def _from_nothing(longer: Iterable[int], count: int) -> dict[str, str]:
    """A batch of some hundred pictures is small for a loop that must also measure itself. So people first label the
    random sample, a fifth of the batch: half of it judges, half teaches a short-trained first model that asks the right
    questions. What they answer makes the second model, which labels. Steps shrink as the pictures' size grows, so that
    a training takes minutes on two cores.
    """
    size = image_size(longer)
    recipe = {
        "ImageSize": size,
        "TrainingSteps": 450 * SMALL // max(size, SMALL),
        "WarmSteps": 1600 * SMALL // max(size, SMALL),
    }
    return {
        "SampleRate": "0.2",
        "HumanBudget": str(max(70, count // 6)),
        "MaxRounds": "10",
        "RetrainMinimum": "25",
        "TargetMeanIou": "0.76",
        "TrainingRecipeOverrides": json.dumps(recipe),
        "AdvancedSettings": json.dumps({"SampleMinimum": 100}),
    }


def _with_weights(key: str) -> dict[str, str]:
    """The template's own recipe, sample and target, but for pictures of 320 pixels, which a CPU trains on in minutes.
    The weights decide the architecture. The first round asks about the sample alone. Three people draw each image:
    what some fifty judge images say decides whether anything is accepted, and one person's mistakes in them, which
    look like the model's, cost a quarter of it (docs/measurements.md, "Labels that are accepted").
    """
    return {
        "BaseWeights": key,
        "HumanBudget": "110",
        "WorkersPerObject": "3",
        "MaxRounds": "10",
        "TrainingRecipeOverrides": json.dumps({"ImageSize": 320, "TrainingBatchSize": 16}),
        "AdvancedSettings": "{}",
    }


def image_size(longer: Iterable[int]) -> int:
    """The training size nearest to half the pictures' longer side."""
    half = median(longer) / 2
    return min(SIZES, key=lambda size: abs(size - half))
