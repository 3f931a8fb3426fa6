"""Labelling jobs that have ended, in unit tests: what people said, in Ground Truth's output layout."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from annotation_lines import CLASSES
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.people import jobs
from labelloop.people.jobs import Job
from labelloop.store import storage

DRAWN = (Box("head", 3, 4, 20, 10),)
SIZE = (64, 48)
Answers = Callable[[Job, dict[str, Any]], dict[str, Any]]


def ended(status: str = "Completed") -> Callable[..., dict[str, Any]]:
    """Answers DescribeLabelingJob for every job: it has ended, with an output manifest if somebody wrote one."""

    def describe(LabelingJobName: str) -> dict[str, Any]:
        found = [key for key in storage.keys("batches/") if key.endswith(f"/{output_place(LabelingJobName)}")]
        place = {"LabelingJobOutput": {"OutputDatasetS3Uri": storage.uri(found[0])}} if found else {}
        return {"LabelingJobStatus": status, **place}

    return describe


def output_place(job: str) -> str:
    return f"{job}/manifests/output/output.manifest"


def boxes(drawn: Iterable[Box] = DRAWN, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """The attributes of an answered line."""
    line = Annotation("s3://b/k", None, *size, tuple(drawn), True, "2026-11-20T10:00:00", "job").to_line(CLASSES)
    label = json.loads(line)
    return {"human-boxes": label["boxes"], "human-boxes-metadata": label["boxes-metadata"]}


def verdict(said: str, workers: int = 1, agreement: float = 1.0) -> dict[str, Any]:
    value = {"verdict": said, "workers": workers, "agreement": agreement}
    return {
        "verified-boxes": value,
        "verified-boxes-metadata": {"type": "groundtruth/custom", "human-annotated": "yes"},
    }


def answer_round(
    batch_id: str, number: int, said: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda line: boxes()
) -> None:
    """Ends every job of the round; `said` gets an input line and gives the answer, None leaves it unlabelled."""
    for job in jobs.of_round(Files(batch_id), number):
        answer_job(batch_id, number, job, said)


def answer_job(batch_id: str, number: int, job: Job, said: Callable[[dict[str, Any]], dict[str, Any] | None]) -> str:
    lines = [{**line, **(said(line) or {})} for line in storage.read_lines(storage.own_key(job.manifest_uri))]
    return storage.write_lines(f"{Files(batch_id).labeling(number)}/{output_place(job.name)}", lines)
