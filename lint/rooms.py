"""The plan of functions/labelloop: a room imports only rooms below it and in no circle within itself, a pure room
imports nothing that calls, nothing is imported by a name that is made while it runs, and every module has a test file
of its own name.
"""

from __future__ import annotations

import ast
from collections import Counter, deque
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from lint.project import Finding, Project

# From the ground up; docs/house.md says what each is for.
FLOORS = ("contracts", "pictures", "store", "tasks", "trust", "engines", "people", "work", "batch")
PURE = ("contracts", "pictures", "tasks", "trust")
HIDDEN = {"importlib", "runpy", "pkgutil"}
CALLING = {"boto3", "botocore", "aws_lambda_powertools", "socket", "urllib", "http", "subprocess", "time"}


def check(project: Project) -> list[Finding]:
    return [
        Finding(path.relative_to(project.root).as_posix(), what)
        for path in _modules(project)
        for what in (*_problems(path, _room(path, project)), *_untested(path, project))
    ] + _circles(project)


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
    imported = {name.partition(".")[0] for name in names(path)}
    for name in sorted(HIDDEN & imported):
        yield f"imports {name}: what it fetches is an arrow that nobody sees"
    if "__import__" in {node.id for node in ast.walk(_tree(path)) if isinstance(node, ast.Name)}:
        yield "calls __import__: what it fetches is an arrow that nobody sees"
    if room in PURE:
        for name in sorted(CALLING & imported):
            yield f"imports {name}: {room} decides and never calls"


def _circles(project: Project) -> list[Finding]:
    """One finding for each knot of modules of a room that import one another, at the first of them by name; imports
    inside functions count, too. A circle through several rooms has an arrow that points upwards, which is told as that.
    """
    house = {_dotted(path, project): path for path in _modules(project)}
    room_of = {module: _room(path, project) for module, path in house.items()}
    arrows = {
        module: sorted(other for other in _modules_of(path, house) - {module} if room_of[other] == room_of[module])
        for module, path in house.items()
    }
    found: list[Finding] = []
    told: set[str] = set()
    for module in sorted(arrows):
        circle = [] if module in told else _way(module, module, arrows)
        if circle:
            told |= {other for other in arrows if _way(module, other, arrows) and _way(other, module, arrows)}
            way = " -> ".join(each.removeprefix("labelloop.") for each in circle)
            where = house[module].relative_to(project.root).as_posix()
            found.append(Finding(where, f"is imported by what it imports: {way}: move what both need below them"))
    return found


def _way(start: str, end: str, arrows: Mapping[str, Sequence[str]]) -> list[str]:
    """The shortest way along the arrows, of one at least; empty where there is none."""
    ways, seen = deque([[start]]), set()
    while ways:
        way = ways.popleft()
        for module in arrows[way[-1]]:
            if module == end:
                return [*way, module]
            if module not in seen:
                seen.add(module)
                ways.append([*way, module])
    return []


def _dotted(path: Path, project: Project) -> str:
    parts = path.relative_to(project.root / "functions").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules_of(path: Path, house: Container[str]) -> set[str]:
    """The modules that a file imports; of `from package import module` the module, and not its package."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named = [(f"{node.module}.{alias.name}", str(node.module)) for alias in node.names]
            found |= {module if module in house else package for module, package in named}
    return {module for module in found if module in house}


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
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tree(path: Path) -> ast.Module:
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)
