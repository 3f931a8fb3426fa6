"""Images whose bytes are those of another: nobody is asked, or paid, twice about the same content.

Where people labelled the content before, in whatever batch and under whatever name, the image gets that label. Of
several that are open in one round one is looked at, and the others end as it ends, with its label. Only what two
batches ask at the same time is asked twice: to wait for each other's people would cost both of them days.

Copies are not evidence: what measures people or models, or trains, takes each content once (`datasets.evidence`).
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelloop import tasks
from labelloop.batch.batches import Image
from labelloop.contracts import marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.marks import own_attribute
from labelloop.contracts.origins import SAME_AS
from labelloop.contracts.records import Decision
from labelloop.contracts.settings import settings
from labelloop.store import datasets, immutable
from labelloop.store.observability import count, logger

SAME_CONTENT = "same-content"


@dataclass(frozen=True)
class Copy:
    """An image of the round, by its key: `of` is the key of the open image that it has the bytes of, or, where people
    labelled them before, `label` is the manifest line of that label.
    """

    key: str
    of: str = ""
    label: str = ""


def pin(files: Files, number: int, open_images: Sequence[Image]) -> dict[str, Copy]:
    """The round's copies by key, written once: a label that is published meanwhile changes nothing in the round."""
    stored = immutable.find_lines(files.copies(number))
    if stored is None:
        found = find(open_images, datasets.current().lines, settings().label_names, settings().task)
        records = [{"key": copy.key, "of": copy.of, "label": copy.label} for copy in found]
        stored = immutable.create_lines(files.copies(number), records)
        if stored:
            count("ImagesKnownByContent", len(stored))
            logger.info("images have the bytes of others and are not asked about", images=len(stored))
    return _by_key(stored)


def of_round(files: Files, number: int) -> dict[str, Copy]:
    """The copies by key that the round began with; none where an older version of the stack began it."""
    return _by_key(immutable.find_lines(files.copies(number)) or ())


def find(open_images: Sequence[Image], dataset: Iterable[str], names: Sequence[str], task: str) -> list[Copy]:
    """The copies among these readable images, in key order; `dataset` holds the manifest lines of all labels.

    Of several open images with one content a sampled one stands for all, so that people look at what was drawn.
    """
    groups: dict[str, list[Image]] = {}
    for image in sorted(open_images, key=lambda image: (not image.item.sampled, image.item.key)):
        groups.setdefault(_content(image), []).append(image)
    labels = _labels(dataset, {content: group[0].size for content, group in groups.items()}, names, task)
    found = []
    for content, group in groups.items():
        if content in labels:
            found += [Copy(image.item.key, label=labels[content]) for image in group]
        else:
            found += [Copy(image.item.key, of=group[0].item.key) for image in group[1:]]
    return sorted(found, key=lambda copy: copy.key)


def among(known: Mapping[str, Copy], open_images: Iterable[Image]) -> dict[str, Copy]:
    """Without those whose original is not open any more, because it is gone: they are looked at themselves."""
    keys = {image.item.key for image in open_images}
    return {key: copy for key, copy in known.items() if copy.label or copy.of in keys}


def decide(
    decided: Iterable[Decision],
    known: Mapping[str, Copy],
    open_images: Mapping[str, Image],
    changed: Container[str],
    number: int,
) -> list[Decision]:
    """The round's decisions in source-ref order: those on the images that were looked at, and on the `known` copies
    what was decided on the image that they have the bytes of. `open_images` go by source-ref; one in `changed` holds
    other bytes by now, and waits for the next round.
    """
    made = list(decided)
    by_key = {open_images[decision.source_ref].item.key: decision for decision in made}
    for reference, image in open_images.items():
        if image.item.key in known:
            made.append(_copied(known[image.item.key], reference, image, by_key, reference in changed, number))
    return sorted(made, key=lambda decision: decision.source_ref)


def _copied(
    copy: Copy, reference: str, image: Image, decided: Mapping[str, Decision], changed: bool, number: int
) -> Decision:
    chance = image.item.inclusion_probability
    if changed:
        return Decision(reference, "deferred", None, ("image-changed",), chance, SAME_CONTENT, number)
    if copy.label:
        return Decision(reference, "human", None, (SAME_CONTENT,), chance, SAME_CONTENT, number)
    other = decided[copy.of]
    reasons = (SAME_CONTENT, *(other.reasons if other.decision == "rejected" else ()))
    return replace(other, source_ref=reference, reasons=reasons, inclusion_probability=chance, audit=False)


def asks_people(decision: Decision) -> bool:
    """Whether people are asked about this very image: for its label, or what they say of the accepted one."""
    return (decision.decision == "human" or decision.audit) and not is_copy(decision)


def is_copy(decision: Decision) -> bool:
    return SAME_CONTENT in decision.reasons


def is_copied(annotation: Annotation) -> bool:
    """Whether the label was made on another image with the same bytes."""
    return SAME_AS in annotation.provenance


def labelled_before(copy: Copy) -> Annotation:
    return Annotation.from_line(copy.label)


def _by_key(records: Iterable[Mapping[str, Any]]) -> dict[str, Copy]:
    return {record["key"]: Copy(record["key"], record["of"], record["label"]) for record in records}


def _content(image: Image) -> str:
    assert image.inspection is not None and image.inspection.sha256 is not None  # readable
    return image.inspection.sha256


def _labels(
    dataset: Iterable[str], sizes: Mapping[str, tuple[int, int]], names: Sequence[str], task: str
) -> dict[str, str]:
    """Content -> the line of people's label for it: the best (`datasets.rank`) that still fits the stack's task and
    classes, and the size that the image has today. Every class must have been on offer when people looked: for one that
    was not, nobody looked.
    """
    found: dict[str, tuple[tuple[bool, str], str]] = {}
    for line in dataset:
        record = json.loads(line)
        content = record.get("provenance", {}).get("sha256", "")
        if content not in sizes or not datasets.is_human(line):
            continue
        try:
            label = Annotation.from_line(line)
        except InvalidInputError:  # of another version: people are asked
            continue
        offered = record[f"{own_attribute(record)}-metadata"].get("class-map", {}).values()
        used = {name for mark in label.marks for name in marks.of(label.task).names(mark)}
        fits = (label.width, label.height) == sizes[content] and used <= set(names)
        complete, rank = set(names) <= set(offered), datasets.rank(record)
        if not (fits and complete and tasks.of(label.task) is tasks.of(task)):
            continue
        if content not in found or rank > found[content][0]:
            found[content] = rank, line
    return {content: line for content, (_, line) in found.items()}
