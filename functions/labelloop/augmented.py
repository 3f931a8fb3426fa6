"""The pieces of an augmented-manifest line: label values, label metadata, and attributes passed through as text.

The format is SageMaker's, as Ground Truth writes it and Rekognition Custom Labels reads it (developer guides:
sms-data-output, md-create-manifest-file-object-detection). Boxes are left/top/width/height in canonical pixels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from labelloop import fields
from labelloop.errors import InvalidInputError
from labelloop.records import Box

OBJECT_DETECTION = "groundtruth/object-detection"
PROPOSALS = "proposed-boxes"
_BLANK = re.compile(r"[ \t\r\n]*")


def label_value(width: int, height: int, boxes: Sequence[Box], classes: Sequence[str]) -> dict[str, Any]:
    """The value of a bounding-box attribute; a box of a class that is not listed raises InvalidInputError."""
    ids = {name: index for index, name in enumerate(classes)}
    annotations = []
    for box in boxes:
        if box.label not in ids:
            raise InvalidInputError(f"box: field 'label' must be one of {', '.join(classes)}, but is '{box.label}'")
        sides = {side: whole_or_fraction(getattr(box, side)) for side in ("left", "top", "width", "height")}
        annotations.append({"class_id": ids[box.label], **sides})
    return {"image_size": [{"width": width, "height": height, "depth": 3}], "annotations": annotations}


def whole_or_fraction(value: float) -> int | float:
    """Whole numbers without a decimal point, as Ground Truth writes them."""
    return int(value) if float(value).is_integer() else float(value)


def dump_name(name: str) -> str:
    return json.dumps(name, ensure_ascii=not fields.is_storable(name))


def label_metadata(
    classes: Sequence[str], confidences: Sequence[float], human: bool, creation_date: str, job_name: str
) -> dict[str, Any]:
    """The metadata beside a label value; a date or job name of "" is left out."""
    metadata = {
        "objects": [{"confidence": whole_or_fraction(confidence)} for confidence in confidences],
        "class-map": {str(index): name for index, name in enumerate(classes)},
        "type": OBJECT_DETECTION,
        "human-annotated": "yes" if human else "no",
    }
    origin = {"creation-date": creation_date, "job-name": job_name}
    return {**metadata, **{name: value for name, value in origin.items() if value}}


def box_attribute(record: Mapping[str, Any], context: str) -> str | None:
    """The one label attribute of a line from elsewhere; None where the line has no label at all."""
    described = {
        key.removesuffix("-metadata"): value
        for key, value in record.items()
        if key.endswith("-metadata") and isinstance(value, dict) and key != f"{PROPOSALS}-metadata"
    }
    names = [name for name, metadata in described.items() if metadata.get("type") == OBJECT_DETECTION]
    names = names or [name for name, metadata in described.items() if "failure-reason" in metadata]
    if len(names) > 1:
        raise InvalidInputError(f"{context}: several attributes hold boxes ({', '.join(names)}); name the one to read")
    return names[0] if names else None


def read_boxes(
    value: Mapping[str, Any], metadata: Mapping[str, Any], classes: Sequence[str], context: str
) -> tuple[Box, ...]:
    names: dict[str, Any] = {str(index): name for index, name in enumerate(classes)}
    for source in (value, metadata):  # the line's own maps win over the job's class list, the metadata's over both
        names.update(fields.mapping(source.get("class-map") or {}, context, "class-map"))
    objects = metadata.get("objects") or value.get("objects") or []
    boxes = []
    for index, annotation in enumerate(fields.sequence(value, "annotations", context)):
        where = f"{context}.annotations[{index}]"
        annotation = fields.mapping(annotation, where, "annotations")
        class_id = annotation.get("class_id")
        key = str(int(class_id)) if isinstance(class_id, float) and class_id.is_integer() else str(class_id)
        if key not in names:
            raise InvalidInputError(f"{where}: field 'class_id' is {key!r:.40}, which no class map names")
        stated = objects[index] if isinstance(objects, list) and index < len(objects) else {}
        confidence = fields.optional_number(fields.mapping(stated, where, "objects"), "confidence", where, 0, 1)
        label = fields.text(names, key, f"{context}, class-map")
        boxes.append(Box.from_json({**annotation, "class": label, "confidence": confidence}, where))
    return tuple(boxes)


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
