"""Annotation manifests: one augmented-manifest line per labelled image <-> Annotation.

The format is SageMaker's, as Ground Truth writes it and Rekognition Custom Labels reads it (developer guides:
sms-data-output, md-create-manifest-file-object-detection). Real files vary, so the reader takes: any key order,
`job-name` or `job_name`, `creation-date` or `creation_date`, no confidence, fractional pixels, and a class map of only
the classes on the line. A confidence never decides anything: single-worker jobs report 0 for every human label.
A label is of one kind of marks (marks.py), which its value tells. All are canonical pixels. Errors: InvalidInputError
naming the line's image and the field.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labelloop.contracts import fields, marks
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.augmented import (
    BOXES,
    KEY_POINTS,
    dump_name,
    either,
    image_size,
    label_metadata,
    raw_attributes,
)
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, Person, dump_line

_OWN = ("source-ref", "original-ref", "provenance")


@dataclass(frozen=True)
class Annotation:
    """What is in one image, and who says so; no marks means that nothing is there, not that nobody looked.

    `marks` are those of the task.
    `adjustment` is what people changed of the pre-label they were shown; None where they were shown none.
    `extra` holds the attributes this project does not know, by name, as the JSON text they were read as.
    """

    source_ref: str
    original_ref: str | None
    width: int
    height: int
    marks: tuple[Any, ...]
    human: bool
    creation_date: str
    job_name: str
    provenance: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    task: str = BOXES
    adjustment: Adjustment | None = None

    @property
    def boxes(self) -> tuple[Box, ...]:
        """None where other things than boxes are marked."""
        return tuple(mark for mark in self.marks if isinstance(mark, Box))

    @property
    def people(self) -> tuple[Person, ...] | None:
        """None where other things than people are marked."""
        return self.marks if self.task == KEY_POINTS else None

    def to_line(self, classes: Sequence[str] = ()) -> str:
        """The manifest line, without its line end; unknown attributes come last, byte for byte, in their order.

        `classes` fixes the class ids of a whole manifest; without it they number the classes of this line only.
        For key points they are the names of the points. A mark without confidence is written with 1, because
        Rekognition refuses a line that lacks one.
        """
        kind, name = marks.of(self.task), self.task
        names = list(classes) or sorted({each for mark in self.marks for each in kind.names(mark)})
        value = kind.value(self.width, self.height, self.marks, names)
        confidences = [1 if sure is None else sure for sure in kind.confidences(self.marks)]
        metadata = label_metadata(names, confidences, self.human, self.creation_date, self.job_name, kind.type)
        record: dict[str, Any] = {"source-ref": self.source_ref}
        if self.original_ref is not None:
            record["original-ref"] = self.original_ref
        record[name] = value
        record[f"{name}-metadata"] = metadata | (self.adjustment.to_metadata() if self.adjustment else {})
        if self.provenance:
            record["provenance"] = self.provenance
        known = dump_line(record)
        return known[:-1] + "".join(f",{dump_name(name)}:{raw}" for name, raw in self.extra.items()) + "}"

    @property
    def training_ref(self) -> str:
        """Where a training job has the image from: a copy under a name of ours, or, in what earlier versions assembled,
        the image itself.
        """
        return str(json.loads(self.extra["training-ref"])) if "training-ref" in self.extra else self.source_ref

    @staticmethod
    def from_line(line: str, attribute: str | None = None, classes: Sequence[str] = ()) -> Annotation:
        """The label under `attribute`; InvalidInputError also where the line has none.

        Without `attribute`, the label of a line that `to_line` wrote: under the name of its task.
        """
        record, context = _parse(line)
        name = attribute or marks.own_attribute(record)
        result = _read(record, line, name, classes, context)
        if isinstance(result, Labelled):
            return result.annotation
        reason = result.reason if isinstance(result, Failed) else "nobody labelled it"
        raise InvalidInputError(f"{context}: field '{name}' holds no label: {reason}")


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

    `attribute` None takes the one attribute of a line from elsewhere that holds a label. `classes` names
    class ids that no class map on the line names, as in the output of custom tasks.
    """
    record, context = _parse(line)
    name = attribute or marks.label_attribute(record, context)
    return _read(record, line, name, classes, context) if name else Unlabelled(record["source-ref"])


def _parse(line: str) -> tuple[dict[str, Any], str]:
    """The line's attributes, and how errors call it."""
    if "\n" in line.rstrip("\r\n"):
        raise InvalidInputError("manifest line: one line holds one JSON object, but this one is broken into several")
    record = fields.mapping(fields.parse_line(line, "manifest line"), "manifest line", "(the line)")
    return record, f"line of {fields.text(record, 'source-ref', 'manifest line')}"


def _read(
    record: dict[str, Any], line: str, name: str, classes: Sequence[str], context: str
) -> Labelled | Failed | Unlabelled:
    source_ref: str = record["source-ref"]
    metadata = fields.mapping(record.get(f"{name}-metadata") or {}, context, f"{name}-metadata")
    if record.get(name) is None:
        reason = metadata.get("failure-reason")
        return Unlabelled(source_ref) if reason is None else Failed(source_ref, str(reason))
    value = fields.mapping(record[name], context, name)
    if "error" in value:
        return Failed(source_ref, str(value["error"]))
    where = f"{context}, {name}"
    size = image_size(value, where)
    human = fields.choice(metadata, "human-annotated", f"{where}-metadata", ("yes", "no"))
    kind = marks.of_value(value, name)
    labels = (*marks.KNOWN, *map(marks.proposals, marks.KNOWN), name)
    known = {*_OWN, *(pair for own in labels for pair in (own, f"{own}-metadata"))}
    return Labelled(
        Annotation(
            source_ref=source_ref,
            original_ref=fields.optional_text(record, "original-ref", context),
            width=fields.integer(size, "width", f"{where}.image_size", minimum=1),
            height=fields.integer(size, "height", f"{where}.image_size", minimum=1),
            marks=kind.read(value, metadata, classes, where),
            human=human == "yes",
            creation_date=either(metadata, "creation-date", "creation_date", context),
            job_name=either(metadata, "job-name", "job_name", context),
            provenance=_provenance(record, context),
            extra=raw_attributes(line, known) if record.keys() - known else {},
            task=kind.task,
            adjustment=Adjustment.from_metadata(metadata, f"{where}-metadata"),
        )
    )


def _provenance(record: dict[str, Any], context: str) -> dict[str, Any]:
    """It is passed on as it is, so it must be something that can be written."""
    given = fields.mapping(record.get("provenance") or {}, context, "provenance")
    try:
        dump_line(given).encode("utf-8")
    except (ValueError, RecursionError):  # also half a surrogate pair
        expected = "JSON of finite numbers and whole characters"
        raise fields.refuse(context, "provenance", expected, given) from None
    return given
