"""No file of ours has more than 400 lines, so that it can be read in one go, unless its head says why it must.

Where it must, the docstring of the module (in other files the comment they begin with, in a state machine its
`Comment`) ends with "Over 400 lines: " and the reason. Other JSON is a table of data, which is looked up and not read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from lint.project import Finding, Project

FOLDERS = (
    "functions",
    "containers",
    "cli",
    "demo",
    "portal",
    "local",
    "lint",
    "bench",
    "tests",
    "docs",
    "statemachines",
)
WRITTEN = (".py", ".js", ".css", ".html", ".sh", ".yaml", ".md", ".asl.json", "Dockerfile", "Makefile")  # by people
MOST_LINES = 400
LINES_OF_A_HEAD = 20
REASON = re.compile(rf"\bOver {MOST_LINES} lines: *\w")


def check(project: Project) -> list[Finding]:
    return [
        Finding(path.relative_to(project.root).as_posix(), what)
        for path in _files(project.root)
        for what in _problems(path)
    ]


def _files(root: Path) -> Iterator[Path]:
    """What is built or installed among them, in hidden folders or in these, is nobody's text."""
    inside = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
    for path in sorted([*root.glob("*"), *inside]):
        inner = path.relative_to(root).parts
        if any(part.startswith(".") or part in ("__pycache__", "node_modules", "build") for part in inner):
            continue
        if path.is_file() and path.name.endswith(WRITTEN):
            yield path


def _problems(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    lines, reasoned = len(text.splitlines()), REASON.search(_head(path, text))
    if lines > MOST_LINES and not reasoned:
        yield (
            f"has {lines} lines, at most {MOST_LINES} are read in one go: cut it along its subjects, or end its "
            f'docstring with "Over {MOST_LINES} lines: " and why'
        )
    elif lines <= MOST_LINES and reasoned:
        yield f'says why it has over {MOST_LINES} lines and has {lines}: take "Over {MOST_LINES} lines: " out'


def _head(path: Path, text: str) -> str:
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    return "\n".join(text.splitlines()[:LINES_OF_A_HEAD])
