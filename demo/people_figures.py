"""How well a model finds people, places their points and tells which are visible: against the truth of pictures that no
model trained on. Pure; canonical pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Person
from labelloop.contracts.skeletons import Skeleton
from labelloop.contracts.visibility_rules import VisibilityRule
from labelloop.tasks import oks, seen_people, visibility

from demo.annotators import ImageTruth

FIELDS = ("oks_map50", "visibility_accuracy", "visibility_always_visible", "visibility_balanced")


@dataclass(frozen=True)
class Peopled:
    """Who is really in a picture."""

    source_ref: str
    marks: tuple[Person, ...]


@dataclass(frozen=True)
class Unseen:
    """What the last model says of the pictures that no model trained on, with its own label rule. `images`: what is
    really there, by source-ref; a picture without a prediction counts as one in which the model saw nobody.
    """

    model: str
    rule: LabelRule
    predictions: tuple[Prediction, ...]
    images: Mapping[str, ImageTruth]


def figures(unseen: Unseen | None, skeleton: Skeleton) -> dict[str, Any]:
    """`oks_map50` is of all people whom the model sees, as COCO has it; visibility of those who are in its labels, by
    its thresholds, where the points of a person whom it misses count as said to be outside. All None without a model.
    """
    if unseen is None:
        return {**dict.fromkeys(FIELDS), "unseen_images": 0, "visibility_confusion": {}}
    truths = [Peopled(ref, image.people) for ref, image in sorted(unseen.images.items())]
    labelled = [seen_people.kept(prediction, unseen.rule) for prediction in unseen.predictions]
    told = visibility.figures(
        visibility.judged_points(labelled, truths), unseen.rule.visibility or VisibilityRule()
    ).to_json()
    return {
        "oks_map50": oks.oks_map50(unseen.predictions, truths, skeleton),
        **{name: told[name] for name in FIELDS[1:]},
        "unseen_images": len(truths),
        "visibility_confusion": told["visibility_confusion"],
    }
