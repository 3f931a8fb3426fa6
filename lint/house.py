"""The plan of the house in figures: `python -m lint.house [folder of another checkout]`; docs/house.md holds them."""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from pathlib import Path

from lint.project import FUNCTION, Project
from lint.rooms import FLOORS


def figures(root: Path) -> dict[str, int]:
    """What docs/house.md tells before and after, of any version of this project."""
    project = Project(root)
    modules = _modules(root)
    found = {
        "lines of the state machines": sum(_lines(path) for path in sorted((root / "statemachines").glob("*.json"))),
        "lines of template.yaml": _lines(root / "template.yaml"),
        "parameters": len(project.template["Parameters"]),
        "functions": len(project.resources(FUNCTION)),
        "handler files": len(list((root / "functions").glob("*.py"))),
        "lines of the handlers": sum(map(_lines, sorted((root / "functions").glob("*.py")))),
        "modules of labelloop": len(modules),
        "lines of labelloop": sum(map(_lines, modules.values())),
        "arrows between modules": sum(len(_imports(path, set(modules))) for path in modules.values()),
        "rooms": len(set(map(_room, modules.values()))),
        "arrows between rooms": len(_arrows(modules)),
        "lines of README.md": _lines(root / "README.md"),
    }
    rooms = Counter(map(_room, modules.values()))
    return found | {f"modules in {room}": rooms[room] for room in reversed(FLOORS) if room in rooms}


def _modules(root: Path) -> dict[str, Path]:
    """Name -> file; the names of modules are unique in the whole house."""
    files = sorted((root / "functions" / "labelloop").rglob("*.py"))
    return {path.stem: path for path in files if path.stem != "__init__"}


def _imports(path: Path, modules: set[str]) -> set[str]:
    """The modules of labelloop that a file imports, however it names them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "labelloop":
            inner = str(node.module).rpartition(".")[2]
            found |= {inner} if inner in modules else {alias.name for alias in node.names}
    return (found & modules) - {path.stem}


def _room(path: Path) -> str:
    """Of a house without rooms: the house itself."""
    parts = path.parts
    return parts[parts.index("labelloop", parts.index("functions")) + 1] if path.parent.name != "labelloop" else ""


def _arrows(modules: dict[str, Path]) -> set[tuple[str, str]]:
    pairs = ((_room(path), _room(modules[name])) for path in modules.values() for name in _imports(path, set(modules)))
    return {(above, below) for above, below in pairs if above != below}


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    print(json.dumps(figures(folder.resolve()), indent=2))
