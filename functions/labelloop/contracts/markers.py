"""The marker `incoming/<prefix>/_READY.json`: what a person says about the batch that lies beside it."""

import json
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.naming import READY

MOST_BYTES = 64_000_000
MOST_NAMES = 500_000
MOST_COUNTED = 1_000_000_000


@dataclass(frozen=True)
class Marker:
    """`count`: how many images must be there. `names`: exactly these, relative to the prefix. `labels`: a manifest
    of human labels, and `attribute` which of its attributes to read, where several hold labels.
    """

    count: int | None = None
    names: tuple[str, ...] | None = None
    labels: str = ""
    attribute: str = ""


def prefix_of(key: str) -> str:
    """`incoming/<prefix>/` of a marker key. Raises InvalidInputError for any other key."""
    prefix, slash, name = key.rpartition("/")
    if name != READY or not slash or not prefix.startswith("incoming/") or prefix == "incoming/":
        raise InvalidInputError(f"{key!r} is not a marker: expected incoming/<prefix>/{READY}")
    return prefix + "/"


def parse(body: bytes, where: str) -> Marker:
    """`{}`, `{"count": n}`, `{"labels": "<manifest>"}`, both, or a list of names.

    Raises InvalidInputError naming the field.
    """
    try:
        value: Any = json.loads(body or b"{}")
    except RecursionError as error:
        raise InvalidInputError(f"{where} is nested too deep: write {{}} for everything under the prefix") from error
    except ValueError as error:
        raise InvalidInputError(f"{where} is not JSON ({error}): write {{}} for everything under the prefix") from error
    if isinstance(value, list):
        return Marker(names=_names(value, where))
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where}: expected an object or a list of names, found {type(value).__name__}")
    unknown = sorted(set(value) - {"count", "labels", "images", "attribute"})
    if unknown:
        named = fields.shown(unknown[0])
        raise InvalidInputError(f"{where}: unknown field {named}; known are attribute, count, images, labels")
    count, labels = value.get("count"), value.get("labels", "")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_COUNTED):
        raise InvalidInputError(f"{where}: count must be a whole number from 0, found {fields.shown(count)}")
    if not isinstance(labels, str):
        raise InvalidInputError(f"{where}: labels must name a manifest, found {fields.shown(labels)}")
    attribute = value.get("attribute", "")
    if not isinstance(attribute, str) or (attribute and not labels):
        raise InvalidInputError(
            f"{where}: attribute names which label of the manifest `labels` to read, found {fields.shown(attribute)}"
        )
    names = _names(value["images"], where) if "images" in value else None
    return Marker(count, names, labels, attribute)


def check_complete(marker: Marker, found: list[str], prefix: str, side_files: int = 0) -> None:
    """Raises InvalidInputError when what the marker announces is not there: the upload is not finished. `side_files`
    lie beside the images and do not count.
    """
    again = f"upload the rest, then put {prefix}{READY} again"
    if marker.names is not None:
        missing = sorted(set(marker.names) - set(found))
        if missing:
            raise InvalidInputError(
                f"{len(missing)} of {len(marker.names)} announced images are missing, first {missing[0]!r}: {again}"
            )
    if marker.count is not None and marker.count != len(found):
        beside = f" beside {side_files} files that are not pictures and do not count" if side_files else ""
        raise InvalidInputError(f"the marker announces {marker.count} images, {len(found)} are there{beside}: {again}")


def _names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list) and len(value) > MOST_NAMES:
        raise InvalidInputError(f"{where}: it lists {len(value):,} names, at most {MOST_NAMES:,} are read")
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise InvalidInputError(f"{where}: the list of images must hold names relative to the prefix")
    return tuple(value)
