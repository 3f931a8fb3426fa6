"""What an execution has done so far, read from its history: rounds, counts, models, trainings. Pure.

Works from StateEntered and StateExited events and the names of docs/architecture.md alone, so it reads the same on AWS
and on the embedded AWS (whose history lacks MapRun events). Times are aware datetimes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Step:
    """One visit to a state; `ended` is None while it runs, `output` then empty."""

    name: str
    began: datetime
    ended: datetime | None = None
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """A nested training execution. `better` is None until challenger and champion met."""

    arn: str
    status: str
    round: int = 0
    state: str = ""
    model: str = ""
    better: bool | None = None
    reason: str = ""
    judge: int = 0
    train: int = 0
    promoted: datetime | None = None


@dataclass(frozen=True)
class Round:
    """`open` images at its beginning; what Judge Batch decided on them, None before it did."""

    number: int
    began: datetime
    model: str
    open: int
    auto: int | None = None
    asked: int | None = None
    rejected: int | None = None
    deferred: int | None = None
    ended: datetime | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Line:
    """One thing that happened, for people."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Story:
    """Everything known about the execution; `totals` are the images per outcome after the last merge."""

    batch_id: str = ""
    attempt: int = 1
    images: int = 0
    state: str = ""
    since: datetime | None = None
    rounds: tuple[Round, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()


def steps(events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Visits in order of entry. An exit belongs to the latest open visit of its name."""
    visits: list[Step] = []
    for event in events:
        if entered := event.get("stateEnteredEventDetails"):
            visits.append(Step(entered["name"], event["timestamp"]))
        elif exited := event.get("stateExitedEventDetails"):
            index = _latest_open(visits, exited["name"])
            if index is not None:
                output = _document(exited.get("output"))
                visits[index] = replace(visits[index], ended=event["timestamp"], output=output)
    return visits


def training_name(batch_id: str, round_number: int, attempt: int) -> str:
    """Name of the nested execution, as the states Train Model and Start Training give it."""
    return f"{batch_id}-r{round_number}-a{attempt}"


def read_training(arn: str, status: str, events: Sequence[Mapping[str, Any]]) -> Training:
    training = Training(arn, status, _round_of(events))
    for step in steps(events):
        training = replace(training, state=step.name)
        if step.name == "Assemble Dataset" and step.ended:
            dataset = step.output["dataset"]
            training = replace(training, judge=dataset["judge"], train=dataset["train"])
        elif step.name == "Compare With Champion" and step.ended:
            found = step.output["comparison"]
            training = replace(training, model=found["model_version"], better=found["better"], reason=found["reason"])
        elif step.name == "Promote Model":
            training = replace(training, promoted=step.ended)
    return training


def read_story(events: Sequence[Mapping[str, Any]], trainings: Mapping[str, Training]) -> Story:
    """`trainings`: what is known of nested executions, by execution name."""
    story, lines = Story(), []
    for step in steps(events):
        story = replace(story, state=step.name, since=step.began)
        story, said = _told(story, step, trainings)
        lines += said
    return replace(story, lines=tuple(lines))


def _told(story: Story, step: Step, trainings: Mapping[str, Training]) -> tuple[Story, list[Line]]:
    """The story with this visit, and what to say about it."""
    if step.name in ("Train Model", "Start Training") and story.rounds:
        return _train(story, step, trainings)
    if step.ended is None:
        return story, _announced(story, step)
    if step.name == "Register Batch" and step.output.get("status") == "registered":
        batch = step.output["batch"]
        story = replace(story, batch_id=batch["id"], images=batch["objects"], attempt=batch["attempt"])
        return story, [Line(step.ended, f"batch {story.batch_id}: {_files(story.images)} registered")]
    if step.name == "Inspect Shards":
        return story, [Line(step.ended, "every file looked at (hash, size, readable or not)")]
    if step.name == "Begin Round":
        pinned = step.output["round"]
        new = Round(pinned["number"], step.began, pinned["model"], pinned["open"])
        who = f"model {new.model}" if new.model else "no model yet"
        text = f"round {new.number}: {_images(new.open)} without a label, {who}"
        return replace(story, rounds=(*story.rounds, new)), [Line(step.ended, text)]
    if step.name == "Infer Shards" and story.rounds and not step.output["round"]["missing"]["attempt"]:
        return story, [Line(step.ended, f"round {story.rounds[-1].number}: the model has seen its images")]
    if step.name == "Find Missing Predictions" and step.output["round"]["missing"]["count"]:
        return story, [Line(step.ended, "some predictions are missing: asking for those images one by one")]
    if step.name == "Judge Batch" and story.rounds:
        return _judged(story, step.ended, step.output["decisions"])
    if step.name == "First Job" and story.rounds:
        last = story.rounds[-1]
        return story, [Line(step.ended, f"round {last.number}: {_images(last.asked or 0)} with people")]
    if step.name == "Merge Annotations":
        return _merged(story, step, step.ended)
    if step.name == "Report Batch":
        return story, [Line(step.ended, "merged manifest and batch report written")]
    return story, []


def _announced(story: Story, step: Step) -> list[Line]:
    if step.name == "Record Failure":
        return [Line(step.began, "the loop failed and records why")]
    return []


def _judged(story: Story, at: datetime, decided: Mapping[str, int]) -> tuple[Story, list[Line]]:
    judged = replace(
        story.rounds[-1],
        auto=decided["auto"],
        asked=decided["human"],
        rejected=decided["rejected"],
        deferred=decided["deferred"],
    )
    text = (
        f"round {judged.number}: {judged.auto} machine labels accepted, {judged.asked} to people, "
        f"{judged.deferred} wait for a better model"
    )
    return _with_last(story, judged), [Line(at, text)]


def _merged(story: Story, step: Step, at: datetime) -> tuple[Story, list[Line]]:
    progress, lines = step.output["progress"], []
    totals = {name: progress[name] for name in ("auto", "human", "rejected", "deferred")}
    text = (
        f"so far {totals['human']} by people, {totals['auto']} by the model, {totals['rejected']} rejected, "
        f"{totals['deferred']} open: dataset {progress['dataset_version'] or 'none'}"
    )
    story = replace(story, totals=totals)
    if story.rounds:
        last = story.rounds[-1]
        lines = [Line(step.began, f"round {last.number}: people have answered")] if last.asked else []
        story = _with_last(story, replace(last, ended=at))
    return story, [*lines, Line(at, text)]


def _train(story: Story, step: Step, trainings: Mapping[str, Training]) -> tuple[Story, list[Line]]:
    number = story.rounds[-1].number
    training = trainings.get(training_name(story.batch_id, number, story.attempt))
    if step.name == "Start Training":
        lines = [Line(step.began, "a training for the next batch has started; nobody waits for it")]
        return _with_last(story, replace(story.rounds[-1], training=training)), lines
    lines = [Line(step.began, f"round {number}: training a challenger")]
    if training is None:
        return story, lines
    if training.promoted:
        lines.append(Line(training.promoted, f"model {training.model} serves: {training.reason}"))
    elif step.ended and training.better is False:
        lines.append(Line(step.ended, f"challenger {training.model} was not better: {training.reason}"))
    elif step.ended:
        lines.append(Line(step.ended, f"training ended in {training.state} ({training.status})"))
    return _with_last(story, replace(story.rounds[-1], training=training, ended=step.ended)), lines


def _round_of(events: Iterable[Mapping[str, Any]]) -> int:
    """From the execution's input, which the first state was given; 0 adopts a starting model."""
    inputs = (event["stateEnteredEventDetails"].get("input") for event in events if "stateEnteredEventDetails" in event)
    return int(_document(next(inputs, None)).get("round", 0))


def _with_last(story: Story, last: Round) -> Story:
    return replace(story, rounds=(*story.rounds[:-1], last))


def _latest_open(visits: Sequence[Step], name: str) -> int | None:
    return next((i for i in reversed(range(len(visits))) if visits[i].name == name and visits[i].ended is None), None)


def _document(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
