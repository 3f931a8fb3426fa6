"""Honeypots: judge images mixed into labelling jobs, whose answers measure the people.

Pure. In a job's manifest a honeypot has the keys of the job's other lines; which ones they are, and what is true of
them, stands in another file. Their answers never become labels. Every choice is seeded by the job's name, so doing the
step again makes the same job. Pixels are canonical pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, TypeVar

from labelloop import tasks
from labelloop.contracts import marks, origins
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.marks import Mark, own_attribute
from labelloop.contracts.naming import digest
from labelloop.contracts.records import dump_line
from labelloop.people.collected import proposal_of
from labelloop.people.workers import Known
from labelloop.tasks.proposals import IMAGE_SIZE

PLAUSIBLE_CONFIDENCE = (0.35, 0.95)
T = TypeVar("T")


@dataclass(frozen=True)
class Honeypot:
    """`line` is the job's manifest line, of which `marks` are true.

    `verdict` is the right one in a verify job.
    """

    job: str
    source_ref: str
    kind: str
    line: Mapping[str, Any]
    marks: tuple[Any, ...]
    task: str
    verdict: str | None = None

    @property
    def known(self) -> Known:
        """What answers to it are measured by."""
        if self.verdict is not None:
            return Known(self.verdict)
        shown = proposal_of(dump_line(self.line), ())
        return Known(self.marks, None if shown is None else shown.marks)

    def to_json(self) -> dict[str, Any]:
        return {
            "job": self.job,
            "source-ref": self.source_ref,
            "kind": self.kind,
            "truth": [marks.of(self.task).kept(mark) for mark in self.marks],
            "task": self.task,
            "verdict": self.verdict,
            "line": dict(self.line),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Honeypot:
        size = record["line"].get(IMAGE_SIZE, {"width": 1, "height": 1})  # asked for the points of 0.1 only
        truth = marks.of(record["task"]).of_kept(record["truth"], (size["width"], size["height"]))
        return Honeypot(
            job=record["job"],
            source_ref=record["source-ref"],
            kind=record["kind"],
            line=record["line"],
            marks=truth,
            task=record["task"],
            verdict=record["verdict"],
        )


def candidates(lines: Iterable[str], attribute: str, taken: Collection[str] = ()) -> list[Annotation]:
    """The judge images of a dataset that are not in `taken`, the images that people are asked about.

    `attribute` is the name of the task: what people are asked for now.
    """
    found = []
    for line in lines:
        record = json.loads(line)
        if own_attribute(record) != attribute:
            continue
        human = record[f"{attribute}-metadata"]["human-annotated"] == "yes"
        if (
            human
            and origins.role_of(record.get("provenance", {})) == origins.JUDGE
            and record["source-ref"] not in taken
        ):
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
    job: str, kind: str, images: Sequence[Annotation], names: Sequence[str], model: str, seed: int
) -> list[Honeypot]:
    """Honeypots of these images for a job: as they are to annotate, with a disturbed label to adjust, and to verify
    by turns with a wrong label and with the right one. The first is wrong: most who do not look accept.
    """
    return [_make(job, kind, image, place, names, model, seed) for place, image in enumerate(images)]


def mixed(lines: Sequence[T], pots: Sequence[T], seed: int, job: str) -> list[T]:
    """The lines in their order with the honeypots at seeded places between them."""
    random = Random(f"{seed}/{job}")
    result = list(lines)
    for pot in pots:
        result.insert(random.randrange(len(result) + 1), pot)
    return result


def _make(job: str, kind: str, image: Annotation, place: int, names: Sequence[str], model: str, seed: int) -> Honeypot:
    task, random = tasks.of(image.task), Random(f"{seed}/{job}/{image.source_ref}")
    shown: Sequence[Mark] | None
    verdict = None
    if kind == "annotate":
        shown = None
    elif kind == "adjust":
        shown = task.disturb(image, names, random)
    else:
        verdict = "accept" if place % 2 else "reject"
        shown = image.marks if place % 2 else task.spoil(image, names, random)
    if shown is not None:
        shown = [marks.of(image.task).sure(mark, partial(_plausible, random)) for mark in shown]
    line = task.propose(image.source_ref, image.width, image.height, shown, names, model, image.original_ref)
    return Honeypot(job, image.source_ref, kind, line, image.marks, image.task, verdict)


def _plausible(random: Random) -> float:
    return round(random.uniform(*PLAUSIBLE_CONFIDENCE), 4)
