"""Whether a challenger loses a class that the champion labels: a mean over images and classes hides a rare one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import Task, Truth
from labelloop.trust.judgement import machine_label

ENOUGH_OBJECTS = 10
MOST_FALL = 0.15  # of a class's AP50


@dataclass(frozen=True)
class Labelled:
    """What a model saw, by source-ref, and what of it is its label."""

    predicted: Mapping[str, Prediction]
    rule: LabelRule


def first(
    new: Labelled, old: Labelled, judges: Sequence[Truth], task: Task, skeleton: Skeleton | None = None
) -> str | None:
    """Why the first class, by name, counts as lost; None where none is.

    With at least ten true objects: its AP50 falls by more than .15. With fewer that figure is mostly chance: then
    labels of the champion have at least half of the objects, and labels of the challenger none. However many there
    are: none of at least two that labels of the champion have.
    """
    objects = Counter(mark.label for truth in judges for mark in truth.marks)
    found, before = (_found(labelled, judges, task) for labelled in (new, old))
    once_each = [1] * len(judges)
    precision, former = (task.class_metric(each.predicted.values(), judges, skeleton)(once_each) for each in (new, old))
    for name, number in sorted(objects.items()):
        if not found[name] and (before[name] >= 2 or (number < ENOUGH_OBJECTS and before[name] * 2 >= number)):
            return f"of the {number} judge objects of class '{name}' it finds 0, the champion {before[name]}"
        # Of people without a placed point there is no precision.
        measured = name in former and name in precision
        if measured and number >= ENOUGH_OBJECTS and not former[name] - precision[name] <= MOST_FALL:
            return (
                f"average precision of class '{name}' ({number} judge objects) falls from {former[name]:.3f} to "
                f"{precision[name]:.3f}, by more than {MOST_FALL}"
            )
    return None


def _found(labelled: Labelled, judges: Sequence[Truth], task: Task) -> Counter[str]:
    """How many true objects of each class the labels have."""
    found: Counter[str] = Counter()
    for truth in judges:
        there = truth.marks
        labels = machine_label(labelled.predicted[truth.source_ref], labelled.rule)
        found.update(there[place].label for place in task.found(labels, there))
    return found
