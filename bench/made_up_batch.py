"""What a batch's functions find in the bucket: what people uploaded, what inspection, the model and people said.

Written line by line, so that whoever starts the measured processes stays small. Keys, hashes and numbers have the
lengths that they have in a stack; all are made from the image's number.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from labelloop.contracts import naming
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, Inspection, InventoryItem, dump_line
from labelloop.tasks.boxes import ANSWER_ATTRIBUTE

from bench.batch_step import BUCKET
from bench.file_store import ROWS, UPLOADED, FileS3, answers_of

PREFIX = "incoming/week 1/"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:labelloop-LabelBatch:bench"
WIDTH, HEIGHT = 640, 480
BOXES = 8
EARLIER = 4  # markers of the same prefix came before, each with as many images
STARTED = "2026-11-26T08:00:00.000000"
MODELS = ("v000001-0123abcd", "v000002-4567cdef")


class MadeUpBatch:
    """One batch in one folder; `classes` are the stack's."""

    def __init__(self, folder: Path, images: int, settings: Mapping[str, str]) -> None:
        self.folder, self.images = folder, images
        self.s3 = FileS3(folder, Counter())
        self.classes = tuple(settings["CLASSES"].split(","))
        self.id = naming.batch_id(BUCKET, PREFIX, EARLIER + 1)
        self.files = Files(self.id)
        (folder / "objects").mkdir(parents=True)
        body = json.dumps(dict(settings)).encode()
        self.settings_sha256 = hashlib.sha256(body).hexdigest()
        self.s3.put_object(BUCKET, f"settings/{self.settings_sha256}.json", body)

    def upload(self) -> dict[str, Any]:
        """The images of all deliveries and the marker; the event that it makes."""
        earlier = [self._open(Files(naming.batch_id(BUCKET, PREFIX, n + 1)).inventory) for n in range(EARLIER)]
        with (self.folder / UPLOADED).open("w") as listing:
            for number in range((EARLIER + 1) * self.images):
                item = _item(number)
                listing.write(f"{item.key}\t{item.etag}\t{item.size}\t{item.version_id}\n")
                if (delivery := number % (EARLIER + 1)) < EARLIER:
                    earlier[delivery].write(dump_line(item.to_json()) + "\n")
        for inventory in earlier:
            inventory.close()
        self.s3.put_object(BUCKET, f"{PREFIX}_READY.json", b"{}")
        self.note_rows(registered=False)
        return {"bucket": {"name": BUCKET}, "object": {"key": f"{PREFIX}_READY.json"}}

    def note_rows(self, registered: bool = True) -> None:
        rows: dict[str, Any] = {f"source#{BUCKET}/{PREFIX}": {"markers": [*"abcd"[:EARLIER], "1"]}}
        for n in range(EARLIER):
            rows[f"batch#{naming.batch_id(BUCKET, PREFIX, n + 1)}"] = {"status": "finished", "owner": "", "attempt": 1}
        if registered:
            facts = {"bucket": BUCKET, "prefix": PREFIX, "started": STARTED, "labels_attribute": ""}
            row = {"status": "running", "owner": EXECUTION, "attempt": 1, "facts": json.dumps(facts)}
            rows[f"batch#{self.id}"] = row
        (self.folder / ROWS).write_text(json.dumps(rows))

    def publish(self, lines: int) -> None:
        """A dataset of so many machine labels, made by other batches."""
        random, version, hashed = Random(1), "v000001-0123abcd", hashlib.sha256()
        with self._open(f"datasets/{version}/manifest.jsonl") as manifest:
            for number in range(lines):
                key = f"incoming/other week/camera-{number % 7:02d}/2026-11-19/{number:08d}.jpg"
                provenance = {
                    "batch": "other-week-0123abcd",
                    "round": 3,
                    "sha256": hashlib.sha256(key.encode()).hexdigest(),
                    "sampled": False,
                    "inclusion-probability": 0.1,
                    "policy": f"fixed/0.5@{MODELS[0]}",
                    "score": 0.876543,
                    "model": MODELS[0],
                }
                boxes = self._boxes(random, 0.9)
                place = (f"s3://{BUCKET}/{key}", None, WIDTH, HEIGHT)
                label = Annotation(*place, boxes, False, STARTED, "other-week-0123abcd-r3", provenance)
                line = label.to_line(self.classes) + "\n"
                hashed.update(line.encode())
                manifest.write(line)
        current = {"version": version, "sha256": hashed.hexdigest()}
        self.s3.put_object(BUCKET, "datasets/current", json.dumps(current).encode())
        self.s3.note_metadata(f"datasets/{version}/manifest.jsonl", {"sha256": hashed.hexdigest()})

    def inspect(self) -> None:
        for shard, records in self._shards("inspect"):
            found = [
                Inspection(
                    key=record["key"],
                    status="ok",
                    source_ref=f"s3://{BUCKET}/{record['key']}",
                    version_id=record["version-id"],
                    sha256=hashlib.sha256(record["key"].encode()).hexdigest(),
                    width=WIDTH,
                    height=HEIGHT,
                )
                for record in records
            ]
            self._write(self.files.inspected(shard), (each.to_json() for each in found))

    def crown(self, model: str) -> None:
        thresholds = f"models/{model}/thresholds/none.json"
        fitted = {"label_rule": LabelRule(0.25).to_json(), "target": 0.8, "dataset": "none", "accept": None}
        self.s3.put_object(BUCKET, thresholds, json.dumps(fitted).encode())
        champion = {
            "version": model,
            "endpoint": f"labelloop-{model}",
            "thresholds_uri": f"s3://{BUCKET}/{thresholds}",
            "dataset": "",
            "previous": "",
        }
        self.s3.put_object(BUCKET, "models/champion", json.dumps(champion).encode())

    def predict(self, number: int, model: str, confidence: float) -> None:
        """The model answers all that the round asks it."""
        random = Random(number)
        for shard, records in self._shards(f"infer-{number}"):
            seen = [
                Prediction(record["source-ref"], "ok", WIDTH, HEIGHT, model, self._boxes(random, confidence))
                for record in records
            ]
            self._write(f"{self.files.predictions(number)}{shard}-00.jsonl", (each.to_json() for each in seen))

    def answer(self, number: int) -> int:
        """People answer everything that the round's jobs ask them; how many jobs there are."""
        random, jobs = Random(number), sorted(self.s3.path(self.files.jobs(number)).glob("*.json"))
        for path in jobs:
            job = json.loads(path.read_text())
            said = (self._answered(line, job, random) for line in self._lines(job["manifest_uri"]))
            self._write(answers_of(job["job"]), said)
            place = f"{self.files.labeling(number)}/{job['job']}/annotations/worker-response/iteration-1"
            for row, _ in enumerate(self._lines(job["manifest_uri"])):
                self._write(f"{place}/{row}/2026-11-26_08-00-00.json", [self._response(row, random)])
        return len(jobs)

    def labels_to_import(self, most_bytes: int) -> str:
        """A manifest of supplied labels of as many of the batch's images as `most_bytes` hold; its URI. The lines name
        their own classes only: so more of them fit.
        """
        random, written = Random(0), 0
        with self._open("labels.manifest") as manifest:
            for _, records in self._shards("inspect"):
                for record in records:
                    line = self._label(f"s3://{BUCKET}/{record['key']}", random, "labels", ()) + "\n"
                    written += len(line.encode())
                    if written <= most_bytes:
                        manifest.write(line)
        return f"s3://{BUCKET}/labels.manifest"

    def _label(self, reference: str, random: Random, job: str, classes: Sequence[str]) -> str:
        boxes = self._boxes(random, 1.0)
        return Annotation(reference, None, WIDTH, HEIGHT, boxes, True, STARTED, job).to_line(classes)

    def _answered(self, line: dict[str, Any], job: Mapping[str, Any], random: Random) -> dict[str, Any]:
        label = json.loads(self._label(line["source-ref"], random, job["job"], self.classes))
        value = {**label["boxes"], "workers": 1, "agreement": 1.0}
        return {**line, ANSWER_ATTRIBUTE: value, f"{ANSWER_ATTRIBUTE}-metadata": label["boxes-metadata"]}

    def _response(self, row: int, random: Random) -> dict[str, Any]:
        drawn = [
            {"label": box.label, "left": box.left, "top": box.top, "width": box.width, "height": box.height}
            for box in self._boxes(random, 1.0)
        ]
        size = {"width": WIDTH, "height": HEIGHT}
        form = {"annotatedResult": {"boundingBoxes": drawn, "inputImageProperties": size}}
        return {
            "answers": [
                {
                    "acceptanceTime": "2026-11-26T08:00:00.000Z",
                    "submissionTime": "2026-11-26T08:00:20.000Z",
                    "timeSpentInSeconds": 20.0,
                    "answerContent": form,
                    "workerId": f"private.us-east-1.{row % 20:032x}",
                    "workerMetadata": {"identityData": {"sub": f"{row % 20:036x}"}},
                }
            ]
        }

    def _boxes(self, random: Random, confidence: float) -> tuple[Box, ...]:
        return tuple(
            Box(
                random.choice(self.classes),
                float(random.randrange(400)),
                float(random.randrange(300)),
                round(random.uniform(20, 200), 2),
                round(random.uniform(20, 150), 2),
                round(confidence * random.uniform(0.95, 1), 4),
            )
            for _ in range(BOXES)
        )

    def _shards(self, stem: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for item in self._lines(self.files.shard(stem)):
            yield item["shard"], list(self._lines(item["uri"]))

    def _lines(self, reference: str) -> Iterator[dict[str, Any]]:
        with self.s3.path(reference.removeprefix(f"s3://{BUCKET}/")).open() as lines:
            yield from map(json.loads, lines)

    def _write(self, key: str, records: Any) -> None:
        with self._open(key) as file:
            for record in records:
                file.write(dump_line(record) + "\n")

    def _open(self, key: str) -> Any:
        path = self.s3.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")


def _item(number: int) -> InventoryItem:
    key = f"{PREFIX}camera-{number % 7:02d}/2026-11-26/{number:08d}.jpg"
    etag = hashlib.sha256(key.encode()).hexdigest()[:32]
    return InventoryItem(key, etag[::-1], etag, 40_000 + number % 9_999, number % 997 / 997, False, 0.1)
