"""What people changed of a pre-label, found by comparing two labels of one image. Pixels are canonical pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelloop.contracts.adjustments import ADJUSTED, COUNTED, UNADJUSTED, UNTOUCHED, Adjustment
from labelloop.contracts.records import Box, Person
from labelloop.tasks.quality import iou

# Corrections may be large, so little overlap is asked for: below it, one box was deleted and another one added.
SAME_OBJECT_IOU = 0.1


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


def compare_people(before: Sequence[Person], after: Sequence[Person]) -> Adjustment:
    """Counts placed points, and boxes that somebody drew: those of people who are the same, by their names. Of people
    those who are equal are the same, then those whose boxes overlap most.
    """
    old, new = sorted(map(_bare, before), key=repr), sorted(map(_bare, after), key=repr)
    equal = Counter(old) & Counter(new)
    old, new = list((Counter(old) - equal).elements()), list((Counter(new) - equal).elements())
    pairs = _paired([person.box for person in old], [person.box for person in new])
    counts = Counter({UNTOUCHED: sum(len(_marks(person, person)) * often for person, often in equal.items())})
    for i, j in pairs.items():
        counts += _compared(old[i], new[j])
    counts["deleted"] += sum(len(_marks(person, person)) for i, person in enumerate(old) if i not in pairs)
    counts["added"] += sum(len(_marks(person, person)) for j, person in enumerate(new) if j not in pairs.values())
    return _adjustment(counts)


def _bare(person: Person) -> Person:
    """Without what is no mark of people's: confidences, points without a place, where the box is from."""
    points = sorted((point for point in person.points if point.x is not None), key=lambda point: point.label)
    box = replace(person.box, confidence=None)
    return Person(box, tuple(replace(point, confidence=None) for point in points), person.derived)


def _marks(person: Person, other: Person) -> dict[str, tuple[Any, str]]:
    """name -> (place, visibility) of the points; and the box, under no name, where one of the two is drawn. A person of
    whom nothing is placed is the box.
    """
    placed = {point.label: ((point.x, point.y), point.visibility) for point in person.points}
    drawn = not (person.derived and other.derived) or not person.points
    return {**placed, **({"": (_exact(person.box), "")} if drawn else {})}


def _compared(one: Person, other: Person) -> Counter[str]:
    old, new = _marks(one, other), _marks(other, one)
    counts = Counter(added=len(new.keys() - old.keys()), deleted=len(old.keys() - new.keys()))
    for name in old.keys() & new.keys():
        moved, seen_otherwise = (before != after for before, after in zip(old[name], new[name], strict=True))
        counts.update({"moved": moved, "visibility-changed": seen_otherwise})
        counts[UNTOUCHED] += not (moved or seen_otherwise)
    return counts


def _adjustment(counts: Mapping[str, int]) -> Adjustment:
    found = {name: counts[name] for name in COUNTED if counts.get(name)}
    return Adjustment(UNADJUSTED if found.keys() <= {UNTOUCHED} else ADJUSTED, found)


def _pairs(before: Sequence[Box], after: Sequence[Box]) -> list[tuple[Box, Box]]:
    return [(before[i], after[j]) for i, j in _paired(before, after).items()]


def _paired(before: Sequence[Box], after: Sequence[Box]) -> dict[int, int]:
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
    return pairs


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
