"""Which key points the people of a COCO file have. Pure.

COCO files name the points and the bones; how far placings scatter they do not say. Where the names are those of a
preset, its sigmas are meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import PRESETS, Pairs, Skeleton

from demo.coco.classes import Category
from demo.coco.entries import Notes

UNUSABLE = "Key points cannot be used"


def skeleton_of(categories: Iterable[Category], notes: Notes) -> Skeleton | None:
    """None where no category has key points, where several have different ones, or where a stack could not take their
    names; the notes say so.
    """
    pointed = {category.points: category for category in categories if category.points}
    if len(pointed) > 1:
        notes.add(
            f"{UNUSABLE}, because a stack has people of one kind, and the categories have different ones",
            ", ".join(repr(category.label) for category in pointed.values()),
        )
        return None
    for category in pointed.values():
        try:
            return _of(category)
        except InvalidInputError as error:
            notes.add(UNUSABLE, str(error))
    return None


def _of(category: Category) -> Skeleton:
    bones = category.bones
    preset = next((each for each in PRESETS.values() if each.names == category.points), None)
    if preset is None:
        return Skeleton.from_json({"names": list(category.points), "bones": [list(bone) for bone in bones]})
    return replace(preset, bones=bones) if bones and _ends(bones) != _ends(preset.bones) else preset


def _ends(bones: Pairs) -> set[frozenset[str]]:
    return {frozenset(bone) for bone in bones}
