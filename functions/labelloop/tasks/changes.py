"""What people changed of a pre-label, found by comparing two labels of one image. Pixels are canonical pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from labelloop.contracts.adjustments import ADJUSTED, COUNTED, UNADJUSTED, UNTOUCHED, Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, KeyPoint
from labelloop.tasks.port import Label
from labelloop.tasks.quality import iou

# Corrections may be large, so little overlap is asked for: below it, one box was deleted and another one added.
SAME_OBJECT_IOU = 0.1


def compare(before: Label, after: Label) -> Adjustment:
    """What became of the pre-label `before` in the answer `after`; confidences and the order of marks do not matter."""
    if before.key_points is None and after.key_points is None:
        return compare_boxes(before.boxes, after.boxes)
    if before.key_points is None or after.key_points is None:
        raise InvalidInputError("adjustment: boxes and key points cannot be compared; both labels must be of one kind")
    return compare_key_points(before.key_points, after.key_points)


def compare_boxes(before: Sequence[Box], after: Sequence[Box]) -> Adjustment:
    """Boxes that are equal in class and edges are untouched; of the others, those that overlap most are one object."""
    kept = Counter(map(_exact, before)) & Counter(map(_exact, after))
    pairs = _pairs(_without(before, kept), _without(after, kept))
    matched = kept.total() + len(pairs)
    return _adjustment(
        {
            UNTOUCHED: kept.total(),
            "moved": sum(_edges(old) != _edges(new) for old, new in pairs),
            "relabelled": sum(old.label != new.label for old, new in pairs),
            "added": len(after) - matched,
            "deleted": len(before) - matched,
        }
    )


def compare_key_points(before: Sequence[KeyPoint], after: Sequence[KeyPoint]) -> Adjustment:
    """Points are the same object when they have the same name; outside the view and not listed are the same."""
    old, new = ({point.label: point for point in points if point.x is not None} for points in (before, after))
    counts = Counter(added=len(new.keys() - old.keys()), deleted=len(old.keys() - new.keys()))
    for name in old.keys() & new.keys():
        moved = (old[name].x, old[name].y) != (new[name].x, new[name].y)
        seen_otherwise = old[name].visibility != new[name].visibility
        counts.update({"moved": moved, "visibility-changed": seen_otherwise})
        counts[UNTOUCHED] += not (moved or seen_otherwise)
    return _adjustment(counts)


def _adjustment(counts: Mapping[str, int]) -> Adjustment:
    found = {name: counts[name] for name in COUNTED if counts.get(name)}
    return Adjustment(UNADJUSTED if found.keys() <= {UNTOUCHED} else ADJUSTED, found)


def _pairs(before: Sequence[Box], after: Sequence[Box]) -> list[tuple[Box, Box]]:
    """One-to-one, the most overlap first, then the same class; equal candidates by their coordinates."""
    candidates = [
        (-overlap, old.label != new.label, _exact(old), _exact(new), i, j)
        for i, old in enumerate(before)
        for j, new in enumerate(after)
        if (overlap := iou(old, new)) >= SAME_OBJECT_IOU
    ]
    pairs: dict[int, int] = {}
    for *_, i, j in sorted(candidates):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [(before[i], after[j]) for i, j in pairs.items()]


def _without(boxes: Sequence[Box], kept: Counter[Any]) -> list[Box]:
    left = Counter(kept)
    others = []
    for box in boxes:
        if left[_exact(box)]:
            left[_exact(box)] -= 1
        else:
            others.append(box)
    return others


def _exact(box: Box) -> tuple[str, float, float, float, float]:
    return box.label, *_edges(box)


def _edges(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height
