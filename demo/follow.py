"""Asks the embedded AWS how the execution goes, the way anybody could: Step Functions, SageMaker and S3 calls only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from labelloop import tasks
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation, split_lines

from demo import words
from demo.errors import DemoFailed
from demo.person import Waiting
from demo.progress import Line, Story, Training, read_story, read_training, training_name
from local import stack

SECONDS_TO_START = 60.0
PICTURES_LISTED = 3
_GONE = ("ExecutionDoesNotExist", "NoSuchKey", "404", "ResourceNotFound", "ValidationException")


@dataclass(frozen=True)
class Shards:
    """A Distributed Map that runs: children done, failed and in all."""

    succeeded: int
    failed: int
    total: int


@dataclass(frozen=True)
class View:
    """One look at the execution. `answered` = (pictures people have answered, pictures asked) of the open job;
    `waiting`: what of it waits for the person at this machine.
    """

    status: str
    story: Story
    shards: Shards | None = None
    answered: tuple[int, int] | None = None
    first_labels: datetime | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True)
class FailedPart:
    """A Map child or nested execution that failed."""

    what: str
    arn: str
    error: str
    cause: str


class Follower:
    """One execution of label_batch, with what it starts."""

    def __init__(self, server: stack.Server, outputs: Mapping[str, str]) -> None:
        self.states = stack.client(server, "stepfunctions")
        self.sagemaker = stack.client(server, "sagemaker")
        self.s3 = stack.client(server, "s3")
        self.bucket = outputs["DataBucketName"]
        self.label_batch, self.train_model = outputs["LabelBatchArn"], outputs["TrainModelArn"]
        self.arn = ""
        self._first: Line | None = None

    def find(self) -> str:
        """The execution that the marker started. Raises DemoFailed when none appears."""
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            executions = self.states.list_executions(stateMachineArn=self.label_batch)["executions"]
            if executions:
                self.arn = str(executions[0]["executionArn"])
                return self.arn
            time.sleep(0.2)
        raise DemoFailed(
            f"The marker started no execution of {self.label_batch} within {SECONDS_TO_START:g} s: "
            "the EventBridge rule on the bucket, or its role, does not work."
        )

    def look(self) -> View:
        status = str(self.states.describe_execution(executionArn=self.arn)["status"])
        events = self.history(self.arn)
        story = read_story(events, {})
        trainings = {name: found for name in self._training_names(story) if (found := self._training(name))}
        if trainings:
            story = read_story(events, trainings)
        first = self._first_labels(story)
        if first:
            lines = sorted((*story.lines, first), key=lambda line: line.at)
            story = replace(story, lines=tuple(lines))
        shards = self._shards() if story.state in ("Inspect Shards", "Infer Shards") else None
        answered = self._answered(story) if story.state == "Request Labels" else None
        return View(status, story, shards, answered, first.at if first else None)

    def history(self, arn: str) -> list[Mapping[str, Any]]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def trainings(self) -> list[Training]:
        """Every nested training, oldest first."""
        found = self.states.list_executions(stateMachineArn=self.train_model)["executions"]
        found.sort(key=lambda execution: execution["startDate"])
        return [
            read_training(each["executionArn"], each["status"], self.history(each["executionArn"])) for each in found
        ]

    def failed_parts(self) -> list[FailedPart]:
        """Map children and nested executions that failed, with their reasons."""
        runs = self.states.list_map_runs(executionArn=self.arn)["mapRuns"]
        children = [
            child
            for run in runs
            for status in ("FAILED", "TIMED_OUT", "ABORTED")
            for child in self.states.list_executions(mapRunArn=run["mapRunArn"], statusFilter=status)["executions"]
        ]
        nested = self.states.list_executions(stateMachineArn=self.train_model)["executions"]
        lost = [each for each in nested if each["status"] not in ("SUCCEEDED", "RUNNING")]
        return [self._failed("Map child", child["executionArn"]) for child in children] + [
            self._failed("training", each["executionArn"]) for each in lost
        ]

    def failure(self) -> FailedPart:
        """Why the execution itself did not succeed."""
        return self._failed("label_batch", self.arn)

    def _failed(self, what: str, arn: str) -> FailedPart:
        told = self.states.describe_execution(executionArn=arn)
        return FailedPart(what, arn, told.get("error") or told["status"], (told.get("cause") or "")[:2000])

    def _training_names(self, story: Story) -> list[str]:
        return [training_name(story.batch_id, found.number, story.attempt) for found in story.rounds]

    def _training(self, name: str) -> Training | None:
        arn = self.train_model.replace(":stateMachine:", ":execution:", 1) + ":" + name
        told = _unless_gone(lambda: self.states.describe_execution(executionArn=arn))
        return read_training(arn, told["status"], self.history(arn)) if told else None

    def _shards(self) -> Shards | None:
        runs = self.states.list_map_runs(executionArn=self.arn)["mapRuns"]
        if not runs:
            return None
        newest = max(runs, key=lambda run: run["startDate"])
        counts = self.states.describe_map_run(mapRunArn=newest["mapRunArn"])["executionCounts"]
        return Shards(counts["succeeded"], counts["failed"], counts["total"])

    def _answered(self, story: Story) -> tuple[int, int] | None:
        """Over the round's jobs that were requested so far."""
        folder = Files(story.batch_id).jobs(story.rounds[-1].number)
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=folder).get("Contents", [])
        names = [json.loads(self._read(each["Key"]))["job"] for each in found]
        counters = [job["LabelCounters"] for name in names if (job := self._labeling_job(name))]
        if not counters:
            return None
        done = sum(each["HumanLabeled"] for each in counters)
        return done, done + sum(each["Unlabeled"] for each in counters)

    def _labeling_job(self, name: str) -> dict[str, Any] | None:
        job: dict[str, Any] | None = _unless_gone(lambda: self.sagemaker.describe_labeling_job(LabelingJobName=name))
        return job

    def _first_labels(self, story: Story) -> Line | None:
        """Said once: the first labelled pictures that anybody could use."""
        if self._first is None and story.batch_id:
            prefix = f"batches/{story.batch_id}/annotations/"
            objects = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
            if objects:
                first = min(objects, key=lambda found: found["LastModified"])
                lines = split_lines(self._read(first["Key"]))
                text = _listed([Annotation.from_line(line) for line in lines], first["Key"])
                self._first = Line(datetime.now().astimezone(), text)
        return self._first

    def _read(self, key: str) -> str:
        return str(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode("utf-8"))


def _listed(labels: list[Annotation], key: str) -> str:
    shown = [_shown(label) for label in labels[:PICTURES_LISTED]]
    rest = len(labels) - len(shown)
    more = [f"and {rest} more in {key}"] if rest else []
    return f"first labelled pictures: {'; '.join((*shown, *more))}"


def _shown(label: Annotation) -> str:
    name = (label.original_ref or label.source_ref).rpartition("/")[2]
    marks = words.OF[tasks.of(label.task).name].counted(len(label.marks))
    return f"{name} ({marks} by {'a person' if label.human else 'the model'})"


def _unless_gone(ask: Callable[[], Any]) -> Any:
    """None while the thing asked for does not exist yet."""
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise
