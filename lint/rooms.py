"""The plan of functions/labelloop: a room imports only rooms below it, a pure room imports nothing that calls, and
every module has a test file of its own name.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lint.project import Finding, Project

# From the ground up; docs/house.md says what each is for.
FLOORS = ("contracts", "pictures", "store", "tasks", "trust", "engines", "people", "work", "batch")
PURE = ("contracts", "pictures", "tasks", "trust")
CALLING = {"boto3", "botocore", "aws_lambda_powertools", "socket", "urllib", "http", "subprocess", "time"}


def check(project: Project) -> list[Finding]:
    return [
        Finding(path.relative_to(project.root).as_posix(), what)
        for path in _modules(project)
        for what in (*_problems(path, _room(path, project)), *_untested(path, project))
    ]


def arrows(project: Project) -> Counter[tuple[str, str]]:
    """(room, room below it) -> how many of the one's modules import how many of the other's, as pairs."""
    pairs = ((_room(path, project), room) for path in _modules(project) for room, _ in _imported(path))
    return Counter((above, below) for above, below in pairs if above != below)


def entered(path: Path) -> list[str]:
    """The rooms that a file imports from, the highest first."""
    found = {room for room, _ in _imported(path)}
    return [room for room in reversed(FLOORS) if room in found]


def _modules(project: Project) -> list[Path]:
    return sorted(_house(project).rglob("*.py"))


def _house(project: Project) -> Path:
    return project.root / "functions" / "labelloop"


def _room(path: Path, project: Project) -> str:
    """The room of a module, also of one in a folder within the room; empty for one that stands in none."""
    room, *rest = path.relative_to(_house(project)).parts
    return room if rest else ""


def _problems(path: Path, room: str) -> Iterator[str]:
    if not room:
        if path.name != "__init__.py":
            yield f"stands in no room: move it into one of {', '.join(FLOORS)}"
        return
    if room not in FLOORS:
        yield f"{room} is no room; give it a floor in lint/rooms.py"
        return
    for other, module in sorted(_imported(path)):
        if other in FLOORS and FLOORS.index(other) > FLOORS.index(room):
            yield f"imports {other}.{module}, a room above its own"
        elif room in PURE and other not in (*PURE, room):
            yield f"imports {other}.{module}: {room} decides and never calls"
    if room in PURE:
        for name in sorted(CALLING & {name.partition(".")[0] for name in names(path)}):
            yield f"imports {name}: {room} decides and never calls"


def _untested(path: Path, project: Project) -> Iterator[str]:
    """What stands in a folder within a room is tested under the folder's name. A port only declares."""
    room, *folders = path.relative_to(_house(project)).parts[:-1] or [""]
    tests = project.root / "tests" / "unit"
    if not room or path.name in ("__init__.py", "port.py") or not tests.is_dir():
        return
    name = f"test_{[*folders, path.stem][0]}.py"
    if not (tests / name).is_file() or "\ndef test_" not in (tests / name).read_text(encoding="utf-8"):
        yield f"has no test of its own name: write tests/unit/{name} for what it promises"


def _imported(path: Path) -> set[tuple[str, str]]:
    """(room, module) of each module of labelloop that the file imports, also inside functions. A room that is imported
    itself, `from labelloop import tasks`, counts as its module `__init__`.
    """
    parts = [name.split(".") for name in names(path) if name.startswith("labelloop.")]
    found = {(rest[0], rest[1]) for _, *rest in parts if len(rest) > 1}
    return found | {(rest[0], "__init__") for _, *rest in parts if rest[0] not in {room for room, _ in found}}


def names(path: Path) -> Iterator[str]:
    """Dotted names of everything the file imports; of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
