"""How the file of a state machine is laid out: `python -m lint.machines` writes it so, `python -m lint` compares.

A state has one key per line. A value stands on one line where it fits into 120 columns. In a list that does not fit, a
retry rung, a catch or a choice rule has one line, however long: a rung that many states share is the same line in each.
"""

import json
import sys
from pathlib import Path
from typing import Any

from lint.project import Finding, Project

MACHINES = "statemachines/*.asl.json"
COLUMNS = 120
ONE_LINE_EACH = {"Retry", "Catch", "Choices"}
STEP = "  "


def check(project: Project) -> list[Finding]:
    return [
        Finding(str(path.relative_to(project.root)), "is laid out differently: run `python -m lint.machines`")
        for path in sorted(project.root.glob(MACHINES))
        if (found := path.read_text(encoding="utf-8")) != text(json.loads(found))
    ]


def text(definition: dict[str, Any]) -> str:
    """The definition as its file should be; the order of the keys stays."""
    return _below_each_other(definition, "", one_line_each=False) + "\n"


def _below_each_other(value: Any, indent: str, *, one_line_each: bool) -> str:
    inner = indent + STEP
    if isinstance(value, dict):
        (opening, closing) = "{}"
        entries = [f"{json.dumps(key)}: {_laid_out(key, one, inner)}" for key, one in value.items()]
    else:
        (opening, closing) = "[]"
        entries = [_one_line(one) if one_line_each else _laid_out("", one, inner) for one in value]
    lines = ",\n".join(inner + entry for entry in entries)
    return f"{opening}\n{lines}\n{indent}{closing}"


def _laid_out(key: str, value: Any, indent: str) -> str:
    line = _one_line(value)
    fits = len(f'{indent}"{key}": {line},') <= COLUMNS and not _is_state(value)
    if fits or not value or not isinstance(value, dict | list):
        return line
    return _below_each_other(value, indent, one_line_each=key in ONE_LINE_EACH)


def _is_state(value: Any) -> bool:
    """A state, or what holds some: they never stand on one line, however short."""
    return isinstance(value, dict) and ("States" in value or "Type" in value or any(map(_is_state, value.values())))


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> int:
    for path in sorted((Path(__file__).resolve().parents[1]).glob(MACHINES)):
        path.write_text(text(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
