"""Model versions and the pointer `models/champion`.

The pointer: {"version", "endpoint", "engine", "thresholds_uri", "dataset", "previous"}; after a rollback also
"rolled_back". What names no engine is of version 0.1, and so YOLO's.
"""

import re
from collections.abc import Mapping
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.errors import TransientError
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.store import aws, immutable, storage
from labelloop.store.storage import Pointer

CHAMPION = "models/champion"
_VERSION = re.compile(r"v\d{6,}-[0-9a-f]{8}")


def champion() -> Pointer | None:
    return storage.read_pointer(CHAMPION)


def serving(prefix: str) -> list[str]:
    """The champion's endpoint, then its predecessor's; empty without a champion."""
    pointer = champion()
    known = [pointer.value["version"], pointer.value["previous"]] if pointer else []
    return [naming.endpoint(prefix, each) for each in known if each]


def versions() -> list[str]:
    """Every version that exists, oldest first."""
    pages = (
        aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix="models/v", Delimiter="/")
    )
    folders = (entry["Prefix"].split("/")[1] for page in pages for entry in page.get("CommonPrefixes", ()))
    return [folder for folder in folders if _VERSION.fullmatch(folder)]


def next_number() -> int:
    """One more than the highest version that exists; safe because only the holder of the training lock asks."""
    return max((int(each[1:].partition("-")[0]) for each in versions()), default=0) + 1


def version(number: int, description: ModelDescription) -> str:
    """`v<6 digits>-<8 hex of the weights>`."""
    return f"v{number:06d}-{naming.digest(description.weights_sha256)}"


def engine_of(version: str) -> str:
    """The engine that serves it, from its card; cards of version 0.1 name none."""
    return str(_card(version).get("engine", "yolo"))


def start_of(version: str) -> str:
    """What it was trained from, from its card: base | champion | random; empty where that is not known."""
    return str(_card(version).get("start", "")) if version else ""


def thresholds_key(version: str, dataset_version: str) -> str:
    """Thresholds are fitted to a dataset version, so a model version may have several; each is immutable."""
    return f"models/{version}/thresholds/{dataset_version or 'none'}.json"


def flip(seen: Pointer | None, value: Mapping[str, Any]) -> None:
    """Moves the champion pointer. Raises TransientError when somebody else moved it: read again and decide again."""
    if not storage.flip_pointer(CHAMPION, value, seen):
        raise TransientError("the champion pointer moved meanwhile")


def _card(version: str) -> dict[str, Any]:
    return immutable.find_json(f"models/{version}/card.json") or {}


def _bucket() -> str:
    return storage.split(storage.uri(CHAMPION))[0]
