"""The records that travel between the functions and the containers as JSON lines (docs/architecture.md, "Records").

Pixels are canonical pixels: of the upright 8-bit sRGB image, origin at the top left corner, x to the right, y down,
a box as left/top/width/height. Scores, confidences, draws and inclusion probabilities lie in 0..1.
Every `from_json` raises InvalidInputError naming the record and the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError

STATUSES = ("ok", "rejected")
DECISIONS = ("auto", "human", "rejected", "deferred")
VISIBILITIES = ("visible", "occluded", "outside")
# COCO's v = 0: nobody said where the point is, nor whether it is in the view. People and models never answer it.
UNLABELLED = "unlabelled"
# crowd-keypoint knows labels only. With a second label for each name one widget carries place and visibility, initial
# values included, and the two cannot contradict each other. A point outside the view is a point that is not set.
OCCLUDED = " (occluded)"


@dataclass(frozen=True)
class Box:
    """One labelled rectangle in canonical pixels; `confidence` is None where nobody gave one."""

    label: str
    left: float
    top: float
    width: float
    height: float
    confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A box of a Prediction: pixels rounded to 2 decimals, confidence to 4."""
        sides = {side: round(float(getattr(self, side)), 2) for side in ("left", "top", "width", "height")}
        sure = {} if self.confidence is None else {"confidence": round(float(self.confidence), 4)}
        return {"class": self.label, **sides, **sure}

    @staticmethod
    def from_json(record: Mapping[str, Any], context: str = "box") -> Box:
        return Box(
            label=fields.text(record, "class", context),
            left=fields.number(record, "left", context),
            top=fields.number(record, "top", context),
            width=fields.number(record, "width", context, minimum=0),
            height=fields.number(record, "height", context, minimum=0),
            confidence=fields.optional_number(record, "confidence", context, 0, 1),
        )


@dataclass(frozen=True)
class KeyPoint:
    """One named point in canonical pixels; one outside the view, or unlabelled, has no place: x and y are None exactly
    then.
    """

    label: str
    x: float | None
    y: float | None
    visibility: str
    confidence: float | None = None


@dataclass(frozen=True)
class Person:
    """One labelled person: `points` are one for each name of the skeleton, in its order. `derived`: nobody drew the
    box, it was made round the points. `area`: of the person in the file the label came from, square canonical pixels.
    """

    box: Box
    points: tuple[KeyPoint, ...]
    derived: bool = False
    area: float | None = None

    @property
    def label(self) -> str:
        """The class of the person, as a box has one."""
        return self.box.label


@dataclass(frozen=True)
class SeenPoint:
    """Where a model sees a point, how sure the main model is that it is in the view, and the additional one that it is
    visible.
    """

    label: str
    x: float
    y: float
    main: float
    additional: float

    def to_json(self) -> dict[str, Any]:
        """Pixels rounded to 2 decimals, confidences to 4."""
        place = {axis: round(float(getattr(self, axis)), 2) for axis in ("x", "y")}
        return {"name": self.label, **place, **{sure: round(getattr(self, sure), 4) for sure in ("main", "additional")}}

    @staticmethod
    def from_json(record: Mapping[str, Any], context: str) -> SeenPoint:
        return SeenPoint(
            fields.text(record, "name", context),
            *(fields.number(record, axis, context) for axis in ("x", "y")),
            *(fields.number(record, sure, context, 0, 1) for sure in ("main", "additional")),
        )


@dataclass(frozen=True)
class SeenPerson:
    """One person that a model sees; `box` has a confidence, `points` are one for each name of the skeleton."""

    box: Box
    points: tuple[SeenPoint, ...]

    def to_json(self) -> dict[str, Any]:
        return {**self.box.to_json(), "points": [point.to_json() for point in self.points]}

    @staticmethod
    def from_json(value: object, context: str) -> SeenPerson:
        record = fields.mapping(value, context, "people")
        listed = fields.sequence(record, "points", context)
        points = (
            SeenPoint.from_json(fields.mapping(point, at, "points"), at)
            for point, at in ((point, f"{context}.points[{index}]") for index, point in enumerate(listed))
        )
        return SeenPerson(sure_box(record, context), tuple(points))


