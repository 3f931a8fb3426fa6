"""Whether a challenger loses a class that the champion labels: a mean over images and classes hides a rare one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.records import Prediction
from labelloop.tasks.port import TrainedTask
from labelloop.tasks.quality import Truth
from labelloop.trust.judgement import label_boxes

ENOUGH_OBJECTS = 10
MOST_FALL = 0.15  # of a class's AP50


@dataclass(frozen=True)
class Labelled:
    """What a model saw, by source-ref, and what of it is its label."""

    predicted: Mapping[str, Prediction]
    rule: LabelRule


def first(new: Labelled, old: Labelled, judges: Sequence[Truth], task: TrainedTask) -> str | None:
    """Why the first class, by name, counts as lost; None where none is.

    With at least ten true objects: its AP50 falls by more than .15. With fewer that figure is mostly chance: then
    labels of the champion have at least half of the objects, and labels of the challenger none. However many there
    are: none of at least two that labels of the champion have.
    """
    objects = Counter(box.label for truth in judges for box in truth.boxes)
    found, before = (_found(labelled, judges, task) for labelled in (new, old))
    once_each = [1] * len(judges)
    precision, former = (task.class_metric(each.predicted.values(), judges)(once_each) for each in (new, old))
    for label, number in sorted(objects.items()):
        if not found[label] and (before[label] >= 2 or (number < ENOUGH_OBJECTS and before[label] * 2 >= number)):
            return f"of the {number} judge objects of class '{label}' it finds 0, the champion {before[label]}"
        if number >= ENOUGH_OBJECTS and not former[label] - precision[label] <= MOST_FALL:
            return (
                f"average precision of class '{label}' ({number} judge objects) falls from {former[label]:.3f} to "
                f"{precision[label]:.3f}, by more than {MOST_FALL}"
            )
    return None


def _found(labelled: Labelled, judges: Sequence[Truth], task: TrainedTask) -> Counter[str]:
    """How many true objects of each class the labels have."""
    found: Counter[str] = Counter()
    for truth in judges:
        label = label_boxes(labelled.predicted[truth.source_ref], labelled.rule)
        found.update(truth.boxes[place].label for place in task.found(label, truth.boxes))
    return found
