"""The file of a label manifest that people bring along: JSON lines, or the same objects in an array or pretty-printed.

Pure. UTF-8 or UTF-16; a file that is not a manifest at all is refused with what to give instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from labelloop.contracts.errors import InvalidInputError

MOST_BYTES = 200_000_000
INSTEAD = "give an augmented manifest: one JSON object per line with source-ref, the label and its metadata"


def objects(body: bytes) -> list[tuple[int, str]]:
    """(line number, JSON text on one line) of every object of the file; malformed text comes as the lines it has.

    Raises InvalidInputError for a file that is not a manifest at all, saying what to give instead.
    """
    text = _text(body)
    found = _sequence(text)
    if found is None:
        found = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(found) == 1:
        _refuse_other_formats(found[0][1])
    return found


def _text(body: bytes) -> str:
    if len(body) > MOST_BYTES:
        raise InvalidInputError(
            f"the manifest has {len(body):,} bytes, at most {MOST_BYTES:,} are read: split the batch"
        )
    if body.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        raise InvalidInputError(f"the manifest is compressed: unpack it; {INSTEAD}")
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"the manifest is not UTF-8 text ({error}): save it as UTF-8") from None


def _sequence(text: str) -> list[tuple[int, str]] | None:
    """The objects of a text that holds nothing else: one after another, or in arrays; None for any other text."""
    found: list[tuple[int, str]] = []
    decoder, position, line = json.JSONDecoder(), 0, 1
    try:
        while True:
            start = position
            while position < len(text) and text[position] in " \t\r\n,":
                position += 1
            line += text.count("\n", start, position)
            if position == len(text):
                return found
            value, end = decoder.raw_decode(text, position)
            found += [(line, _one_line(text[position:end], each)) for each in _members(value)]
            line += text.count("\n", position, end)
            position = end
    except (ValueError, RecursionError):
        return None


def _members(value: Any) -> Iterator[Any]:
    if not isinstance(value, list | dict):
        raise ValueError("not objects")
    yield from value if isinstance(value, list) else [value]


def _one_line(text: str, value: Any) -> str:
    return text if text.startswith("{") and "\n" not in text else json.dumps(value, ensure_ascii=False)


def _refuse_other_formats(line: str) -> None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(record, dict):
        return
    if {"images", "annotations", "categories"} <= set(record):
        return  # COCO's, which supplied_coco unfolds
    if {"images", "annotations"} <= set(record):
        raise InvalidInputError(f"the file is COCO JSON without 'categories': {INSTEAD}, or a whole COCO file")
    if {"shapes", "imagePath"} <= set(record):
        raise InvalidInputError(f"the file is LabelMe JSON, not a manifest: {INSTEAD}, or a COCO file")
    if "source-ref" not in record and "annotations" in record:
        raise InvalidInputError(f"the file holds annotations, but no object with source-ref: {INSTEAD}")
