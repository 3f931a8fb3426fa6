"""Status for people: tables on a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_OUTCOMES = ("human", "auto", "rejected", "deferred")


def show(status: dict[str, Any], console: Console) -> None:
    console.print(_facts("Champion", _champion(status["champion"])))
    console.print(_facts("Current dataset", _dataset(status["dataset"])))
    console.print(_batches(status["batches"]))
    console.print(_trainings(status["trainings"], status["training_lock"]))
    console.print(_waiting(status["waiting"]))
    console.print(_alarms(status["alarms"]))


def _champion(found: dict[str, Any] | None) -> dict[str, str]:
    if found is None:
        return {"": "no model serves yet: people label everything"}
    return {
        "version": found["version"],
        "endpoint": f"{found['endpoint']} ({found['state']})",
        "accepts": _thresholds(found["thresholds"]),
        "trained on": found.get("dataset") or "elsewhere",
        "previous": found.get("previous") or "none",
        **_rolled_back(found),
    }


def _thresholds(found: dict[str, Any]) -> str:
    if "trouble" in found:
        return str(found["trouble"])
    if found.get("accept") is None:
        return "nothing yet: its thresholds were never fitted"
    target = f", for a mean IoU of {found['target']}" if "target" in found else ""
    return f"labels from {found['accept']:.3f} on{target} (fitted on dataset {found.get('dataset') or 'none'})"


def _dataset(found: dict[str, Any] | None) -> dict[str, str]:
    if found is None:
        return {"": "none published yet"}
    if "trouble" in found:
        return {"version": found["version"], "trouble": found["trouble"]}
    numbers = {name: found.get(name, 0) for name in ("images", "human", "auto", "train", "judge")}
    return {
        "version": found["version"],
        "images": f"{numbers['images']}: {numbers['human']} by people, {numbers['auto']} by models",
        "people's": f"{numbers['train']} train, {numbers['judge']} judge",
        "parent": found.get("parent") or "none",
        **_rolled_back(found),
    }


def _rolled_back(found: dict[str, Any]) -> dict[str, str]:
    told = found.get("rolled_back")
    return {"rolled back": f"from {told['from']} by {told['by']}, {told['at']}"} if told else {}


def _facts(title: str, facts: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def _batches(rows: list[dict[str, Any]]) -> Table:
    table = _table("Batches", "batch", "status", "started", "round", "model", *_OUTCOMES)
    for row in rows:
        counts = [str(row["counts"].get(name, "")) for name in _OUTCOMES]
        _add(table, row["batch"] or row["prefix"], row["status"], row["started"], row["round"], row["model"], *counts)
    return _or_none(table)


def _trainings(rows: list[dict[str, Any]], lock: str) -> Table:
    title = f"Trainings (the lock is held by {lock.rpartition(':')[2]})" if lock else "Trainings"
    table = _table(title, "batch", "round", "status", "started", "dataset", "train", "judge", "came to", "model")
    for row in rows:
        counts = [row["counts"].get(name, "") for name in ("train", "judge")]
        where = (row["batch"], row["round"] or "", row["status"], row["started"], row["dataset"])
        _add(table, *where, *counts, row["came_to"], row["model"])
    return _or_none(table)


def _waiting(rows: list[dict[str, Any]]) -> Table:
    table = _table("Waits for people", "labelling job", "batch", "answered", "images")
    for row in rows:
        _add(table, row["name"], row["batch"], row["answered"], row["images"])
    return _or_none(table)


def _alarms(rows: list[dict[str, Any]]) -> Table:
    table = _table("Open alarms", "alarm", "since", "says")
    for row in rows:
        _add(table, row["name"], row["since"], row["says"])
    return _or_none(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *cells: Any) -> None:
    """As plain text: a name with brackets is a name."""
    table.add_row(*(Text(str(cell)) for cell in cells))


def _or_none(table: Table) -> Table:
    if not table.row_count:
        table.add_row("none")
    return table
