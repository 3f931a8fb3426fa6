"""The progress display from execution histories: what is told, when, and how a terminal and a log file show it."""

import io
import json
from datetime import UTC, datetime, timedelta

from rich.console import Console

from demo.follow import Shards, View
from demo.progress import Training, read_story, read_training, steps, training_name
from demo.screen import Screen, panel

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAME = training_name("demo-1", 1, 1)


class History:
    """Events as GetExecutionHistory gives them; every event comes one second after the one before."""

    def __init__(self):
        self.events = []

    def enter(self, name, given=None):
        return self._add("stateEnteredEventDetails", name, "input", given or {})

    def leave(self, name, output=None):
        return self._add("stateExitedEventDetails", name, "output", output or {})

    def visit(self, name, output=None):
        return self.enter(name).leave(name, output)

    def _add(self, details, name, kind, document):
        at = START + timedelta(seconds=len(self.events))
        # Besides the two kinds that are read there are many that are not.
        self.events.append({"timestamp": at, "type": "TaskScheduled", "taskScheduledEventDetails": {}})
        self.events.append({"timestamp": at, "type": "x", details: {"name": name, kind: json.dumps(document)}})
        return self


def registered():
    return History().visit(
        "Register Batch", {"status": "registered", "batch": {"id": "demo-1", "objects": 605, "attempt": 1}}
    )


def one_round(history, number=1, model="", auto=0, human=120, deferred=480):
    history.visit("Begin Round", {"round": {"number": number, "model": model, "open": auto + human + deferred}})
    history.visit("Judge Batch", {"decisions": {"auto": auto, "human": human, "rejected": 0, "deferred": deferred}})
    history.visit("First Job").visit("Request Labels").visit("Collect Labels")
    history.visit("Request Labels").visit("Collect Labels")  # a second job of the round
    merged = {"auto": auto, "human": human, "rejected": 5, "deferred": deferred, "dataset_version": "v000001-aa"}
    return history.visit("Merge Annotations", {"progress": merged})


def texts(story):
    return [line.text for line in story.lines]


def test_a_state_entered_twice_is_two_steps_and_an_exit_ends_the_open_one():
    history = History().visit("Begin Round", {"n": 1}).enter("Begin Round").enter("Judge Batch").leave("Judge Batch")
    found = steps(history.events)
    assert [(step.name, step.ended is None) for step in found] == [
        ("Begin Round", False),
        ("Begin Round", True),
        ("Judge Batch", False),
    ]
    assert found[0].output == {"n": 1}


def test_images_that_are_asked_for_one_by_one_are_told_once_each_time():
    history = registered().visit("Begin Round", {"round": {"number": 1, "model": "v1", "open": 9}})
    for attempt, count in enumerate((3, 1, 0)):
        history.visit("Infer Shards", {"round": {"missing": {"attempt": attempt}}})
        history.visit("Find Missing Predictions", {"round": {"missing": {"attempt": attempt + 1, "count": count}}})
    told = texts(read_story(history.events, {}))
    assert told.count("round 1: the model has seen its images") == 1
    assert told.count("some predictions are missing: asking for those images one by one") == 2


def test_an_exit_without_its_entry_is_ignored():
    assert steps(History().leave("Begin Round").events) == []


def test_nothing_is_known_before_the_first_event():
    story = read_story([], {})
    assert (story.batch_id, story.rounds, story.lines) == ("", (), ())


def test_a_round_is_told_step_by_step():
    history = one_round(registered())
    story = read_story(history.events, {})
    assert story.batch_id == "demo-1" and story.images == 605
    (first,) = story.rounds
    assert (first.number, first.model, first.open) == (1, "", 600)
    assert (first.auto, first.asked, first.deferred) == (0, 120, 480)
    assert story.totals == {"auto": 0, "human": 120, "rejected": 5, "deferred": 480}
    assert texts(story) == [
        "batch demo-1: 605 files registered",
        "round 1: 600 images without a label, no model yet",
        "round 1: 0 machine labels accepted, 120 to people, 480 wait for a better model",
        "round 1: 120 images with people",
        "round 1: people have answered",
        "so far 120 by people, 0 by the model, 5 rejected, 480 open: dataset v000001-aa",
    ]


