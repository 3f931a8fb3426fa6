"""The progress display: every change is one plain line; on a terminal a live table stands below the lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.follow import View
from demo.progress import Line, Round, Training

AUTO, HUMAN, DEFERRED = "bright_blue", "yellow", "magenta"


class Screen:
    """Prints what is new of a View. `began` is the start of the demo, from which seconds count."""

    def __init__(self, console: Console, began: datetime) -> None:
        self.console = console
        self.began = began
        self._said: set[Line] = set()
        self._live: Live | None = None

    def say(self, text: str, at: datetime | None = None) -> None:
        moment = at or datetime.now().astimezone()
        # Plain text, not markup: file names may hold square brackets.
        self.console.print(Text(f"[{(moment - self.began).total_seconds():6.1f} s] {text}"), soft_wrap=True)

    @contextmanager
    def following(self) -> Iterator[None]:
        """While it lasts, `show` keeps a live table on a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with Live(Text(""), console=self.console, refresh_per_second=4, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, view: View) -> None:
        for line in view.story.lines:
            if line not in self._said:
                self._said.add(line)
                self.say(line.text, line.at)
        if self._live is not None:
            self._live.update(panel(view, datetime.now().astimezone()))


def panel(view: View, now: datetime) -> RenderableType:
    """Rounds as a table, and below it what happens at this moment."""
    table = Table(title=f"{view.story.batch_id or 'batch'}: {view.story.images} files", title_justify="left")
    for name, style in (
        ("round", ""),
        ("model", ""),
        ("open", ""),
        ("auto", AUTO),
        ("people", HUMAN),
        ("wait", DEFERRED),
        ("seconds", ""),
        ("challenger", ""),
    ):
        table.add_column(name, style=style, justify="left" if name in ("model", "challenger") else "right")
    for found in view.story.rounds:
        table.add_row(*_row(found, now))
    return Group(table, Text(_moment(view, now)), *_yours(view))


def _yours(view: View) -> list[Text]:
    if view.waiting is None:
        return []
    text = f"{view.waiting.open} of {view.waiting.asked} images wait for you, {view.waiting.seconds_left:.0f} s left:"
    return [Text(text, style=HUMAN), Text(view.waiting.link, overflow="fold")]


def _row(found: Round, now: datetime) -> tuple[str, ...]:
    return (
        str(found.number),
        found.model or "none yet",
        str(found.open),
        _count(found.auto),
        _count(found.asked),
        _count(found.deferred),
        f"{((found.ended or now) - found.began).total_seconds():.0f}",
        _challenger(found.training),
    )


def _challenger(training: Training | None) -> str:
    if training is None:
        return ""
    if training.promoted:
        return f"{training.model} promoted"
    if training.better is False:
        return f"{training.model} not better"
    return f"{training.state}…" if training.status == "RUNNING" else training.status.lower()


def _moment(view: View, now: datetime) -> str:
    story = view.story
    if view.status != "RUNNING":
        return view.status
    seconds = f" for {(now - story.since).total_seconds():.0f} s" if story.since else ""
    extra = ""
    if view.shards:
        extra = f", {view.shards.succeeded} of {view.shards.total} shards"
        extra += f", {view.shards.failed} FAILED" if view.shards.failed else ""
    elif view.answered:
        extra = f", people have answered {view.answered[0]} of {view.answered[1]}"
    elif story.state == "Train Model" and story.rounds and story.rounds[-1].training:
        extra = f": {story.rounds[-1].training.state}"
    return f"{story.state or 'starting'}{seconds}{extra}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
