"""Objects, tasks and files of a labelling job in Ground Truth's shapes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.annotators import Noise, Truth, answer, image_key
from local.sagemaker import objects

_MAX_LINE_CHARACTERS = 100_000


class JobFailure(Exception):
    """The whole job ends Failed; the text is its FailureReason."""


@dataclass(frozen=True)
class Response:
    """One worker's answer, when the task was taken and when it was submitted; `seconds` of work in between."""

    worker: str
    content: Mapping[str, Any]
    accepted: datetime
    submitted: datetime
    seconds: float


@dataclass
class LabelObject:
    """One manifest line. state: open, labeled, failed, unlabeled (not for humans) or kept (had its label before)."""

    index: int
    raw: str
    line: dict[str, Any]
    state: str
    responses: list[Response] = field(default_factory=list)
    response_uri: str = ""
    label: Any = None
    failure: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        self.state, self.failure = "failed", reason

    def label_with(self, label: Any, worker_response_ref: str | None = None) -> None:
        self.state, self.label = "labeled", label
        if worker_response_ref is not None:
            self.metadata["worker-response-ref"] = worker_response_ref


@dataclass(frozen=True)
class Task:
    """What a worker is shown: the template, filled with `task_input` (Liquid variable `task.input`)."""

    item: LabelObject
    template: str
    task_input: Mapping[str, Any]


@dataclass(frozen=True)
class OutputFiles:
    """Where Ground Truth puts a job's files: <S3OutputPath>/<job>/{manifests,annotations}/..."""

    s3: Any
    output_path: str
    job_name: str

    def write_answers(self, iteration: int, index: int, document: Any) -> str:
        return self._write(f"annotations/worker-response/iteration-{iteration}/{index}/{_stamp()}.json", document)

    def write_request(self, iteration: int, document: Any) -> str:
        folder = "annotations/consolidated-annotation/consolidation-request"
        return self._write(f"{folder}/iteration-{iteration}/{_stamp()}.json", document)

    def write_response(self, iteration: int, document: Any) -> str:
        folder = "annotations/consolidated-annotation/consolidation-response"
        return self._write(f"{folder}/iteration-{iteration}/{_stamp()}.json", document)

    def write_manifest(self, lines: Iterable[str]) -> str:
        uri = objects.join_uri(self.output_path, self.job_name, "manifests/output/output.manifest")
        objects.write(self.s3, uri, "".join(f"{line}\n" for line in lines).encode(), "application/octet-stream")
        return uri

    def _write(self, path: str, document: Any) -> str:
        uri = objects.join_uri(self.output_path, self.job_name, path)
        objects.write_json(self.s3, uri, document)
        return uri


def answer_task(task: Task, worker: str, truth: Truth, noise: Noise) -> Response | None:
    """The simulated worker's answer, now, after a made-up time; None declines the task."""
    key = image_key(task.item.line)
    content = None if key is None else answer(truth, noise, worker, key, task.template, task.task_input)
    if content is None:
        return None
    submitted, seconds = datetime.now(UTC), round(random.Random(worker).uniform(5, 60), 3)
    return Response(worker, content, submitted - timedelta(seconds=seconds), submitted, seconds)


def parse_manifest(content: bytes, uri: str, attribute: str) -> list[LabelObject]:
    """Lines of an input manifest; those that carry the attribute already are kept as they are. Raises JobFailure."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JobFailure(f"ClientError: Manifest {uri} is not UTF-8.") from error
    # Not splitlines(): U+2028 and the like are legal inside JSON strings.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise JobFailure(f"ClientError: Manifest {uri} has no objects.")
    return [_object(index, line, uri, attribute) for index, line in enumerate(lines)]


def manifest_line(item: LabelObject, attribute: str, job_name: str) -> str:
    """The object's output line: label and metadata; metadata alone for a failed object; else the line unchanged."""
    if item.state not in ("labeled", "failed"):
        return item.raw
    metadata_name = f"{attribute}-metadata"
    line = {name: value for name, value in item.line.items() if name not in (attribute, metadata_name)}
    metadata = {
        "type": "groundtruth/custom",
        "job-name": job_name,
        "human-annotated": "yes",
        "creation-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
        **item.metadata,
    }
    if item.state == "labeled":
        line[attribute] = item.label
    else:
        metadata = {"failure-reason": item.failure, **metadata}
    line[metadata_name] = metadata
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def consolidation_payload(batch: list[LabelObject]) -> list[dict[str, Any]]:
    """What the consolidation function reads: answers as JSON strings, and not the manifest line."""
    return [
        {
            "datasetObjectId": str(item.index),
            "dataObject": {"s3Uri": item.line["source-ref"]}
            if "source-ref" in item.line
            else {"content": item.line["source"]},
            "annotations": [
                {
                    "workerId": response.worker,
                    "annotationData": {"content": json.dumps(response.content, separators=(",", ":"))},
                }
                for response in item.responses
            ],
        }
        for item in batch
    ]


def worker_response(responses: list[Response], region: str) -> dict[str, Any]:
    """A worker-response file, one entry per worker, as recorded from Ground Truth."""
    return {"answers": [_answer(response, region) for response in responses]}


def _answer(response: Response, region: str) -> dict[str, Any]:
    return {
        "acceptanceTime": _iso(response.accepted),
        "answerContent": response.content,
        "submissionTime": _iso(response.submitted),
        "timeSpentInSeconds": response.seconds,
        "workerId": response.worker,
        "workerMetadata": {
            "identityData": {
                "identityProviderType": "Cognito",
                "issuer": f"https://cognito-idp.{region}.amazonaws.com/{region}_000000000",
                "sub": response.worker.rsplit(".", 1)[-1].lower(),
            }
        },
    }


def _object(index: int, raw: str, uri: str, attribute: str) -> LabelObject:
    if len(raw) > _MAX_LINE_CHARACTERS:
        raise JobFailure(f"ClientError: Line {index + 1} of {uri} has more than {_MAX_LINE_CHARACTERS} characters.")
    try:
        line = json.loads(raw)
    except ValueError as error:
        raise JobFailure(f"ClientError: Line {index + 1} of {uri} is not JSON: {error}") from error
    if not isinstance(line, dict) or ("source-ref" in line) == ("source" in line):
        raise JobFailure(f"ClientError: Line {index + 1} of {uri} needs one of source-ref and source.")
    return LabelObject(index, raw, line, "kept" if attribute in line else "open")


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d_%H:%M:%S")


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
