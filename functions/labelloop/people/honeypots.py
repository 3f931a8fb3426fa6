"""Honeypots: gold-labelled images mixed into labelling jobs, whose answers measure the people.

Pure. In a job's manifest a honeypot has the keys of the job's other lines; which ones they are, and what is true of
them, stands in another file. Their answers never become labels. Every choice is seeded by the job's name, so doing the
step again makes the same job. Pixels are canonical pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from labelloop.contracts.augmented import own_attribute
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.naming import digest
from labelloop.contracts.records import Box, KeyPoint, dump_line
from labelloop.people.answers import BoxAnswer
from labelloop.people.collected import proposal_of
from labelloop.people.workers import Known
from labelloop.tasks.proposals import proposal_line

LARGEST_EDGE_SHIFT = 0.25  # of the box's side, in an adjust job: plainly more than a careful hand is off
OVERLOOKED = 0.2  # share of boxes that the proposal of an adjust job lacks
PLAUSIBLE_CONFIDENCE = (0.35, 0.95)
T = TypeVar("T")


@dataclass(frozen=True)
class Honeypot:
    """`line` is the job's manifest line, of which `boxes` or `key_points` are true.

    `verdict` is the right one in a verify job.
    """

    job: str
    source_ref: str
    kind: str
    line: Mapping[str, Any]
    boxes: tuple[Box, ...]
    key_points: tuple[KeyPoint, ...] | None = None
    verdict: str | None = None

    @property
    def known(self) -> Known:
        """What answers to it are measured by."""
        if self.verdict is not None:
            return Known(self.verdict)
        if self.key_points is not None:
            return Known(self.key_points)
        shown = proposal_of(dump_line(self.line), ())
        return Known(self.boxes, None if shown is None else BoxAnswer(shown.boxes, shown.width, shown.height))

    def to_json(self) -> dict[str, Any]:
        points = None if self.key_points is None else [vars(point) for point in self.key_points]
        return {
            "job": self.job,
            "source-ref": self.source_ref,
            "kind": self.kind,
            "truth": [box.to_json() for box in self.boxes] if points is None else points,
            "task": "boxes" if points is None else "key-points",
            "verdict": self.verdict,
            "line": dict(self.line),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Honeypot:
        boxes = record["task"] == "boxes"
        return Honeypot(
            job=record["job"],
            source_ref=record["source-ref"],
            kind=record["kind"],
            line=record["line"],
            boxes=tuple(Box.from_json(box) for box in record["truth"]) if boxes else (),
            key_points=None if boxes else tuple(KeyPoint(**point) for point in record["truth"]),
            verdict=record["verdict"],
        )


def gold(lines: Iterable[str], attribute: str, taken: Collection[str] = ()) -> list[Annotation]:
    """The gold-labelled human images of a dataset that are not in `taken`, the images that people are asked about.

    `attribute` is `boxes` or `key-points`: what people are asked for now.
    """
    found = []
    for line in lines:
        record = json.loads(line)
        if own_attribute(record) != attribute:
            continue
        human = record[f"{attribute}-metadata"]["human-annotated"] == "yes"
        if human and record.get("provenance", {}).get("role") == "gold" and record["source-ref"] not in taken:
            found.append(Annotation.from_line(line))
    return found


def share(objects: int, rate: float) -> int:
    """How many honeypots a job with so many images of its own gets: `rate` per image, rounded up."""
    return math.ceil(objects * rate - 1e-9)


def most_objects(most: int, rate: float) -> int:
    """How many images of its own a job may have, so that with its honeypots it has at most `most`; at least 1."""
    objects = max(1, math.floor(most / (1 + rate)))
    while objects > 1 and objects + share(objects, rate) > most:
        objects -= 1
    return objects


def in_order(known: Iterable[Annotation], seed: int, salt: str) -> list[Annotation]:
    """The order in which images become honeypots."""
    return sorted(known, key=lambda each: digest(seed, salt, each.source_ref, length=32))


def chosen(known: Sequence[Annotation], counts: Sequence[int], seed: int, salt: str) -> list[list[Annotation]]:
    """For every job so many different images, drawn by seed; no image comes again before all have been shown."""
    order = in_order(known, seed, salt)
    found, start = [], 0
    for count in counts:
        size = min(count, len(order))
        found.append([order[(start + place) % len(order)] for place in range(size)])
        start += size
    return found


def make(
    job: str, kind: str, images: Sequence[Annotation], classes: Sequence[str], model: str, seed: int
) -> list[Honeypot]:
    """Honeypots of these images for a job: as they are to annotate, with a disturbed label to adjust, and to verify
    by turns with a wrong label and with the right one. The first is wrong: most who do not look accept.
    """
    return [_make(job, kind, image, place, classes, model, seed) for place, image in enumerate(images)]


def mixed(lines: Sequence[T], pots: Sequence[T], seed: int, job: str) -> list[T]:
    """The lines in their order with the honeypots at seeded places between them."""
    random = Random(f"{seed}/{job}")
    result = list(lines)
    for pot in pots:
        result.insert(random.randrange(len(result) + 1), pot)
    return result


def _make(
    job: str, kind: str, image: Annotation, place: int, classes: Sequence[str], model: str, seed: int
) -> Honeypot:
    random = Random(f"{seed}/{job}/{image.source_ref}")
    shown: Sequence[Box] | None
    verdict = None
    if kind == "annotate":
        shown = None
    elif kind == "adjust":
        shown = _disturbed(image, classes, random)
    else:
        verdict = "accept" if place % 2 else "reject"
        shown = image.boxes if place % 2 else _spoiled(image, classes, random)
    if shown is not None:
        shown = [_as_predicted(box, random) for box in shown]
    line = proposal_line(image.source_ref, image.width, image.height, shown, classes, model, image.original_ref)
    return Honeypot(job, image.source_ref, kind, line, image.boxes, image.key_points, verdict)


def _disturbed(image: Annotation, classes: Sequence[str], random: Random) -> list[Box]:
    """As a model sees it: every edge a little off, some boxes missing; never exactly the truth."""
    moved = [_shifted(box, image, random) for box in image.boxes if random.random() >= OVERLOOKED]
    return moved if moved or image.boxes else [_phantom(image, classes, random)]


def _spoiled(image: Annotation, classes: Sequence[str], random: Random) -> list[Box]:
    """Plainly wrong: one box is missing, or beside its object; an empty image has a box."""
    if not image.boxes:
        return [_phantom(image, classes, random)]
    wrong = random.randrange(len(image.boxes))
    rest = [box for place, box in enumerate(image.boxes) if place != wrong]
    beside = _beside(image.boxes[wrong], image)
    return rest if beside is None or random.random() < 0.5 else [*rest, beside]


def _shifted(box: Box, image: Annotation, random: Random) -> Box:
    """Every edge moves by at least one pixel and at most LARGEST_EDGE_SHIFT of its side, within the image."""

    def edge(place: float, side: float, limit: int) -> float:
        shift = max(1.0, random.uniform(0, LARGEST_EDGE_SHIFT) * side) * random.choice((-1, 1))
        return place + shift if 0 <= place + shift <= limit else place - shift

    left, right = edge(box.left, box.width, image.width), edge(box.left + box.width, box.width, image.width)
    top, bottom = edge(box.top, box.height, image.height), edge(box.top + box.height, box.height, image.height)
    return Box(box.label, left, top, max(1.0, right - left), max(1.0, bottom - top))


def _beside(box: Box, image: Annotation) -> Box | None:
    """The box moved by half its width to the side that has more room; None where there is no room."""
    step = box.width / 2
    left = box.left + step if box.left + box.width / 2 < image.width / 2 else box.left - step
    inside = left >= 0 and left + box.width <= image.width
    return Box(box.label, left, box.top, box.width, box.height) if inside else None


def _phantom(image: Annotation, classes: Sequence[str], random: Random) -> Box:
    width, height = image.width * random.uniform(0.15, 0.4), image.height * random.uniform(0.15, 0.4)
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    return Box(random.choice(list(classes)), left, top, width, height)


def _as_predicted(box: Box, random: Random) -> Box:
    sure = round(random.uniform(*PLAUSIBLE_CONFIDENCE), 4)
    return Box(box.label, box.left, box.top, box.width, box.height, sure)
