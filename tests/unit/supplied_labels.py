"""Label manifests as people bring them along, and what Import Labels makes of one."""

import json

from handling import PREFIX, handle, mark, registered, upload
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.store import storage

NAMES = [f"{number:02d} ü+%20.png" for number in range(3)]


def record(name: str = NAMES[0], **changed) -> dict:
    box = {"label": "head", "left": 1, "top": 2, "width": 30, "height": 20, **changed.pop("box", {})}
    size, human = changed.pop("size", (64, 48)), changed.pop("human", True)
    label = Annotation(name, None, *size, (Box(**box),), human, "2026-11-20T10:00:00", "theirs")
    return {
        **json.loads(label.to_line(("head", "bag") if box["label"] in ("head", "bag") else (box["label"],))),
        **changed,
    }


def lines(*records: dict) -> bytes:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records).encode()


def imported(body: bytes, count: int = 3, **marker: str | list[str]) -> dict:
    """What Import Labels says of the manifest; `error` where it stops the batch."""
    upload(count)
    storage.write(f"{PREFIX}labels.manifest", body)
    state = registered(mark(json.dumps({"labels": "labels.manifest", **marker}).encode()))
    batch, uri = state["batch"]["id"], state["batch"]["labels_uri"]
    try:
        told = dict(handle("import_labels", batch_id=batch, labels_uri=uri))
    except InvalidInputError as error:
        told = {"labels": 0, "error": str(error)}
    refused = storage.find_lines(f"{Files(batch).labeling(0)}/import-errors.jsonl") or []
    made = storage.find_lines(f"{Files(batch).labeling(0)}/output.manifest") or []
    return {**told, "errors": [each["error"] for each in refused], "made": made, "batch": batch}


def boxes(told: dict) -> list[dict]:
    return [box for line in told["made"] for box in line["human-boxes"]["annotations"]]
