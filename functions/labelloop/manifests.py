"""Annotation manifests: one augmented-manifest line per labelled image <-> Annotation.

The format is SageMaker's, as Ground Truth writes it and Rekognition Custom Labels reads it (developer guides:
sms-data-output, md-create-manifest-file-object-detection). Real files vary, so the reader takes: any key order,
`job-name` or `job_name`, `creation-date` or `creation_date`, no confidence, fractional pixels, and a class map of only
the classes on the line. A confidence never decides anything: single-worker jobs report 0 for every human label.
Boxes are left/top/width/height in canonical pixels. Errors: InvalidInputError naming the line's image and the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labelloop import fields
from labelloop.augmented import (
    PROPOSALS,
    box_attribute,
    dump_name,
    either,
    image_size,
    label_metadata,
    label_value,
    raw_attributes,
    read_boxes,
)
from labelloop.errors import InvalidInputError
from labelloop.records import Box, dump_line

LABELS = "boxes"
MOST_VALUE_CHARACTERS = 20_000
MOST_LINE_CHARACTERS = 100_000


@dataclass(frozen=True)
class Annotation:
    """What is in one image, and who says so; no boxes means that nothing is there, not that nobody looked.

    `extra` holds the attributes this project does not know, by name, as the JSON text they were read as.
    """

    source_ref: str
    original_ref: str | None
    width: int
    height: int
    boxes: tuple[Box, ...]
    human: bool
    creation_date: str
    job_name: str
    provenance: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    def to_line(self, classes: Sequence[str] = ()) -> str:
        """The manifest line, without its line end; unknown attributes come last, byte for byte, in their order.

        `classes` fixes the class ids of a whole manifest; without it they number the classes of this line only.
        A box without confidence is written with 1, because Rekognition refuses a line that lacks one.
        """
        names = list(classes) or sorted({box.label for box in self.boxes})
        confidences = [1 if box.confidence is None else box.confidence for box in self.boxes]
        record: dict[str, Any] = {"source-ref": self.source_ref}
        if self.original_ref is not None:
            record["original-ref"] = self.original_ref
        record[LABELS] = label_value(self.width, self.height, self.boxes, names)
        record[f"{LABELS}-metadata"] = label_metadata(names, confidences, self.human, self.creation_date, self.job_name)
        if self.provenance:
            record["provenance"] = self.provenance
        known = dump_line(record)
        return known[:-1] + "".join(f",{dump_name(name)}:{raw}" for name, raw in self.extra.items()) + "}"

    @staticmethod
    def from_line(line: str, attribute: str = LABELS, classes: Sequence[str] = ()) -> Annotation:
        """The label under `attribute`; InvalidInputError also where the line has none."""
        result = read_labeled(line, attribute, classes)
        if isinstance(result, Labelled):
            return result.annotation
        reason = result.reason if isinstance(result, Failed) else "nobody labelled it"
        raise InvalidInputError(f"line of {result.source_ref}: field '{attribute}' holds no label: {reason}")


@dataclass(frozen=True)
class Labelled:
    annotation: Annotation


@dataclass(frozen=True)
class Failed:
    """Labelling was tried and failed."""

    source_ref: str
    reason: str


@dataclass(frozen=True)
class Unlabelled:
    """Nobody looked: the job was stopped, expired or reached a limit."""

    source_ref: str


def split_lines(text: str) -> list[str]:
    """The lines of a manifest file as they are; not splitlines(), because a key may hold U+2028 and its like."""
    return [line for line in text.split("\n") if line.strip()]


def read_labeled(line: str, attribute: str | None, classes: Sequence[str] = ()) -> Labelled | Failed | Unlabelled:
    """What one output line says: key present = labelled, failure-reason = failed, neither = unlabelled.

    `attribute` None takes the one attribute whose metadata has the bounding-box type. `classes` names class ids that
    no class map on the line names, as in the output of custom tasks.
    """
    if "\n" in line.rstrip("\r\n"):
        raise InvalidInputError("manifest line: one line holds one JSON object, but this one is broken into several")
    record = fields.mapping(fields.parse_json(line, "manifest line"), "manifest line", "(the line)")
    source_ref = fields.text(record, "source-ref", "manifest line")
    context = f"line of {source_ref}"
    name = attribute or box_attribute(record, context)
    if name is None:
        return Unlabelled(source_ref)
    metadata = fields.mapping(record.get(f"{name}-metadata") or {}, context, f"{name}-metadata")
    if record.get(name) is None:
        reason = metadata.get("failure-reason")
        return Unlabelled(source_ref) if reason is None else Failed(source_ref, str(reason))
    value = fields.mapping(record[name], context, name)
    if "error" in value:
        return Failed(source_ref, str(value["error"]))
    size = image_size(value, f"{context}, {name}")
    provenance = fields.mapping(record.get("provenance") or {}, context, "provenance")
    human = fields.choice(metadata, "human-annotated", f"{context}, {name}-metadata", ("yes", "no"))
    known = {"source-ref", "original-ref", "provenance"}
    known |= {pair for own in (LABELS, PROPOSALS, name) for pair in (own, f"{own}-metadata")}
    return Labelled(
        Annotation(
            source_ref=source_ref,
            original_ref=fields.optional_text(record, "original-ref", context),
            width=fields.integer(size, "width", f"{context}, {name}.image_size", minimum=1),
            height=fields.integer(size, "height", f"{context}, {name}.image_size", minimum=1),
            boxes=read_boxes(value, metadata, classes, f"{context}, {name}"),
            human=human == "yes",
            creation_date=either(metadata, "creation-date", "creation_date", context),
            job_name=either(metadata, "job-name", "job_name", context),
            provenance=provenance,
            extra=raw_attributes(line, known) if record.keys() - known else {},
        )
    )


def proposal_line(
    source_ref: str,
    width: int,
    height: int,
    boxes: Sequence[Box] | None,
    classes: Sequence[str],
    model: str,
    original_ref: str | None = None,
) -> dict[str, Any]:
    """A labelling job's input line with the model's boxes for people to correct, in whole pixels inside the image.

    `boxes` None means that no model looked: the line proposes nothing. Ground Truth's limits on an attribute value
    and on a line (sms-input-data-input-manifest) decide how many boxes fit: the most confident stay. Boxes of another
    class than `classes`, or outside the image, cannot be shown. `dropped` in the metadata counts those left out.
    """
    head = (
        {"source-ref": source_ref} if original_ref is None else {"source-ref": source_ref, "original-ref": original_ref}
    )
    if boxes is None:
        return head
    placed = [_whole_pixels(box, width, height) for box in boxes if box.label in classes]
    shown = sorted((box for box in placed if box), key=lambda box: (-(box.confidence or 0.0), _place(box), box.label))

    def line(count: int) -> dict[str, Any]:
        confidences = [round(box.confidence or 0.0, 4) for box in shown[:count]]
        metadata = label_metadata(classes, confidences, False, "", model)
        value = label_value(width, height, shown[:count], classes)
        return {**head, PROPOSALS: value, f"{PROPOSALS}-metadata": {**metadata, "dropped": len(boxes) - count}}

    fitting, too_many = 0, len(shown) + 1
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fitting, too_many = (middle, too_many) if _within_limits(line(middle)) else (fitting, middle)
    if not _within_limits(line(fitting)):
        raise InvalidInputError(f"proposal for {source_ref}: field 'class-map' alone exceeds Ground Truth's limits")
    return line(fitting)


def _within_limits(line: dict[str, Any]) -> bool:
    values_fit = all(len(dump_line({"": value})) <= MOST_VALUE_CHARACTERS for value in line.values())
    return values_fit and len(dump_line(line)) <= MOST_LINE_CHARACTERS


def _whole_pixels(box: Box, width: int, height: int) -> Box | None:
    """The box with its edges on whole pixels and inside the image, at least one pixel wide and high; None outside."""
    left, right = max(0, round(box.left)), min(width, round(box.left + box.width))
    top, bottom = max(0, round(box.top)), min(height, round(box.top + box.height))
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return None
    return Box(box.label, left, top, max(1, right - left), max(1, bottom - top), box.confidence)


def _place(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height
