"""Example pictures for the report: what the model labelled, what people labelled, what was rejected and why."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labelloop import tasks
from labelloop.contracts.records import Box, Person
from PIL import Image

from demo import words
from demo.evaluate import Judged

SHOWN = 8
WIDEST, QUALITY = 360, 74
MOST_PIXELS_OPENED = 20_000_000
T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """`picture` is a data URI, None where the file holds none that can be shown; marks, boxes or people, are
    in pixels of `size`.
    """

    outcome: str
    name: str
    caption: str
    picture: str | None
    size: tuple[int, int]
    marks: tuple[Box | Person, ...] = ()
    truth: tuple[Box | Person, ...] = ()


def examples(judged: Sequence[Judged], rejected: Mapping[str, str], read: Callable[[str], bytes]) -> list[Example]:
    """Up to 8 each. `rejected`: key -> why; `read` gives the bytes of an `s3://` reference or of an uploaded key.

    Machine labels are spread evenly from the worst to the best, human labels over the batch in key order.
    """
    auto = sorted((image for image in judged if not image.label.human), key=lambda image: (image.quality, image.key))
    human = sorted((image for image in judged if image.label.human), key=lambda image: image.key)
    shown = [_labelled(image, read(image.label.source_ref)) for image in (*_spread(auto), *_spread(human))]
    return shown + [_rejected(key, rejected[key], read(key)) for key in _kinds(rejected)]


def _spread(items: Sequence[T]) -> list[T]:
    """Up to 8 of the items, evenly spaced, first and last included."""
    if len(items) <= SHOWN:
        return list(items)
    return [items[round(place * (len(items) - 1) / (SHOWN - 1))] for place in range(SHOWN)]


def _kinds(rejected: Mapping[str, str]) -> list[str]:
    """Keys to show: one of every reason before a second of any."""
    seen: dict[str, int] = {}
    ranked = []
    for key in sorted(rejected):
        reason = rejected[key].partition(":")[0]
        seen[reason] = seen.get(reason, 0) + 1
        ranked.append((seen[reason], key))
    return [key for _, key in sorted(ranked)[:SHOWN]]


def _labelled(image: Judged, data: bytes) -> Example:
    label = image.label
    marks, called = label.marks, words.OF[tasks.of(label.task).name]
    count = called.counted(len(marks))
    if label.human:
        role = str(label.provenance.get("role", ""))
        caption = f"{count}, round {label.provenance.get('round', '?')}, {_ROLES.get(role, role)}"
    else:
        caption = f"{called.measure} with the truth {image.quality:.2f}, {count}"
    outcome = "human" if label.human else "auto"
    size = (label.width, label.height)
    return Example(outcome, _name(image.key), caption, _data_uri(data), size, marks, image.truth)


_ROLES = {"train": "trains", "judge": "judges"}


def _rejected(key: str, reason: str, data: bytes) -> Example:
    picture = _data_uri(data)
    return Example("rejected", _name(key), f"{reason} ({_bytes(len(data))})", picture, (4, 3))


def _data_uri(data: bytes) -> str | None:
    """A small JPEG of the file; None where it cannot be opened or would take too much memory."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is looked at below
            with Image.open(io.BytesIO(data)) as opened:
                if opened.width * opened.height > MOST_PIXELS_OPENED:
                    return None
                picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((WIDEST, WIDEST))
    small = io.BytesIO()
    picture.save(small, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode("ascii")


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _bytes(count: int) -> str:
    return f"{count} bytes" if count < 1000 else f"{count / 1000:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
