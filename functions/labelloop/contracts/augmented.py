"""The pieces of an augmented-manifest line: label values, label metadata, and attributes passed through as text.

The format is SageMaker's, as Ground Truth writes it and Rekognition Custom Labels reads it (developer guides:
sms-data-output, md-create-manifest-file-object-detection). The value of key points is people_values.py's. All pixels
are canonical pixels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box

BOXES, KEY_POINTS = "boxes", "key-points"
PROPOSALS, PROPOSED_KEY_POINTS = "proposed-boxes", "proposed-key-points"
OBJECT_DETECTION, CUSTOM = "groundtruth/object-detection", "groundtruth/custom"
MOST_MARKS = 10_000  # in one image: five people's answers of 2,000 each, if they agree on none
_BLANK = re.compile(r"[ \t\r\n]*")


def label_value(width: int, height: int, boxes: Sequence[Box], classes: Sequence[str]) -> dict[str, Any]:
    """The value of a bounding-box attribute; a box of a class that is not listed raises InvalidInputError."""
    annotations = []
    for box in boxes:
        sides = {side: whole_or_fraction(getattr(box, side)) for side in ("left", "top", "width", "height")}
        annotations.append({"class_id": class_id_of(box.label, classes, "box"), **sides})
    return {"image_size": [{"width": width, "height": height, "depth": 3}], "annotations": annotations}


def class_id_of(label: str, classes: Sequence[str], context: str) -> int:
    if label not in classes:
        raise InvalidInputError(
            f"{context}: field 'label' must be one of {', '.join(classes)}, but is {fields.shown(label)}"
        )
    return list(classes).index(label)


def whole_or_fraction(value: float) -> int | float:
    """Whole numbers without a decimal point, as Ground Truth writes them."""
    return int(value) if float(value).is_integer() else float(value)


def dump_name(name: str) -> str:
    return json.dumps(name, ensure_ascii=not fields.is_storable(name))


def label_metadata(
    classes: Sequence[str],
    confidences: Sequence[float],
    human: bool,
    creation_date: str,
    job_name: str,
    kind: str = OBJECT_DETECTION,
) -> dict[str, Any]:
    """The metadata beside a label value; `kind` is its `type`, and a date or job name of "" is left out."""
    metadata = {
        "objects": [{"confidence": whole_or_fraction(confidence)} for confidence in confidences],
        "class-map": {str(index): name for index, name in enumerate(classes)},
        "type": kind,
        "human-annotated": "yes" if human else "no",
    }
    origin = {"creation-date": creation_date, "job-name": job_name}
    return {**metadata, **{name: value for name, value in origin.items() if value}}


def read_boxes(
    value: Mapping[str, Any], metadata: Mapping[str, Any], classes: Sequence[str], context: str
) -> tuple[Box, ...]:
    return tuple(
        Box.from_json({**annotation, "class": label, "confidence": confidence}, where)
        for annotation, label, confidence, where in annotations_of(value, metadata, classes, context)
    )


def annotations_of(
    value: Mapping[str, Any], metadata: Mapping[str, Any], classes: Sequence[str], context: str
) -> Iterator[tuple[dict[str, Any], str, float | None, str]]:
    """(annotation, class name, confidence, context for errors) of every annotation of a label value."""
    names: dict[str, Any] = {str(index): name for index, name in enumerate(classes)}
    for source in (value, metadata):  # the line's own maps win over the job's class list, the metadata's over both
        names.update(fields.mapping(source.get("class-map") or {}, context, "class-map"))
    objects = metadata.get("objects") or value.get("objects") or []
    listed = fields.sequence(value, "annotations", context)
    if len(listed) > MOST_MARKS:
        raise fields.refuse(context, "annotations", f"a list of at most {MOST_MARKS:,}", listed)
    for index, annotation in enumerate(listed):
        where = f"{context}.annotations[{index}]"
        annotation = fields.mapping(annotation, where, "annotations")
        class_id = annotation.get("class_id")
        key = str(int(class_id)) if isinstance(class_id, float) and class_id.is_integer() else str(class_id)
        if key not in names:
            raise InvalidInputError(f"{where}: field 'class_id' is {key!r:.40}, which no class map names")
        stated = objects[index] if isinstance(objects, list) and index < len(objects) else {}
        confidence = fields.optional_number(fields.mapping(stated, where, "objects"), "confidence", where, 0, 1)
        yield annotation, fields.text(names, key, f"{context}, class-map"), confidence, where


def raw_attributes(line: str, known: set[str]) -> dict[str, str]:
    """The JSON text of every attribute not in `known`; the line has been parsed, so it is a well-formed object."""
    decoder, raw = json.JSONDecoder(), {}
    position = _after_blank(line, line.index("{") + 1)
    while line[position] != "}":
        name, position = decoder.raw_decode(line, position)
        start = _after_blank(line, _after_blank(line, position) + 1)
        _, position = decoder.raw_decode(line, start)
        if name not in known:
            raw[name] = line[start:position]
        position = _after_blank(line, position)
        if line[position] == ",":
            position = _after_blank(line, position + 1)
    return raw


def _after_blank(line: str, position: int) -> int:
    match = _BLANK.match(line, position)
    return match.end() if match else position


def image_size(value: Mapping[str, Any], context: str) -> dict[str, Any]:
    listed = fields.sequence(value, "image_size", context)
    if len(listed) != 1:
        raise fields.refuse(context, "image_size", "a list of exactly one size", listed)
    return fields.mapping(listed[0], context, "image_size")


def either(metadata: Mapping[str, Any], name: str, other: str, context: str) -> str:
    return fields.optional_text(metadata, name, context) or fields.optional_text(metadata, other, context) or ""
