"""What the deployed stack holds, as a test reads it: objects, rows, and the files of a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from labelloop.contracts import naming
from labelloop.contracts.manifests import split_lines

from local import stack


@dataclass
class Account:
    server: stack.Server
    outputs: dict[str, str]
    scratch: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return self.outputs["DataBucketName"]

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = stack.client(self.server, service)
        return self._clients[service]

    def control(self, method: str, name: str, document: Any = None) -> Any:
        try:
            return stack.control(self.server, method, name, document)
        except stack.ControlRefused as error:
            raise AssertionError(str(error)) from error

    def batch_id(self, prefix: str, delivery: int = 1) -> str:
        return naming.batch_id(self.bucket, f"incoming/{prefix}/", delivery)

    def put(self, key: str, body: bytes) -> None:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return bytes(self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def json(self, key: str) -> dict[str, Any]:
        return dict(json.loads(self.get(key)))

    def lines(self, key: str) -> list[dict[str, Any]]:
        """The JSON lines of an object; none where it does not exist."""
        try:
            return [json.loads(line) for line in split_lines(self.get(key).decode("utf-8")) if line.strip()]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return []
            raise

    def keys(self, prefix: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def summary(self, batch: str) -> dict[str, Any]:
        return self.json(f"batches/{batch}/summary.json")

    def manifest(self, batch: str) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/annotations.manifest")

    def inventory(self, batch: str) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/inventory.jsonl")

    def decisions(self, batch: str, number: int) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/decisions/{number}.jsonl")

    def jobs(self, batch: str, number: int) -> list[dict[str, Any]]:
        """The labelling jobs of a round, in their order."""
        prefix = f"batches/{batch}/labeling/{number}/jobs/"
        indices = sorted(int(key.removeprefix(prefix).removesuffix(".json")) for key in self.keys(prefix))
        return [self.json(f"{prefix}{index}.json") for index in indices]

    def asked(self, batch: str, number: int) -> list[dict[str, Any]]:
        """The input lines of all jobs of a round."""
        manifests = (job["manifest_uri"].split("/", 3)[3] for job in self.jobs(batch, number))
        return [line for manifest in manifests for line in self.lines(manifest)]

    def rounds(self, batch: str) -> list[int]:
        return sorted(int(key.rpartition("/")[2].split(".")[0]) for key in self.keys(f"batches/{batch}/decisions/"))

    def dataset(self) -> list[dict[str, Any]]:
        """The lines of the current dataset version; none before the first."""
        try:
            version = self.json("datasets/current")["version"]
        except ClientError:
            return []
        return self.lines(f"datasets/{version}/manifest.jsonl")

    def champion(self) -> dict[str, Any] | None:
        try:
            return self.json("models/champion")
        except ClientError:
            return None

    def ledger(self, row: str) -> dict[str, Any]:
        """One row of the ledger; empty where there is none."""
        keys = stack.aws_environment(self.server)
        table = boto3.resource(
            "dynamodb",
            endpoint_url=self.server.endpoint,
            region_name=stack.REGION,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        ).Table(self.outputs["LedgerTableName"])
        return dict(table.get_item(Key={"id": row}, ConsistentRead=True).get("Item") or {})

    def outcomes(self, batch: str) -> dict[str, list[str]]:
        """key -> every final outcome that the files state; `deferred` where the last decision left it open."""
        by_ref = {}
        final: dict[str, list[str]] = {}
        for item in self.inventory(batch):
            final[item["key"]] = []
            by_ref[f"s3://{self.bucket}/{item['key']}"] = item["key"]
        for shard in self.keys(f"batches/{batch}/inspected/"):
            for found in self.lines(shard):
                by_ref[found["source-ref"]] = found["key"]
                if found["status"] == "rejected":
                    final[found["key"]].append("rejected")
        for number in self.rounds(batch):
            for decision in self.decisions(batch, number):
                if decision["decision"] == "rejected":
                    final[by_ref[decision["source-ref"]]].append("rejected")
            for line in self.lines(f"batches/{batch}/annotations/{number}.manifest"):
                final[by_ref[line["source-ref"]]].append(labelled_by(line))
        return {key: found or ["deferred"] for key, found in final.items()}


def labelled_by(line: Mapping[str, Any]) -> str:
    metadata = line.get("boxes-metadata") or line["key-points-metadata"]
    return "human" if metadata["human-annotated"] == "yes" else "auto"
