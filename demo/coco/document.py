"""The JSON of a COCO file, or which other format somebody took for one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from demo.coco.entries import CocoError, short

LISTS = ("images", "annotations", "categories")
INSTEAD = (
    "It must be JSON with the lists 'images', 'annotations' and 'categories'; export your labels as 'COCO detection' "
    "and pass that file."
)


def parse(body: bytes, where: str) -> dict[str, Any]:
    """The COCO object of a file; UTF-8 or UTF-16, with or without BOM. Raises CocoError, naming the format it is."""
    if body[:2] in (b"\x1f\x8b", b"PK"):
        raise CocoError(f"{where} is compressed: unpack it and pass the COCO file inside.")
    try:
        document = json.loads(body, object_pairs_hook=lambda pairs: _object(pairs, where))
    except CocoError:
        raise
    except (ValueError, RecursionError) as error:
        raise CocoError(f"{where} is not a COCO file ({_other_text(body) or short(error)}). {INSTEAD}") from error
    missing = [name for name in LISTS if not isinstance(document, dict) or name not in document]
    if missing:
        raise CocoError(f"{where} is not a COCO file ({_other_json(document, missing)}). {INSTEAD}")
    for name in LISTS:
        entries = document[name]
        if not isinstance(entries, list):
            raise CocoError(f"{where} is not a COCO file ('{name}' is not a list). {INSTEAD}")
        odd = next((index for index, entry in enumerate(entries) if not isinstance(entry, dict)), None)
        if odd is not None:
            raise CocoError(f"{where}: {name}[{odd}] is {short(entries[odd])}, and must be an object.")
    return dict(document)


def _object(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    """Python's reader keeps the last of two equal keys. Raises CocoError where that loses anything."""
    found = dict(pairs)
    if len(found) != len(pairs):
        lost = next((key for key, value in pairs if found[key] != value), None)
        if lost is not None:
            raise CocoError(
                f"{where} has one JSON object with the key {short(lost)} twice, and only one can be read: put them "
                "together, or take one out."
            )
    return found


def _other_text(body: bytes) -> str:
    start = body[:2000].decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if start.startswith("<"):
        return "it is XML, as Pascal VOC and CVAT write it" if "<annotation" in start else "it is XML or HTML"
    if re.match(r"\d+( +[0-9.eE+-]+){4,}\s*(\n|$)", start):
        return "it looks like the labels of one picture for YOLO"
    if start.startswith("{") and '"source-ref"' in start:
        return 'it is an augmented manifest of SageMaker: name it as "labels" in a marker instead'
    return ""


def _other_json(document: Any, missing: Sequence[str]) -> str:
    first = document[0] if isinstance(document, list) and document and isinstance(document[0], dict) else {}
    keys = set(document) if isinstance(document, dict) else set()
    if {"data", "annotations"} <= set(first) or {"data", "completions"} <= set(first):
        return "it is Label Studio's JSON"
    if {"image_id", "bbox"} <= set(first):
        return "it is a COCO results file: predictions without pictures and categories"
    if {"shapes", "imagePath"} <= keys:
        return "it is LabelMe's JSON of one picture"
    parts = list(document.values()) if keys else []
    if "_via_img_metadata" in keys or any(isinstance(each, dict) and "regions" in each for each in parts):
        return "it is VIA's JSON"
    if "source-ref" in keys:
        return 'it is a line of an augmented manifest of SageMaker: name the manifest as "labels" in a marker instead'
    if isinstance(document, dict):
        return f"it has no {' and no '.join(repr(name) for name in missing)}"
    return f"it is a JSON {'list' if isinstance(document, list) else 'value'}, not an object"
