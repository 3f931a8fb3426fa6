"""Fetches what the loop left in the bucket: labels, reports, models and the images the report needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labelloop.contracts import advanced, label_rules, origins
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation, split_lines
from labelloop.contracts.records import Inspection, parse_lines

from demo.evaluate import key_of


class Results:
    """The finished batch in the bucket, copied below `folder` as far as a person may want it later."""

    def __init__(self, s3: Any, bucket: str, batch_id: str, folder: Path) -> None:
        self.s3, self.bucket, self.folder = s3, bucket, folder
        self.root = f"batches/{batch_id}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("annotations.manifest", "summary.json", "report.html"):
            (folder / name).write_bytes(self.read(f"{self.root}/{name}"))

    def batch_summary(self) -> Mapping[str, Any]:
        summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return summary

    def labels(self) -> tuple[Annotation, ...]:
        """The merged manifest."""
        text = (self.folder / "annotations.manifest").read_text("utf-8")
        return tuple(Annotation.from_line(line) for line in split_lines(text))

    def judge_lines(self, dataset: str) -> list[str]:
        """Manifest lines of the judge images in the dataset version; none without a version."""
        if not dataset:
            return []
        lines = split_lines(self.read(f"datasets/{dataset}/manifest.jsonl").decode("utf-8"))
        found = ((line, Annotation.from_line(line).provenance) for line in lines)
        return [line for line, origin in found if origin.get("role") == "judge" and "same-as" not in origin]

    def trained_keys(self, dataset: str) -> set[str]:
        """The uploads of which a model learns, or might have, with their copies; none without a dataset version."""
        if not dataset:
            return set()
        lines = split_lines(self.read(f"datasets/{dataset}/manifest.jsonl").decode("utf-8"))
        labels = [Annotation.from_line(line) for line in lines]
        return {key_of(label) for label in labels if label.provenance.get("role") == origins.TRAIN}

    def inspected(self) -> dict[str, Inspection]:
        """Every readable upload of the batch, by its key."""
        found = {}
        for key in self._keys(f"{self.root}/inspected/"):
            for record in parse_lines(self.read(key).decode("utf-8"), key):
                inspection = Inspection.from_json(record)
                if inspection.status == "ok":
                    found[inspection.key] = inspection
        return found

    def label_rule(self, version: str) -> LabelRule:
        """What the model's label is: fitted on the newest of its dataset versions; before that, the usual one."""
        fitted = self._keys(f"models/{version}/thresholds/")
        thresholds = json.loads(self.read(max(fitted, key=lambda key: key.rpartition("/")[2]))) if fitted else {}
        return label_rules.of_record(thresholds, float(advanced.LIMITS["KEEP_CONFIDENCE"].default))

    def model_versions(self) -> list[str]:
        """Every registered version, oldest first: their numbers count up."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="models/v", Delimiter="/")
        found = [entry["Prefix"].split("/")[1] for page in pages for entry in page.get("CommonPrefixes", [])]
        return sorted(found)

    def promoted(self) -> tuple[str, ...]:
        """Model versions that the champion pointer ever named, in that order; recalibration moves it too."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix="models/champion")
        versions = [version for page in pages for version in page.get("Versions", [])]
        # Listed newest first; moments may be equal, their order is not.
        bodies = [self.read("models/champion", version["VersionId"]) for version in reversed(versions)]
        return tuple(dict.fromkeys(json.loads(body)["version"] for body in bodies))

    def _keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str, version: str | None = None) -> bytes:
        wanted = {"VersionId": version} if version else {}
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key, **wanted)["Body"].read())

    def reader(self) -> Callable[[str], bytes]:
        """Bytes of an `s3://` reference or of a key."""
        return lambda reference: self.read(reference.removeprefix(f"s3://{self.bucket}/"))
