"""Batches of pictures with the same bytes, and labels of the same content."""

import json

from batch_rounds import asked_in
from handling import PREFIX, execution, handle, mark, picture, registered
from labelloop.batch import batches
from labelloop.contracts.manifests import Annotation
from labelloop.store import storage

ELSEWHERE = "incoming/week 2/"


def batch_of(files: dict[str, int], prefix: str = PREFIX, name: str = "one") -> str:
    """Registers a batch of pictures, name -> shade; the same shade is the same bytes."""
    for file, shade in files.items():
        storage.write(prefix + file, picture(shade))
    return registered(mark(prefix=prefix), name)["batch"]["id"]


def labels(batch: str, number: int = 1) -> dict[str, Annotation]:
    made = batches.round_annotations(batch, number)
    return {label.source_ref.rpartition("/")[2]: label for label in made}


def asked(batch: str, number: int = 1) -> list[str]:
    return sorted(line["source-ref"].rpartition("/")[2] for line in asked_in(batch, number))


def report(batch: str) -> dict:
    handle("report_batch", batch_id=batch, execution=execution(f"report-{batch}"))
    return storage.read_json(f"batches/{batch}/summary.json")


def image(key: str, content: str, sampled: bool) -> batches.Image:
    item = batches.InventoryItem(key, None, "etag", 1, 0.5, sampled, 0.5)
    return batches.Image(item, batches.Inspection(key, "ok", f"s3://b/{key}", None, None, content, 64, 48))


def line(content: str) -> str:
    label = Annotation(f"s3://b/old/{content}", None, 64, 48, (), True, "2026-01-01T00:00:00", "job")
    return json.dumps({**json.loads(label.to_line(("head",))), "provenance": {"sha256": content, "role": "train"}})


def dated(place: str, month: str, **provenance: object) -> str:
    record = json.loads(line("A"))
    record["boxes-metadata"]["creation-date"] = f"2026-{month}-01T00:00:00.000000"
    record["provenance"] |= provenance
    return json.dumps({**record, "source-ref": f"s3://b/{place}"})