@dataclass(frozen=True)
class Inspection:
    """What a look at one stored object found.

    `sha256` is of the stored bytes; width and height are null where the object is not a readable image; `scale` is the
    window (darkest, brightest stored value) that a 16-bit image was brought to 8 bits with.
    """

    key: str
    status: str
    source_ref: str
    original_ref: str | None = None
    version_id: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    reason: str | None = None
    detail: str | None = None
    scale: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        record = {
            "key": self.key,
            "source-ref": self.source_ref,
            "original-ref": self.original_ref,
            "version-id": self.version_id,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "scale": list(self.scale) if self.scale else None,
        }
        return {f: value for f, value in record.items() if value is not None or f in ("sha256", "width", "height")}

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Inspection:
        key = fields.text(record, "key", "inspection")
        context = f"inspection of {key}"
        status = fields.choice(record, "status", context, STATUSES)
        read_reason = fields.text if status == "rejected" else fields.optional_text
        return Inspection(
            key=key,
            status=status,
            source_ref=fields.text(record, "source-ref", context),
            original_ref=fields.optional_text(record, "original-ref", context),
            version_id=fields.optional_text(record, "version-id", context),
            sha256=fields.optional_text(record, "sha256", context),
            width=fields.optional_integer(record, "width", context, minimum=1),
            height=fields.optional_integer(record, "height", context, minimum=1),
            reason=read_reason(record, "reason", context),
            detail=fields.optional_text(record, "detail", context),
            scale=fields.optional_pair(record, "scale", context),
        )


@dataclass(frozen=True)
class InventoryItem:
    """One pinned object of a batch: which bytes, and its place in the batch's one random draw."""

    key: str
    version_id: str | None
    etag: str
    size: int
    draw: float
    sampled: bool
    inclusion_probability: float

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "version-id": self.version_id,
            "etag": self.etag,
            "size": self.size,
            "draw": self.draw,
            "sampled": self.sampled,
            "inclusion-probability": self.inclusion_probability,
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> InventoryItem:
        key = fields.text(record, "key", "inventory")
        context = f"inventory of {key}"
        return InventoryItem(
            key=key,
            version_id=fields.optional_text(record, "version-id", context),
            etag=fields.text(record, "etag", context),
            size=fields.integer(record, "size", context),
            draw=fields.number(record, "draw", context, 0, 1),
            sampled=fields.boolean(record, "sampled", context),
            inclusion_probability=fields.number(record, "inclusion-probability", context, 0, 1),
        )


@dataclass(frozen=True)
class Decision:
    """What becomes of one image in one round, why, and under which policy version. `audit`: people look at the accepted
    label before it is published.
    """

    source_ref: str
    decision: str
    score: float | None
    reasons: tuple[str, ...]
    inclusion_probability: float
    policy: str
    round: int
    audit: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "source-ref": self.source_ref,
            "decision": self.decision,
            "score": self.score,
            "reasons": list(self.reasons),
            "inclusion-probability": self.inclusion_probability,
            "policy": self.policy,
            "round": self.round,
            **({"audit": True} if self.audit else {}),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Decision:
        source_ref = fields.text(record, "source-ref", "decision")
        context = f"decision on {source_ref}"
        reasons = fields.sequence(record, "reasons", context)
        return Decision(
            source_ref=source_ref,
            decision=fields.choice(record, "decision", context, DECISIONS),
            score=fields.optional_number(record, "score", context, 0, 1),
            reasons=tuple(fields.text({"reasons": reason}, "reasons", context) for reason in reasons),
            inclusion_probability=fields.number(record, "inclusion-probability", context, 0, 1),
            policy=fields.text(record, "policy", context),
            round=fields.integer(record, "round", context),
            audit="audit" in record and fields.boolean(record, "audit", context),
        )


SCHEMA = 1  # of what waits for days: rows of the callbacks table and the ledger, pinned jobs


def check_schema(record: Mapping[str, Any], what: str) -> None:
    """Version 0.1 wrote none, which is schema 1. Raises InvalidInputError for what a newer version wrote."""
    schema = int(record.get("schema", SCHEMA))
    if schema > SCHEMA:
        raise InvalidInputError(
            f"{what} was written by a newer version of the stack (schema {schema}, known is {SCHEMA}): deploy that "
            "version again, then start an execution with the same input"
        )


def dump_line(record: Mapping[str, Any]) -> str:
    """One compact JSON line without its line end; NaN, which is not JSON, is refused with ValueError."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def parse_lines(text: str, source: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON lines text, blank lines skipped; `source` is the file's name for the error message."""
    # Not splitlines(): an object key may hold U+2028 and other characters that it would take for line ends.
    for line_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        context = f"{source}, line {line_number}"
        value = fields.parse_json(line, context)
        if not isinstance(value, dict):
            raise InvalidInputError(f"{context}: expected a JSON object, found {fields.shown(value)}")
        yield value


def sure_box(value: object, context: str) -> Box:
    """A box that has a confidence, as what models see has. Raises InvalidInputError."""
    record = fields.mapping(value, context, "boxes")
    fields.number(record, "confidence", context, 0, 1)
    return Box.from_json(record, context)