def test_what_runs_now_is_the_last_state_entered():
    history = one_round(registered()).enter("Train Model")
    story = read_story(history.events, {})
    assert story.state == "Train Model" and story.since == history.events[-1]["timestamp"]
    assert texts(story)[-1] == "round 1: training a challenger"


def test_a_promoted_model_is_told_when_it_serves_even_while_its_execution_still_runs():
    promoted = START + timedelta(minutes=2)
    training = Training("arn", "RUNNING", 1, "Promote Model", "v000001-aa", True, "it is good", 30, 60, promoted)
    history = one_round(registered()).enter("Train Model")
    story = read_story(history.events, {NAME: training})
    assert story.lines[-1].text == "model v000001-aa serves: it is good" and story.lines[-1].at == promoted


def test_a_kept_champion_and_a_failed_training_are_told_apart():
    history = one_round(registered()).visit("Train Model")
    kept = Training("arn", "SUCCEEDED", 1, "Champion Kept", "v000002-bb", False, "not surely better")
    failed = Training("arn", "FAILED", 1, "Training Failed")
    assert "v000002-bb was not better: not surely better" in texts(read_story(history.events, {NAME: kept}))[-1]
    assert "ended in Training Failed (FAILED)" in texts(read_story(history.events, {NAME: failed}))[-1]


def test_a_training_knows_its_round_its_sets_and_its_verdict():
    history = History().enter("Plan Training", {"round": 3}).leave("Plan Training")
    history.visit("Assemble Dataset", {"dataset": {"train": 60, "judge": 30}})
    history.visit("Compare With Champion", {"comparison": {"better": True, "reason": "gain", "model_version": "v3"}})
    running = read_training("arn", "RUNNING", history.enter("Promote Model").events)
    assert (running.round, running.train, running.judge, running.model) == (3, 60, 30, "v3")
    assert running.better is True and running.promoted is None
    assert read_training("arn", "SUCCEEDED", history.leave("Promote Model").events).promoted


def test_a_second_execution_on_a_batch_that_has_an_owner_is_told_nothing_of():
    story = read_story(History().visit("Register Batch", {"status": "already-owned"}).events, {})
    assert story.batch_id == "" and story.lines == ()


def view(history, **changed):
    return View(**{"status": "RUNNING", "story": read_story(history.events, {}), **changed})


def test_a_log_file_gets_each_change_once_with_its_seconds():
    out = io.StringIO()
    screen = Screen(Console(file=out, width=60), START)
    history = registered()
    with screen.following():
        screen.show(view(history))
        screen.show(view(history))
        one_round(history)
        screen.show(view(history))
    lines = out.getvalue().splitlines()
    assert len(lines) == len(set(lines)) == 6
    assert lines[0] == "[   2.0 s] batch demo-1: 605 files registered"
    assert "\x1b" not in out.getvalue()


def test_file_names_with_brackets_are_shown_as_they_are():
    out = io.StringIO()
    Screen(Console(file=out, width=200), START).say("a [red]b[/red].jpg", START)
    assert out.getvalue() == "[   0.0 s] a [red]b[/red].jpg\n"


def shown(found, seconds=30):
    out = io.StringIO()
    Console(file=out, width=140).print(panel(found, START + timedelta(seconds=seconds)))
    return out.getvalue()


def test_a_terminal_shows_rounds_and_what_happens_now():
    history = one_round(registered())
    text = shown(view(history.enter("Begin Round"), shards=Shards(2, 1, 5)))
    assert "demo-1: 605 files" in text and "none yet" in text and "480" in text
    assert "2 of 5 shards, 1 FAILED" in text
    waiting = shown(view(History().enter("Request Labels"), answered=(40, 120)))
    assert "Request Labels for 30 s, people have answered 40 of 120" in waiting
    assert shown(view(history, status="SUCCEEDED")).rstrip().endswith("SUCCEEDED")
